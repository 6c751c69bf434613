# shellcheck shell=bash
# The lab's routers and daemons: how they are wired, started, asked and stopped. Sourced by run, which makes the namespaces.
# Set by run: here, scratch (a folder of this run), bin (the tree's binaries), frr (the folder that FRR is run in).

daemons=(mgmtd zebra bgpd)
fpm_options=()
vasicd_options=(--ipv4-notify-on-flag-change 1 --ipv6-notify-on-flag-change 1)

# lab_up makes the routers and starts everything.
lab_up() {
  local router
  mount -t tmpfs tmpfs /run
  mkdir /run/netns
  if [[ $frr != / ]]; then
    mount -t tmpfs tmpfs "$frr/run"
    mount -t proc proc "$frr/proc"
    mount --rbind /dev "$frr/dev"
  fi
  mount -t tmpfs tmpfs "$frr/etc/frr"
  mount -t tmpfs tmpfs "$frr/var/lib/frr"
  for router in r1 r2 r3; do
    ip netns add "$router"
    ip -n "$router" link set lo up
  done
  link r2 10.0.12.2/24 2001:db8:12::2/64 r1 10.0.12.1/24 2001:db8:12::1/64
  link r2 10.0.22.2/24 2001:db8:22::2/64 r1 10.0.22.1/24 2001:db8:22::1/64 b
  link r3 10.0.13.3/24 2001:db8:13::3/64 r1 10.0.13.1/24 2001:db8:13::1/64

  start_vasicd
  start_fpm
  for router in r2 r3 r1; do
    start_frr "$router"
  done
}

# link joins two routers; in each the interface has the other's name and the suffix.
link() {
  local left=$1 left4=$2 left6=$3 right=$4 right4=$5 right6=$6 suffix=${7:-}
  ip -n "$left" link add "$right$suffix" type veth peer name "$left$suffix" netns "$right"
  ip -n "$left" address add "$left4" dev "$right$suffix"
  ip -n "$left" address add "$left6" dev "$right$suffix" nodad
  ip -n "$right" address add "$right4" dev "$left$suffix"
  ip -n "$right" address add "$right6" dev "$left$suffix" nodad
  ip -n "$left" link set "$right$suffix" up
  ip -n "$right" link set "$left$suffix" up
}

# in_router runs a command in a router's network.
in_router() {
  local router=$1
  shift
  nsenter --net="/run/netns/$router" "$@"
}

# start runs a command in a router's network until stop, its output in a log.
start() {
  local router=$1 name=$2
  shift 2
  mkdir -p "$scratch/pids"
  nsenter --net="/run/netns/$router" "$@" >>"$scratch/$router-$name.log" 2>&1 </dev/null &
  echo $! >"$scratch/pids/$router-$name"
  disown $! # so that bash has nothing to say when it is killed
}

# pid prints the process id of what start has started.
pid() {
  cat "$scratch/pids/$1-$2" 2>/dev/null
}

# stop ends it, with a signal (TERM unless said), and waits until it has ended.
stop() {
  local id begin signal=${3:-TERM}
  id=$(pid "$1" "$2")
  kill "-$signal" "$id"
  begin=$SECONDS
  while [[ -d /proc/$id && $(ps_state "$id") != Z ]]; do
    if ((SECONDS - begin > 15)); then
      say "  $1's $2 does not stop; killed"
      kill -KILL "$id"
      return 1
    fi
    sleep 0.02
  done
}

# ps_state prints the state of a process, Z for one that has ended and is not waited for yet.
ps_state() {
  sed 's/.*) \(.\).*/\1/' "/proc/$1/stat" 2>/dev/null || echo Z
}

alive() {
  local id
  id=$(pid "$1" "$2") && [[ -d /proc/$id && $(ps_state "$id") != Z ]]
}

start_vasicd() {
  start r1 vasicd "$bin/vasicd" "${vasicd_options[@]}" "$@"
  patiently 10 "vasicd serves" ctl status
}

start_fpm() {
  start r1 fpm "$bin/vasic-fpm" "${fpm_options[@]}" "$@"
}

