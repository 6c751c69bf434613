# shellcheck shell=bash
# What the steps and tests are written in: what is so, what becomes so in time, what never becomes so. Sourced by run.

say() {
  echo "$*"
}

# now prints the time in microseconds.
now() {
  echo "${EPOCHREALTIME/[.,]/}"
}

seconds_since() {
  local passed=$(($(now) - $1))
  printf '%d.%02d' $((passed / 1000000)) $((passed % 1000000 / 10000))
}

title() {
  printf '\n%s\n' "$*"
}

pass() {
  printf '  ok    %s\n' "$*"
}

fail() {
  printf '  FAIL  %s\n' "$*"
  exit 1
}

# soon runs a command again and again until it succeeds; fails when that takes too many seconds.
soon() {
  local within=$1 begin
  shift
  begin=$(now)
  until "$@" >/dev/null 2>&1; do
    (($(now) - begin < within * 1000000)) || return 1
    sleep 0.05
  done
}

# patiently is soon, for what is no claim but has to be so before the lab goes on.
patiently() {
  local within=$1 what=$2
  shift 2
  soon "$within" "$@" || fail "not within $within s: $what"
}

# becomes claims that a command succeeds within so many seconds, and says how long it took.
becomes() {
  local within=$1 claim=$2 begin
  shift 2
  begin=$(now)
  soon "$within" "$@" || fail "$claim: not within $within s"
  pass "$claim ($(seconds_since "$begin") s)"
}

# never claims that a command does not succeed for so many seconds.
never() {
  local during=$1 claim=$2
  shift 2
  ! soon "$during" "$@" || fail "$claim: it did"
  pass "$claim (looked for $during s)"
}

# is claims that a command succeeds now.
is() {
  local claim=$1
  shift
  "$@" >/dev/null 2>&1 || fail "$claim"
  pass "$claim"
}

not() {
  ! "$@"
}

# Questions

# has asks whether a router's kernel has a BGP route for exactly this prefix; with a third argument, via this gateway.
has() {
  ip -n "$1" route show "$2" proto bgp | grep -q "${3:-.}"
}

# count prints how many IPv4 BGP routes a router's kernel has.
count() {
  ip -n "$1" -4 route show proto bgp | grep -c '^[^ ]* nhid\|^[0-9]' || true
}

counts() {
  (($(count "$1") == $2))
}

# chip asks whether the ASIC has the prefix with this flag: rt_offload, rt_trap or rt_offload_failed. The flag "pending" is none of them.
chip() {
  local line
  line=$(ctl -d route show exact "$1" proto bgp) && [[ -n $line ]] || return 1
  case $2 in
    pending) [[ $line != *rt_* ]] ;;
    *) [[ " ${line//$'\n'/ } " == *" $2 "* ]] ;;
  esac
}

# queued asks whether r1's zebra waits for the ASIC: "q" in its list; "o" is offload failure.
zebra_says() {
  vty_of r1 zebra "show ip route $1 json" | grep -q "\"$2\":true"
}

established() {
  vty_of "$1" bgpd "show bgp summary established json" | grep -q "\"$2\""
}

# announce and withdraw make r2's kernel have a route or not, which r2 tells r1.
announce() {
  local prefix
  for prefix; do
    ip -n r2 route add blackhole "$prefix"
  done
}

withdraw() {
  local prefix
  for prefix; do
    ip -n r2 route del blackhole "$prefix"
  done
}

# all_settled asks whether nothing waits anywhere: not in the chip, not in the bridge.
idle() {
  [[ $(ctl status) == *"queue 0 "* ]]
}

# evidence prints what is known when a check has failed.
evidence() {
  local log
  {
    say "--- r1: show zebra fpm, routes from BGP, the chip"
    vty_of r1 zebra "show fpm status" | head -20
    vty_of r1 zebra "show ip route bgp" | tail -n +11 | head -12
    ctl -d route show proto bgp | head -12
    ctl status | head -4
    say "--- r3: routes from BGP"
    ip -n r3 route show proto bgp | head -12
    for log in r1-fpm r1-vasicd r1-zebra r1-bgpd; do
      say "--- $log.log"
      tail -n 12 "$scratch/$log.log"
    done
    say "---"
  } 2>&1 | sed 's/^/    | /' || true
}
