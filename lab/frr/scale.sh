# shellcheck shell=bash
# Many routes: is the bridge ever the bottleneck, and is its memory bounded while the chip does not program? Sourced by run.

scale_steps=(start full paused)

scale_start() {
  patiently 20 "zebra is connected to the bridge" fpm_connected
  patiently 20 "r1 and r2 speak BGP" established r1 10.0.12.2
  patiently 20 "r1 and r3 speak BGP" established r1 10.0.13.3
}

# cpu prints the processor time of a process in hundredths of a second.
cpu() {
  awk '{ sub(/.*\) /, ""); print $12 + $13 }' "/proc/$(pid "$1" "$2")/stat"
}

# memory prints a process's resident memory in MiB, with "peak" the most that it ever had.
memory() {
  awk -v field="Vm$([[ ${3:-} == peak ]] && echo HWM || echo RSS):" '$1 == field { printf "%d", $2 / 1024 }' "/proc/$(pid "$1" "$2")/status"
}

declare -A cpu_before
scale_processes=(zebra bgpd fpm vasicd)

cpu_start() {
  local process
  for process in "${scale_processes[@]}"; do
    cpu_before[$process]=$(cpu r1 "$process")
  done
}

cpu_report() {
  local process used
  for process in "${scale_processes[@]}"; do
    used=$(($(cpu r1 "$process") - cpu_before[$process]))
    printf '        %-7s %4d.%02d s CPU, %3d us a route, %4d MiB\n' \
      "$process" $((used / 100)) $((used % 100)) $((used * 10000 / scale_routes)) "$(memory r1 "$process")"
  done
}

no_more_than() {
  (($(cpu r1 "$1") - cpu_before[$1] <= $(cpu r1 "$2") - cpu_before[$2]))
}

chip_has() {
  (($(ctl status | awk '$1 == "routes" && $2 == "IPv4" && $3 == "offload" { print $4 }') >= $1))
}

r3_has() {
  (($(vty_of r3 bgpd "show bgp ipv4 unicast summary" | awk '$1 == "10.0.13.1" { print $10 }') == $1))
}

scale_full() {
  title "full: $scale_routes routes from r2"
  cpu_start
  prefixes "$scale_routes" | announce
  becomes 60 "the chip has them" chip_has "$scale_routes"
  becomes 60 "r3 has them" r3_has "$scale_routes"
  cpu_report
  is "the bridge takes no more of the processor than zebra" no_more_than fpm zebra
  cpu_start
  prefixes "$scale_routes" | withdraw
  becomes 90 "withdrawn, and gone from r3" r3_has 0
  becomes 30 "and from the chip" not chip_has 500
  cpu_report
}

scale_paused() {
  local before after
  title "paused: the same with a chip that is paused for 10 s in the middle"
  before=$(memory r1 fpm)
  cpu_start
  ctl asic pause >/dev/null
  prefixes "$scale_routes" | announce
  sleep 10
  after=$(memory r1 fpm)
  say "        the bridge: $before MiB before, $after MiB after 10 s, $((after > before ? (after - before) * 1048576 / scale_routes : 0)) bytes a route"
  is "no more than 2 KiB a route" test "$(((after - before) * 1048576 / scale_routes))" -le 2048
  is "none of them is at r3" r3_has 0
  ctl asic resume >/dev/null
  becomes 60 "resumed, and the chip has them" chip_has "$scale_routes"
  becomes 60 "r3 has them" r3_has "$scale_routes"
  say "        the bridge: $(memory r1 fpm) MiB, at most $(memory r1 fpm peak) MiB"
  cpu_report
}
