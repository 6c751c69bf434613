package cli

// Usage texts, in the form of iproute2's.
const (
	usageTop = `Usage: vasicctl [ OPTIONS ] OBJECT { COMMAND | help }
       vasicctl [ -force ] -batch { FILE | - }
where  OBJECT := { route | nexthop | rule | address | link | vrf | neighbor |
                   monitor | sysctl | resource | reload | asic | fault | lookup |
                   audit | exposure | record | replay | status | completion | help }
       OPTIONS := { -4 | -6 | -f[amily] { inet | inet6 } | -d[etails] | -j[son] |
                    -p[retty] | -o[neline] | -br[ief] | -s[tatistics] |
                    -t[imestamp] | -ts[hort] | -b[atch] FILE | -force | -V[ersion] |
                    -h[elp] | --server { HOST:PORT | unix:///PATH } | --insecure |
                    --tls-ca FILE | --tls-cert FILE | --tls-key FILE }
Environment: VASIC_SERVER VASIC_INSECURE VASIC_TLS_CA VASIC_TLS_CERT VASIC_TLS_KEY
Exit status: 0 done, 1 wrong command line, 2 refused by the switch or not reached; what
is refused of reload, resource and sysctl has 1, as with devlink and sysctl`

	usageRoute = `Usage: vasicctl route { list | flush } SELECTOR
       vasicctl route list SELECTOR reason
       vasicctl route get ADDRESS [ tos TOS ] [ table TABLE_ID ] [ vrf NAME ]
                                  [ fibmatch ]
       vasicctl route { add | del | change | append | prepend | replace } ROUTE [ --wait ]
       vasicctl route load { FILE | - } [ COMMAND ] [ TYPE ] [ via ADDRESS[,ADDRESS]... ]
                           [ dev STRING ] [ OPTIONS ] [ --no-wait ]
SELECTOR := [ root PREFIX ] [ match PREFIX ] [ exact PREFIX ]
            [ table TABLE_ID ] [ proto RTPROTO ] [ type TYPE ]
            [ scope SCOPE ] [ tos TOS ] [ metric METRIC ]
            [ dev STRING ] [ via PREFIX ] [ src PREFIX ]
            [ vrf NAME ] [ nhid ID ]
ROUTE := NODE_SPEC [ INFO_SPEC ]
NODE_SPEC := [ TYPE ] PREFIX [ from PREFIX ] [ tos TOS ]
             [ table TABLE_ID ] [ vrf NAME ] [ proto RTPROTO ]
             [ scope SCOPE ] [ metric METRIC ]
INFO_SPEC := { NH | nhid ID } OPTIONS [ nexthop NH ]...
NH := [ via [ FAMILY ] ADDRESS ] [ dev STRING ] [ weight NUMBER ] [ onlink ]
FAMILY := [ inet | inet6 ]
OPTIONS := [ src ADDRESS ] [ mtu [ lock ] NUMBER ] [ advmss NUMBER ]
           [ rtt TIME ] [ rttvar TIME ] [ reordering NUMBER ]
           [ window NUMBER ] [ cwnd NUMBER ] [ initcwnd NUMBER ]
           [ ssthresh NUMBER ] [ rto_min TIME ] [ hoplimit NUMBER ]
           [ initrwnd NUMBER ] [ quickack BOOL ] [ pref medium ]
TYPE := { unicast | local | broadcast | anycast | multicast | throw |
          unreachable | prohibit | blackhole }
TABLE_ID := [ local | main | default | all | NUMBER ]
SCOPE := [ host | link | site | global | NUMBER ]
RTPROTO := [ kernel | boot | static | zebra | bird | bgp | ... | NUMBER ]
TIME := NUMBER[s|ms]
BOOL := [1|0]
With "reason" a list also has what ip has no words for: why hardware does not carry a
route, and whether it follows an older one ("reason table_full older_in_hardware"; as
JSON failure_reason and older_in_hardware). "vasicctl fault help" has the reasons.
FILE := a prefix a line, or routes as "vasicctl route list" prints them, or
        commands "route add ROUTE", or the prefixes of an MRT table dump; plain,
        gzip or bzip2. Routes without a gateway of their own take those behind
        "via" in turn.`

	usageAddr = `Usage: vasicctl address { add | del } PREFIX dev IFNAME [ nodad ]
       vasicctl address [ show [ dev IFNAME ] [ to PREFIX ] [ type TYPE ] [ up ]
                               [ vrf NAME | master DEVICE | nomaster ] ]
TYPE := { dummy | vrf | loopback }`

	usageLink = `Usage: vasicctl link add [ name ] NAME [ type { dummy | vrf table TABLE_ID } ]
       vasicctl link delete [ dev ] DEVICE
       vasicctl link set [ dev ] DEVICE [ { up | down } ] [ carrier { on | off } ]
                               [ { master DEVICE | vrf NAME | nomaster } ]
       vasicctl link show [ [ dev ] DEVICE ] [ up ] [ type TYPE ]
                          [ vrf NAME | master DEVICE | nomaster ]
TYPE := { dummy | vrf | loopback }`

	usageLinkVRF = "Usage: ... vrf table TABLEID"

	usageVRF = `Usage: vasicctl vrf [ show [ NAME ] ]`

	usageNeigh = `Usage: vasicctl neigh { add | del | change | replace }
                      ADDR [ lladdr LLADDR ] [ nud STATE ] dev DEV
       vasicctl neigh { show | flush } [ to PREFIX ] [ dev DEV ] [ nud STATE ]
                      [ vrf NAME | nomaster ]
       vasicctl neigh get ADDR dev DEV
STATE := { delay | failed | incomplete | noarp | none |
           permanent | probe | reachable | stale }
An entry is permanent unless it says otherwise.`

	usageNextHop = `Usage: vasicctl nexthop { list | flush } [ protocol ID ] SELECTOR
       vasicctl nexthop { add | replace } id ID NH [ protocol ID ]
       vasicctl nexthop { get | del } id ID
       vasicctl nexthop bucket list BUCKET_SELECTOR
       vasicctl nexthop bucket get id ID index INDEX
SELECTOR := [ id ID ] [ dev DEV ] [ vrf NAME ] [ master DEV ] [ groups ]
BUCKET_SELECTOR := [ id ID ] [ dev DEV ] [ vrf NAME ] [ master DEV ] [ nhid ID ]
NH := { blackhole | [ via ADDRESS ] [ dev DEV ] [ onlink ] |
        group GROUP [ type TYPE [ TYPE_ARGS ] ] }
GROUP := <id[,weight]>/<id[,weight]>/...
TYPE := { mpath | resilient }
TYPE_ARGS := [ buckets BUCKETS ] [ idle_timer SECONDS ]
             [ unbalanced_timer SECONDS ]`

	usageRule = `Usage: vasicctl rule { add | del } [ from all ] [ pref NUMBER ] [ table TABLE_ID ]
       vasicctl rule flush [ SELECTOR ]
       vasicctl rule [ list [ SELECTOR ] ]
SELECTOR := [ pref NUMBER ] [ table TABLE_ID ] [ proto PROTO ]
TABLE_ID := [ local | main | default | NUMBER ]`

	usageMonitor = `Usage: vasicctl monitor [ all | route | nexthop ] [ label ] [ dev DEVICE ]
                       [ reason ] [ --from REVISION ] [ --count NUMBER ]
With -s each event has its revision; with -t or -ts the time it was published.
"all" and "label" put [ROUTE] or [NEXTHOP] in front of each event. "reason" adds why
hardware does not carry a route.`

	usageSysctl = `Usage: vasicctl sysctl [ -aenNqw ] KEY[=VALUE]...
KEY := { net.ipv4.fib_notify_on_flag_change | net.ipv6.fib_notify_on_flag_change |
         net.ipv4.conf.all.ignore_routes_with_linkdown |
         net.ipv6.conf.all.ignore_routes_with_linkdown |
         net.ipv6.route.skip_notify_on_dev_down |
         net.ipv4.nexthop_compat_mode |
         vasic.neighbor_resolution | vasic.neighbor_resolution_delay |
         vasic.retry_failed | vasic.programming_latency |
         vasic.latency_distribution | vasic.latency_spread |
         vasic.latency_per_next_hop | vasic.max_operations_per_second }
fib_notify_on_flag_change is 0, 1 or 2; neighbor_resolution is auto or manual; latency_distribution is constant, uniform,
normal or exponential; delay, latencies and spread are times such as 1.5ms, up to 1h.`

	usageDevice = `Usage: vasicctl resource show
       vasicctl resource set [ path ] PATH size { NUMBER | unlimited }
       vasicctl reload
PATH := { IPv4/fib | IPv4/fib-rules | IPv6/fib | IPv6/fib-rules | nexthops |
          groups | group-members | hosts | memory }
The last four are only on chips that have them: groups of next hops, their slots, and
neighbours (all profiles but netdevsim), and a memory that tables share (a profile that
says so). A new size takes effect at the next reload.`

	usageChip = `Usage: vasicctl asic { show | pause | step [ NUMBER ] | resume }
       vasicctl asic queue [ limit NUMBER ]
       vasicctl status
"step" lets a paused chip do so many operations; "stalled" means that a fault rule holds
the next one. "queue" also lists what is no operation (links, neighbours), which the
length of the queue does not count. "waiting_for_room" are routes that failed because a
table was full; vasic.retry_failed=1 has them programmed again when there is room.
"undeleted" are entries whose delete failed.`

	usageFault = `Usage: vasicctl fault [ show ]
       vasicctl fault set FAULT { on | off }
       vasicctl fault add [ [ prefix ] PREFIX ] [ family { inet | inet6 } ]
                          [ table TABLE_ID | vrf NAME ] [ op OPERATION ]
                          EFFECT [ TURN ]
       vasicctl fault del { ID | all }
FAULT := { fail_route_offload | fail_route_delete | fail_reload | dont_allow_reload }
OPERATION := { add | replace | append | delete | nexthop }
EFFECT := { fail [ reason REASON ] | delay TIME | stall }
REASON := { injected | table_full | unsupported | hardware_error }
TURN := { first NUMBER | every NUMBER | probability FRACTION }
The first rule that matches an operation, and whose turn it is, has its effect. PREFIX
holds all within it; of nexthop operations it is compared with gateways. TIME is in
milliseconds, or with units as 1m30s or 20us, and at most 1h.`

	usageAudit = `Usage: vasicctl lookup { ADDRESS... | -f { FILE | - } }
                       [ table TABLE_ID | vrf NAME ]
       vasicctl audit [ table TABLE_ID | vrf NAME ] [ root PREFIX ]
                      [ verdict VERDICT ]... [ limit NUMBER ] [ check ]
VERDICT := { consistent | pending | trapped | blackholed | misrouted }
FILE has an address a line, plain or gzip. Both routes, with the reason if hardware has
not taken one, are shown where they differ; with -d everywhere. A difference that the flags of the route do
not tell of is marked "silent". With "check" the exit status is 2 unless every prefix
is consistent, or trapped with the flag that says so.`

	usageExposure = `Usage: vasicctl exposure [ live ] [ for TIME ] [ until synced ] [ SELECTION ]
       vasicctl exposure from FILE [ SELECTION ]
SELECTION := [ root PREFIX ] [ table TABLE_ID | vrf NAME ] [ proto RTPROTO ]
             [ top { NUMBER | all } ]
A prefix is exposed while software forwards by a route for it that hardware does not
carry; the time from then until hardware has it is a window. Routes that hardware is not
asked for (local, unreachable, behind a better one, IPv6 multicast…) do not count.
"prefixes" had a route. Windows open because a route is "added", "replaced" (which a
delete of the better route is, too) or "lost" by hardware; in "failed" ones hardware
refused it. "gaps" is how often events were lost; windows end there.
Live it is measured until TIME has passed, an interrupt comes or, with "until synced",
nothing is exposed (any more). A FILE is read to its end; it is made by "vasicctl record". Both need
net.ipv4.fib_notify_on_flag_change=1, for IPv6 net.ipv6.fib_notify_on_flag_change=1.`

	usageRecord = `Usage: vasicctl record { FILE | - } [ for TIME ] [ force ]
       vasicctl record show FILE
       vasicctl replay FILE [ speed { recorded | full } ] [ force ]
A recording goes on until TIME has passed or an interrupt comes; FILE is packed if its
name ends in .gz. "force" overwrites a file that exists, and replays against a switch
that is not fresh or has another profile or seed. A replay has exit status 2 if the
switch does anything else than it did when it was recorded. What was recorded does not
depend on speed, but for one thing: buckets of resilient next-hop groups, which move
when they have been idle for long enough.`
)
