# shellcheck shell=bash
# The story: one claim after the other. Sourced by run.

story_steps=(ready held)

story_ready() {
  title "Three routers, and a virtual ASIC under r1"
  becomes 15 "r1 and r2 speak BGP" established r1 10.0.12.2
  becomes 15 "r1 and r3 speak BGP" established r1 10.0.13.3
}

story_held() {
  title "held"
  [[ ! -e $bin/hold ]] || touch /tmp/sink.hold
  touch /tmp/sink.hold
  announce 198.51.100.0/24
  becomes 5 "r1 has it" has r1 198.51.100.0/24
  never 3 "r3 does not" has r3 198.51.100.0/24
  rm /tmp/sink.hold
  becomes 5 "r3 has it" has r3 198.51.100.0/24
  withdraw 198.51.100.0/24
  becomes 5 "r3 has not" not has r3 198.51.100.0/24
}
