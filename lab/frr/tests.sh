# shellcheck shell=bash
# The claims as tests. Each begins with a lab in which r2 originates nothing and the chip runs with room, and leaves it so. Sourced by run.

test_steps=(start after_chip failure lost_place trapped multipath many silent bridge_restart bridge_killed zebra_restart vasicd_restart flaps order)

test_start() {
  title "start: the lab comes up"
  becomes 20 "zebra is connected to the bridge" fpm_connected
  becomes 15 "r1 and r2 speak BGP" established r1 10.0.12.2
  becomes 15 "r1 and r2 speak BGP on the second link" established r1 10.0.22.2
  becomes 15 "r1 and r3 speak BGP" established r1 10.0.13.3
  watch_order
}

# clean withdraws what is left and waits until it is gone everywhere.
clean() {
  originated | withdraw
  patiently 20 "nothing is left" agree 0
}

# recover does what it can so that the next test begins as it should after one that failed.
recover() {
  alive r1 vasicd || vasicd_up
  alive r1 fpm || start_fpm
  alive r1 zebra || { start_daemon r1 zebra && configure r1; }
  ip -n r1 link set r2 up
  ip -n r1 link set r2b up
  ctl asic resume >/dev/null
  ctl fault set fail_route_offload off
  resize IPv4 unlimited
  ip -n r2 route flush type blackhole
  ip -n r2 -6 route flush type blackhole
  soon 20 agree 0 || true
}

test_after_chip() {
  title "after_chip: r3 has a prefix only after the chip, IPv4 and IPv6"
  ctl asic pause >/dev/null
  prefixes 50 | announce
  announce 2001:db8:5::/48
  becomes 5 "the switch accepted all" accepted 50
  becomes 5 "the IPv6 prefix too" chip 2001:db8:5::/48 pending
  never 3 "r3 does not hear of any" any_at_r3
  ctl asic step 20 >/dev/null
  becomes 5 "20 steps, and r3 has exactly what the chip has, but not all" some_agree 50
  ctl asic resume >/dev/null
  becomes 5 "resumed, and r3 has all" agree 50
  becomes 5 "the IPv6 prefix too" has r3 2001:db8:5::/48
  becomes 5 "nothing waits in zebra" nothing_queued
  withdraw 2001:db8:5::/48
  becomes 5 "withdrawn, and gone from the chip" not chip 2001:db8:5::/48 rt_offload
  becomes 5 "and from r3" not has r3 2001:db8:5::/48
  clean
}

accepted() {
  (($(ctl -4 -o route show proto bgp | wc -l) == $1))
}

any_at_r3() {
  [[ -n $(at_r3) ]] || has r3 2001:db8:5::/48
}

some_agree() {
  local n
  n=$(at_r3 | wc -l)
  ((n > 0 && n < $1)) && agree "$n"
}

test_failure() {
  title "failure: what the chip refuses is not advertised, and is when a retry succeeds"
  prefixes 10 | announce
  becomes 5 "r3 has 10" agree 10
  ctl fault set fail_route_offload on
  prefixes 10 10 | announce
  becomes 5 "10 more have failed" failed_are 10
  becomes 5 "zebra was told" zebra_says 20.0.10.0/24 "Offload Failed"
  never 3 "r3 hears of none of them" not agree 10
  ctl fault set fail_route_offload off
  becomes 15 "the chip refuses no more: it is tried again, and r3 has all" agree 20
  clean
}

failed_are() {
  (($(ctl -4 -o route show proto bgp | grep -cw rt_offload_failed) == $1))
}

test_lost_place() {
  local place
  title "lost_place: prefixes that lose their place in the chip are withdrawn, and come back with the room"
  prefixes 20 | announce
  becomes 5 "r3 has 20" agree 20
  place=$(before 20.0.10.0/24)
  resize IPv4 "$place"
  becomes 10 "room for 10: r3 has exactly those" agree 10
  resize IPv4 unlimited
  becomes 10 "room for all: r3 has all" agree 20
  clean
}

