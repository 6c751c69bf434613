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

# act says what is done, and does it.
act() {
  printf '  ..    %s\n' "$1"
  shift
  "$@" >>"$scratch/acts.log" 2>&1 || fail "that could not be done: $(tail -n 3 "$scratch/acts.log")"
}

# Questions

# has asks whether a router's kernel has a BGP route for exactly this prefix; with a third argument, via this gateway.
has() {
  local family=-4
  [[ $2 != *:* ]] || family=-6
  ip -n "$1" "$family" route show "$2" proto bgp | grep -q "${3:-.}"
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

# zebra_says asks whether r1's zebra shows a route as Queued (it waits for the ASIC), Offloaded, Trapped or "Offload Failed". (In its JSON the
# last is "offloaded": false.)
zebra_says() {
  local object=ip
  [[ $1 != *:* ]] || object=ipv6
  vty_of r1 zebra "show $object route $1" | grep -Eq "^ *(Flags|Status):.* $2( |\$)"
}

fpm_connected() {
  vty_of r1 zebra "show fpm status" | grep -q 'Connected *Yes'
}

established() {
  vty_of "$1" bgpd "show bgp summary established json" | grep -q "\"$2\""
}

# announce and withdraw make r2's kernel have routes or not, which r2 tells r1. The prefixes are arguments or, with none, come on stdin.
announce() {
  change add "$@"
}

withdraw() {
  change del "$@"
}

change() {
  local command=$1
  shift
  if (($#)); then printf '%s\n' "$@"; else cat; fi |
    sed "s/^/route $command blackhole /" | ip -n r2 -batch -
}

# prefixes prints so many /24 from 20.0.0.0 on, without the first so many.
prefixes() {
  awk -v n="$1" -v from="${2:-0}" 'BEGIN { for (i = from; i < from + n; i++) printf "%d.%d.%d.0/24\n", 20 + i / 65536, i / 256 % 256, i % 256 }'
}

# Sets of IPv4 prefixes, sorted

originated() {
  ip -n r2 -4 route show type blackhole | awk '{ print $2 }' | sort
}

in_hardware() {
  ctl -4 -o route show proto bgp | awk '/ rt_offload / { print $1 }' | sort
}

at_r3() {
  ip -n r3 -4 route show proto bgp | awk '/^[0-9]/ { print $1 }' | sort
}

# agree asks whether r3 has exactly what the chip has, and the chip so many (default: all that r2 originates).
agree() {
  in_hardware >"$scratch/hardware"
  at_r3 >"$scratch/r3"
  cmp -s "$scratch/hardware" "$scratch/r3" || return 1
  if (($#)); then
    (($(wc -l <"$scratch/r3") == $1))
  else
    originated | cmp -s - "$scratch/r3"
  fi
}

# nothing_queued asks whether no route of r1's zebra waits for an answer.
nothing_queued() {
  ! vty_of r1 zebra "show ip route bgp" | grep -Eq '^B[^ ]*q' && ! vty_of r1 zebra "show ipv6 route bgp" | grep -Eq '^B[^ ]*q'
}

# The chip's table for a family

# occupancy prints how many entries are in it.
occupancy() {
  ctl resource show | awk -v family="$1" '$1 == "name" && $2 ~ /^IPv/ { at = $2 }
    at == family && $2 == "fib" { for (i = 1; i < NF; i++) if ($i == "occ") print $(i + 1) }'
}

# resize gives it another size, which takes a reload.
resize() {
  ctl resource set "$1/fib" size "$2" && ctl reload
}

# before prints how many routes of the main table are programmed before a prefix when the chip is filled anew.
before() {
  ctl -o route show | awk -v prefix="$1" '{ for (i = 1; i < 3; i++) if ($i == prefix) { print NR - 1; exit } }'
}

idle() {
  ctl status | grep -q 'queue 0 '
}

# suppress turns bgp suppress-fib-pending on or off ("no" in front), for which bgpd resets its sessions, and waits until r3 has a prefix again.
suppress() {
  vty_of r1 bgpd "configure terminal" "router bgp 65001" "$1"
  patiently 10 "r1's sessions are reset" not has r3 "$2"
  patiently 20 "r3 has $2 again" has r3 "$2"
}

# Packets that r3 would send to addresses in a prefix, if it has a route there; each is a lookup in the chip.

# packets_lost announces the prefix while the chip is paused for two seconds, and prints how many were sent into nothing, of how many.
packets_lost() {
  local prefix=$1 lost=0 sent=0 begin round=100 resumed=
  seq -f "${prefix%.*}.%.0f" 1 "$round" >"$scratch/addresses"
  ctl asic pause >/dev/null
  announce "$prefix"
  begin=$(now)
  while (($(now) - begin < 4000000)); do
    if [[ -z $resumed ]] && (($(now) - begin > 2000000)); then
      ctl asic resume >/dev/null
      resumed=yes
    fi
    if has r3 "$prefix"; then
      sent=$((sent + round)) lost=$((lost + round - $(forwarded "$scratch/addresses")))
    fi
    sleep 0.02
  done
  withdraw "$prefix"
  patiently 10 "r3 has no route to $prefix" not has r3 "$prefix" >&2
  echo "$lost of $sent"
}

# forwarded prints how many of the addresses in a file the chip forwards packets to.
forwarded() {
  if [[ $(ctl lookup help 2>&1) == Usage* ]]; then
    ctl lookup -f "$1" | grep -c ' hardware .* forward *$' || true
  else
    sed 's/.*/route get & fibmatch/' "$1" | ctl -force -batch - 2>/dev/null | grep -cw rt_offload || true
  fi
}

# evidence prints what is known when a check has failed.
evidence() {
  local log
  {
    say "--- r1: show zebra fpm, routes from BGP, the chip"
    vty_of r1 zebra "show fpm status" | head -20
    vty_of r1 zebra "show ip route bgp" | grep '^B' -A1 | head -12
    ctl -d route show proto bgp | head -12
    ctl status | head -4
    say "--- r3: $(at_r3 | wc -l) prefixes; the chip: $(in_hardware | wc -l); r2 originates: $(originated | wc -l)"
    ip -n r3 route show proto bgp | head -4
    for log in r1-fpm r1-vasicd r1-zebra r1-bgpd; do
      say "--- $log.log"
      grep -v libyang "$scratch/$log.log" | tail -n 12
    done
    say "---"
  } 2>&1 | sed 's/^/    | /' || true
}
