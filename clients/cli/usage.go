package cli

// Usage texts, in the form of iproute2's.
const (
	usageTop = `Usage: vasicctl [ OPTIONS ] OBJECT { COMMAND | help }
       vasicctl [ -force ] -batch { FILE | - }
where  OBJECT := { route | address | link | monitor | sysctl | resource | reload |
                   asic | fault | status | completion | help }
       OPTIONS := { -4 | -6 | -f[amily] { inet | inet6 } | -d[etails] | -j[son] |
                    -p[retty] | -o[neline] | -br[ief] | -s[tatistics] |
                    -t[imestamp] | -ts[hort] | -b[atch] FILE | -force | -V[ersion] |
                    -h[elp] | --server { HOST:PORT | unix:///PATH } | --insecure |
                    --tls-ca FILE | --tls-cert FILE | --tls-key FILE }
Environment: VASIC_SERVER VASIC_INSECURE VASIC_TLS_CA VASIC_TLS_CERT VASIC_TLS_KEY
Exit status: 0 done, 1 wrong command line, 2 refused by the switch or not reached`

	usageRoute = `Usage: vasicctl route { list | flush } SELECTOR
       vasicctl route get ADDRESS [ tos TOS ] [ table TABLE_ID ] [ fibmatch ]
       vasicctl route { add | del | change | append | prepend | replace } ROUTE [ --wait ]
       vasicctl route load { FILE | - } [ COMMAND ] [ TYPE ] [ via ADDRESS[,ADDRESS]... ]
                           [ dev STRING ] [ OPTIONS ] [ --no-wait ]
SELECTOR := [ root PREFIX ] [ match PREFIX ] [ exact PREFIX ]
            [ table TABLE_ID ] [ proto RTPROTO ] [ type TYPE ]
            [ scope SCOPE ] [ tos TOS ] [ metric METRIC ]
            [ dev STRING ] [ via PREFIX ] [ src PREFIX ]
ROUTE := NODE_SPEC [ INFO_SPEC ]
NODE_SPEC := [ TYPE ] PREFIX [ from PREFIX ] [ tos TOS ]
             [ table TABLE_ID ] [ proto RTPROTO ]
             [ scope SCOPE ] [ metric METRIC ]
INFO_SPEC := NH OPTIONS [ nexthop NH ]...
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
FILE := a prefix a line, or routes as "vasicctl route list" prints them, or
        commands "route add ROUTE"; plain or gzip. FILE's routes without a gateway
        of their own take those behind "via" in turn.`

	usageAddr = `Usage: vasicctl address { add | del } PREFIX dev IFNAME [ nodad ]
       vasicctl address [ show [ dev IFNAME ] [ to PREFIX ] [ type TYPE ] [ up ] ]
TYPE := { dummy | loopback }`

	usageLink = `Usage: vasicctl link add [ name ] NAME [ type dummy ]
       vasicctl link delete [ dev ] DEVICE
       vasicctl link set [ dev ] DEVICE [ { up | down } ] [ carrier { on | off } ]
       vasicctl link show [ [ dev ] DEVICE ] [ up ] [ type TYPE ]
TYPE := { dummy | loopback }`

	usageMonitor = `Usage: vasicctl monitor [ all | route ] [ label ] [ dev DEVICE ]
                       [ --from REVISION ] [ --count NUMBER ]
With -s each event has its revision; with -t or -ts the time it was published.
"all" and "label" put [ROUTE] in front of each event.`

	usageSysctl = `Usage: vasicctl sysctl [ -aenNqw ] KEY[=VALUE]...
KEY := { net.ipv4.fib_notify_on_flag_change | net.ipv6.fib_notify_on_flag_change |
         net.ipv4.conf.all.ignore_routes_with_linkdown |
         net.ipv6.conf.all.ignore_routes_with_linkdown |
         net.ipv6.route.skip_notify_on_dev_down }`

	usageDevice = `Usage: vasicctl resource show
       vasicctl resource set [ path ] PATH size { NUMBER | unlimited }
       vasicctl reload
PATH := { IPv4/fib | IPv4/fib-rules | IPv6/fib | IPv6/fib-rules | nexthops }
A new size takes effect at the next reload.`

	usageChip = `Usage: vasicctl asic { show | pause | step [ NUMBER ] | resume }
       vasicctl fault [ show ]
       vasicctl fault set FAULT { on | off }
       vasicctl status
FAULT := { fail_route_offload | fail_route_delete | fail_reload | dont_allow_reload }`
)