test_trapped() {
  title "trapped: a prefix whose packets go to the CPU, as its neighbours have failed, is withdrawn, and comes back with them"
  announce 20.0.0.0/24
  becomes 5 "the chip has it" members 20.0.0.0/24 2
  becomes 5 "r3 has it" agree 1
  neighbours nud failed
  becomes 5 "the chip traps it" chip 20.0.0.0/24 rt_trap
  becomes 5 "r3 loses it" not has r3 20.0.0.0/24
  becomes 5 "zebra was told of the trap" zebra_says 20.0.0.0/24 Trapped
  neighbours lladdr 02:00:00:00:00:01 nud reachable
  becomes 5 "the chip has it" members 20.0.0.0/24 2
  becomes 5 "r3 has it" agree 1
  clean
}

# neighbours sets what the chip knows of r2 on both links.
neighbours() {
  ctl neigh replace 10.0.12.2 dev r2 "$@"
  ctl neigh replace 10.0.22.2 dev r2b "$@"
}

test_multipath() {
  title "multipath: a member is lost and comes back, and r3 keeps the prefix"
  announce 20.0.0.0/24
  becomes 5 "the chip has it with two members" members 20.0.0.0/24 2
  becomes 5 "r3 has it" agree 1
  ip -n r1 link set r2b down
  becomes 5 "one link down: the chip has it with one member" members 20.0.0.0/24 1
  never 3 "r3 does not lose it" not has r3 20.0.0.0/24
  ip -n r1 link set r2b up
  ip -n r1 address add 2001:db8:22::1/64 dev r2b nodad
  becomes 30 "link up: two members" members 20.0.0.0/24 2
  becomes 5 "r3 has it" agree 1
  ctl asic pause >/dev/null
  ip -n r1 link set r2b down
  ip -n r1 link set r2 down
  becomes 10 "both links down: r3 loses it, whatever the chip does" not has r3 20.0.0.0/24
  ctl asic resume >/dev/null
  ip -n r1 link set r2b up
  ip -n r1 link set r2 up
  ip -n r1 address add 2001:db8:22::1/64 dev r2b nodad
  ip -n r1 address add 2001:db8:12::1/64 dev r2 nodad
  becomes 30 "both up: two members" members 20.0.0.0/24 2
  becomes 5 "r3 has it" agree 1
  clean
}

# members asks whether the chip forwards a prefix to so many next hops.
members() {
  chip "$1" rt_offload && (($(ctl -d route show exact "$1" proto bgp | grep -cw offload) == $2))
}

test_many() {
  local rules=
  ! ctl fault help 2>&1 | grep -qw 'fault add' || rules=yes
  if [[ $rules ]]; then
    title "many: 10,000 prefixes of which the chip refuses 5 % by rule, and r3 has exactly the others"
    # Together the first 500 of them.
    printf 'fault add prefix %s fail\n' 20.0.0.0/16 20.1.0.0/17 20.1.128.0/18 20.1.192.0/19 20.1.224.0/20 20.1.240.0/22 | ctl -batch - >/dev/null
  else
    title "many: 10,000 prefixes of which 5 % find no place in the chip, and r3 has exactly the others"
    resize IPv4 $(($(occupancy IPv4) + 9500))
  fi
  prefixes 10000 | announce
  becomes 30 "r3 has exactly the 9,500 that the chip has" agree 9500
  is "the others have failed" failed_are 500
  never 3 "it stays so" not agree 9500
  becomes 5 "nothing waits in zebra" nothing_queued
  if [[ $rules ]]; then
    is "the others are those that the rules name" cmp "$scratch/r3" <(prefixes 9500 500 | sort)
    ctl fault del all
  else
    resize IPv4 unlimited
  fi
  becomes 30 "with the rules gone, r3 has all" agree 10000
  clean
}

test_silent() {
  title "silent: the chip has prefixes, but nobody tells zebra; r3 hears of them only after somebody does"
  bridge_down
  act "and started, never to answer" start_fpm --fault never=true
  patiently 20 "zebra is connected again" fpm_connected
  prefixes 10 | announce
  becomes 10 "the chip has 10" programmed_are 10
  never 3 "r3 hears of none of them" any_at_r3
  bridge_down
  bridge_up
  becomes 10 "the bridge answers for what is in hardware already, and r3 has all" agree 10
  clean
}

programmed_are() {
  (($(in_hardware | wc -l) == $1))
}

