# shellcheck shell=bash
# The story: what happens to a prefix on its way to r3. Sourced by run.

story_steps=(routers held programmed full room ignored)
story_prefix=198.51.100.0/24
story_second=203.0.113.0/24

story_routers() {
  title "Three routers: r2 originates, r1 has a virtual ASIC, r3 receives"
  patiently 20 "zebra is connected to the bridge" fpm_connected
  becomes 15 "r1 and r2 speak BGP" established r1 10.0.12.2
  becomes 15 "r1 and r3 speak BGP" established r1 10.0.13.3
}

story_held() {
  title "A prefix is accepted, and held back while the chip has not programmed it"
  act "the chip is paused; r2 announces $story_prefix" ctl asic pause
  announce "$story_prefix"
  becomes 10 "r1's zebra has it, and waits for the chip" zebra_says "$story_prefix" Queued
  becomes 5 "the virtual switch has accepted it, without rt_offload" chip "$story_prefix" pending
  never 3 "r3 does not hear of it" has r3 "$story_prefix"
}

story_programmed() {
  title "The chip programs it, and it goes to r3"
  act "the chip is resumed" ctl asic resume
  becomes 5 "the chip has it: rt_offload" chip "$story_prefix" rt_offload
  becomes 5 "zebra was told: offloaded" zebra_says "$story_prefix" Offloaded
  becomes 5 "r3 has it" has r3 "$story_prefix"
}

story_full() {
  local occupied
  title "The table is full: no new prefix is advertised, and one that loses its place is withdrawn"
  occupied=$(occupancy IPv4)
  act "IPv4/fib gets a size of $occupied, as many as are in it; r2 announces $story_second" resize IPv4 "$occupied"
  announce "$story_second"
  becomes 5 "the switch accepted it, the chip could not take it: rt_offload_failed" chip "$story_second" rt_offload_failed
  becomes 5 "zebra was told: offload failed" zebra_says "$story_second" "Offload Failed"
  never 3 "r3 does not hear of it" has r3 "$story_second"
  becomes 5 "r3 still has the first" has r3 "$story_prefix"
  act "IPv4/fib is made so small that there is no place for the first" resize IPv4 "$(before "$story_prefix")"
  becomes 5 "the first has lost its place: rt_offload_failed" chip "$story_prefix" rt_offload_failed
  becomes 5 "it is withdrawn from r3" not has r3 "$story_prefix"
}

story_room() {
  title "Room is made, and both are there"
  act "IPv4/fib without a bound" resize IPv4 unlimited
  for prefix in "$story_prefix" "$story_second"; do
    becomes 5 "the chip has $prefix" chip "$prefix" rt_offload
    becomes 10 "r3 has $prefix" has r3 "$prefix"
  done
}

story_ignored() {
  local heeded ignored prefix=192.0.2.0/24
  title "What the flag is worth: packets from r3 while the chip is paused for two seconds, and two seconds after; each is a lookup in the chip"
  has r3 "$story_prefix" || announce "$story_prefix"
  heeded=$(packets_lost "$prefix")
  suppress "no bgp suppress-fib-pending" "$story_prefix"
  ignored=$(packets_lost "$prefix")
  suppress "$(suppress_line)" "$story_prefix"
  say "        with bgp suppress-fib-pending    lost $heeded"
  say "        without                          lost $ignored"
  is "no packet is lost where the flag is heeded" test "${heeded% of *}" -eq 0
  is "packets are lost where it is ignored" test "${ignored% of *}" -gt 0
}
