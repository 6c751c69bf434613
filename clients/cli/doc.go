// Package cli is the command line of a vasic switch. It speaks iproute2: the same words in the same order, the same
// abbreviations, the same lines and JSON keys on standard output and the same error words on standard error, so that hands and
// scripts that know ip, devlink and sysctl know it too.
//
//	vasicctl [OPTIONS] OBJECT COMMAND…
//
// Objects: route, nexthop, rule, address, link, vrf, neighbor and monitor are ip's; resource and reload are devlink's; sysctl is
// procps'; asic, fault, lookup, audit, exposure, record, replay, status and completion are of this switch only. `vasicctl help`
// and `vasicctl OBJECT help` say more.
//
// # Exit codes
//
//	0  done
//	1  wrong command line; also what ip finds out by itself (an unknown device), and what the switch refuses to reload, resource and
//	   sysctl, because devlink and sysctl leave with 1
//	2  refused by the switch, or the switch cannot be reached; with -batch and route load: one line or more was refused; with
//	   audit check and replay: a difference was found
//
// ip itself leaves with 255 for some wrong command lines and for help; here those are 1 and, for help that was asked for, 0.
//
// # Where the switch is
//
// --server, else VASIC_SERVER, else 127.0.0.1:50151: host:port or unix:///path. Beyond loopback the connection uses TLS
// (--tls-ca, --tls-cert, --tls-key or VASIC_TLS_CA, VASIC_TLS_CERT, VASIC_TLS_KEY) unless --insecure or VASIC_INSECURE=1 asks for
// plain text.
//
// # Concurrency
//
// Run and Env.Run keep no state between calls; several may run at the same time if they do not share their writers.
package cli