# around runs a change in the middle of another: 300 prefixes are there, 300 wait for the paused chip; then, while the daemon is away, 100 of
# each are withdrawn and 100 come.
around() {
  local down=$1 up=$2
  prefixes 300 | announce
  becomes 10 "r3 has 300" agree 300
  ctl asic pause >/dev/null
  prefixes 300 300 | announce
  becomes 5 "300 more wait for the chip" accepted 600
  "$down"
  prefixes 100 250 | withdraw
  prefixes 100 600 | announce
  sleep 1
  "$up"
  is "r3 has none that the chip never had" never_more
  ctl asic resume >/dev/null
  becomes 30 "r3 has exactly what r2 originates and the chip has" agree
  becomes 10 "nothing waits in zebra" nothing_queued
  clean
}

never_more() {
  [[ -z $(at_r3 | comm -23 - <(prefixes 300 | sort)) ]]
}

test_bridge_restart() {
  title "bridge_restart: vasic-fpm is stopped and started in the middle"
  around bridge_down bridge_up
}

bridge_down() {
  act "vasic-fpm is stopped" stop r1 fpm
}

bridge_up() {
  act "and started" start_fpm
  patiently 20 "zebra is connected again" fpm_connected
}

test_bridge_killed() {
  title "bridge_killed: vasic-fpm is killed and started in the middle"
  around bridge_kill bridge_up
}

bridge_kill() {
  act "vasic-fpm is killed" stop r1 fpm KILL
}

test_zebra_restart() {
  title "zebra_restart: r1's zebra is killed, and FRR started again, in the middle"
  around zebra_down zebra_up
}

# bgpd does not tell a new zebra what it told the old one; so FRR's watchfrr restarts it with zebra.
zebra_down() {
  act "zebra is killed" stop r1 zebra KILL
  act "bgpd is stopped" stop r1 bgpd
}

zebra_up() {
  act "both are started" start_frr r1
  patiently 20 "zebra is connected again" fpm_connected
}

test_vasicd_restart() {
  title "vasicd_restart: vasicd is killed, and started with an empty chip"
  prefixes 300 | announce
  becomes 10 "r3 has 300" agree 300
  vasicd_down
  prefixes 50 250 | withdraw
  prefixes 100 600 | announce
  never 3 "r3 hears of none of the prefixes that came meanwhile" never_less
  vasicd_up
  becomes 20 "r3 has exactly what r2 originates and the chip has" agree
  vasicd_down
  becomes 20 "vasicd stays away, and r3 loses all: hardware is not known to have any" not any_at_r3
  vasicd_up
  becomes 20 "it is back, and so are they" agree
  becomes 10 "nothing waits in zebra" nothing_queued
  clean
}

never_less() {
  ! never_more
}

vasicd_down() {
  act "vasicd is killed" stop r1 vasicd KILL
  date '+[%FT%T.%6N] RESET' >>"$scratch/r1-order.log"
}

vasicd_up() {
  act "vasicd is started${1:+ with $*}" start_vasicd "$@"
  ! alive r1 order || stop r1 order
  watch_chip
}

test_flaps() {
  local i
  title "flaps: 200 prefixes come and go 10 times while the chip takes 1 ms for each"
  vasicd_down
  vasicd_up --latency 1ms
  for ((i = 0; i < 10; i++)); do
    prefixes 200 | announce
    sleep "0.$((i + 1))"
    prefixes 200 | withdraw
    sleep "0.0$i"
  done
  prefixes 200 | announce
  becomes 20 "r3 has exactly the 200" agree 200
  becomes 5 "nothing waits in zebra" nothing_queued
  clean
  vasicd_down
  vasicd_up
}

# Order: everything that r3 heard of is compared with what the chip had said before.

watch_order() {
  watch_chip
  start r3 order ip -ts -4 monitor route
}

watch_chip() {
  start r1 order "$bin/vasicctl" -4 -ts monitor --from 1
}

test_order() {
  title "order: each time r3 got a prefix in the above, the chip had it, or had lost it less than a second before"
  is "the chip was watched to the end" alive r1 order
  is "r3 was watched to the end" alive r3 order
  stop r1 order
  stop r3 order
  sort -s -k1,1 <(sed -n 's/^\[[^ ]*\]/& chip/p' "$scratch/r1-order.log") <(sed -n 's/^\[[^ ]*\]/& r3/p' "$scratch/r3-order.log") |
    awk -f "$here/order.awk" >"$scratch/judgement" || fail "$(cat "$scratch/judgement")"
  pass "$(cat "$scratch/judgement")"
}