# start_frr starts a router's daemons and gives them their configuration, as FRR's own start script does.
start_frr() {
  local router=$1 daemon owner
  owner=$(awk -F: '$1 == "frr" { print $3 ":" $4 }' "$frr/etc/passwd")
  for daemon in run/frr etc/frr var/lib/frr; do
    mkdir -p "$frr/$daemon/$router"
    chown "$owner" "$frr/$daemon" "$frr/$daemon/$router"
  done
  : >"$frr/etc/frr/$router/vtysh.conf"
  : >"$frr/etc/frr/$router/frr.conf"
  for daemon in "${daemons[@]}"; do
    alive "$router" "$daemon" || start_daemon "$router" "$daemon"
  done
  configure "$router"
}

# start_daemon starts one FRR daemon and waits until it can be asked.
start_daemon() {
  local router=$1 daemon=$2 options=()
  [[ $daemon != zebra ]] || options=(--nl-bufsize 90000000) # as in Debian's package, so that no burst of the kernel's is lost
  [[ $router$daemon != r1zebra ]] || options+=(-M dplane_fpm_nl --asic-offload=notify_on_offload)
  start "$router" "$daemon" chroot "$frr" "/usr/lib/frr/$daemon" -N "$router" --log stdout --log-level informational "${options[@]}"
  patiently 10 "$router's $daemon answers" vty_of "$router" "$daemon" "show version"
}

# configure gives a router its configuration.
configure() {
  local router=$1
  cp "$here/conf/$router.conf" "$frr/etc/frr/$router/frr.conf"
  [[ $router != r1 ]] || sed -i "s/^ bgp suppress-fib-pending$/ $(suppress_line)/" "$frr/etc/frr/$router/frr.conf"
  chroot_in "$router" vtysh -N "$router" -f "/etc/frr/$router/frr.conf" >>"$scratch/$router-vtysh.log" 2>&1
}

# suppress_line prints how bgpd is told to wait for the ASIC. From 10.7 on the time for which it collects answers can be had shorter than a
# second, which makes the lab quicker and changes nothing else. (Not 0: with that, bgpd 10.7.1 now and then takes a prefix for advertised
# that it never sent.)
suppress_line() {
  if printf '%s\n' 10.7 "$(frr_version)" | sort -CV; then
    echo bgp suppress-fib-pending 100
  else
    echo bgp suppress-fib-pending
  fi
}

frr_version() {
  chroot_in r1 /usr/lib/frr/zebra --version | sed -n '1s/^zebra version \([0-9.]*\).*/\1/p'
}

chroot_in() {
  local router=$1
  shift
  timeout 30 nsenter --net="/run/netns/$router" chroot "$frr" "$@" </dev/null
}

# vty_of prints what one of a router's daemons answers to commands, each an argument.
vty_of() {
  local router=$1 daemon=$2 command arguments=()
  shift 2
  for command; do
    arguments+=(-c "$command")
  done
  chroot_in "$router" vtysh -N "$router" -d "$daemon" "${arguments[@]}"
}

# ctl is vasicctl for r1's chip.
ctl() {
  in_router r1 timeout 20 "$bin/vasicctl" "$@"
}

# linger keeps the lab until the script is ended, and says how to look around.
linger() {
  say "The lab goes on until Ctrl-C. From another terminal, as root:"
  say "  $scratch/in r1 vtysh"
  say "  $scratch/in r1 vasicctl route show proto bgp"
  say "  $scratch/in r2 ip route add blackhole 198.51.100.0/24"
  say "  $scratch/in r3 vtysh -c 'show bgp ipv4 unicast'"
  sleep infinity
}

# write_in writes the command that linger speaks of; its argument is the process whose namespaces the lab is in.
write_in() {
  cat >"$scratch/in" <<END
#!/bin/sh
# in ROUTER COMMAND: runs it there. vtysh and vasicctl are those of the lab.
router=\$1
shift
case \$1 in
  vtysh)
    shift
    set -- chroot $frr vtysh -N "\$router" "\$@"
    ;;
  vasicctl)
    shift
    set -- $bin/vasicctl "\$@"
    ;;
esac
exec nsenter --mount=/proc/$1/ns/mnt --pid=/proc/$1/ns/pid_for_children nsenter --net=/run/netns/"\$router" "\$@"
END
  chmod +x "$scratch/in"
}
