// Package conformance is the executable specification of vasic: what a Linux kernel with the netdevsim driver did, operation by
// operation, and the tests that replay it against a real server through the real command line.
//
// # Traces
//
// testdata/kernel holds one trace for each scenario and family, in the text form that Format writes and Parse reads. A trace has a
// setup, a baseline and steps, and one run for each setting of fib_notify_on_flag_change under which it was recorded:
//
//	# Add one gateway route.
//	trace route-add-gw.v4 basic must
//	kernel 6.1.192 iproute2 6.1.0
//	runs 0 1* 2                       a star: the kernel itself sends the same messages in another order from run to run
//
//	setup
//	   @links                         common lines, see common.txt
//	   ip -4 route add 203.0.113.0/24 via 10.0.2.2
//
//	baseline
//	   @connected4
//	   unicast 203.0.113.0/24 via 10.0.2.2 dev d2 table main proto boot scope global rt_trap
//	   = IPv4/fib 13/unlimited         occupancy and size
//
//	$ ip -4 route add 192.0.2.0/24 via 10.0.1.2
//	   ! 2 EEXIST                      exit code, if not 0, and errno
//	   1: "…\n"                        a line of standard output
//	   2: "…\n"                        a line of standard error
//	   > NEWROUTE EXCL|CREATE req …    a notification: message, netlink flags, whether a request caused it, text of `ip -d monitor`
//	1  > NEWROUTE - - …                the same, only in the run with notify=1
//	   ~1 NEWROUTE - - …               notifications of the first other outcome that was seen for this step
//	   - unicast …                     a route that went
//	   + unicast …                     a route that came
//	   = IPv4/fib 14/unlimited         a resource that changed
//
// Routes are members of `ip -j -d route show table all` as Route spells them. New recordings are converted with
//
//	go run ./conformance/convert DIR
//
// where DIR holds raw JSON traces; they may be dropped in at any time.
//
// # Replay
//
// `go test ./conformance` replays every trace, each run in a bubble of virtual time with a server of profile netdevsim of its own. Every
// command goes through the code of vasicctl; a step is over when nothing has happened for 300 ms. Then exit code, errno, standard output,
// standard error, notifications, routes that went and came, and resources must be as recorded, and so must the baseline with the order of
// its routes. Besides, a copy of the routes that is kept by a watch must be equal to a listing.
//
// The kernel programs hardware beside the requests, and so does vasic. Legal are therefore: notifications of requests and devices
// interleaved otherwise with those of flag changes, if both are in their own order; any of the other outcomes that were recorded; messages
// of requests with the hardware flags that another run shows; any order in runs with a star and in class race.
//
// Recordings that are not in testdata can be replayed as they are:
//
//	go test ./conformance -run TestRawTraces -raw DIR         (or VASIC_RAW_TRACES=DIR; an absolute path)
//
// Two lists say what does not match, and the tests fail when one of them is no longer true: pending has the scenarios that need what the
// switch does not have yet, Differences what vasic does otherwise on purpose. testdata/differences holds vasic's own outcome of each step
// that differs; it is checked as exactly as the kernel's, and `-update` rewrites it. Traces of class host are about moving devices between
// namespaces and are skipped.
package conformance
