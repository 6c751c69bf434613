// Package conformance is the executable specification of vasic: what a Linux kernel with the netdevsim driver did, operation by
// operation, and the tests that replay it against a real server through the real command line; and scripts that say what a real switch has
// to do.
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
// of requests with the hardware flags that another run shows; any order in runs with a star and in class race. How long the buckets of a
// resilient group have been idle depends on how fast the recorder was, so the times behind idle_time in the output of `nexthop bucket show`
// are left out of the comparison on both sides.
//
// Recordings that are not in testdata can be replayed as they are:
//
//	go test ./conformance -run TestRawTraces -raw DIR         (or VASIC_RAW_TRACES=DIR; an absolute path)
//
// Differences lists what vasic does otherwise on purpose, and the tests fail when it is no longer true. testdata/differences holds vasic's
// own outcome of each step that differs; it is checked as exactly as the kernel's, and `-update` rewrites it. Traces of class host are about
// moving devices between namespaces and are skipped.
//
// # Scripts
//
// testdata/script says what the other profiles do, which no kernel can be asked for: the rules of a real switch's driver (the numbers 9.1 to
// 9.10 are those of the source reading of mlxsw that vasic is built from), the story of a route whose neighbours fail and return, and
// interleavings of requests and hardware that have been bugs elsewhere, with the chip paused in the middle. A script is a txtar archive whose
// comment is read like a trace:
//
//	# SEMANTICS 9.6: the rule in plain words.
//	profile switch                    a shipped profile, or a file of the archive
//	notify 0 1 2                      settings of fib_notify_on_flag_change to run with; otherwise 0
//	link d1 10.0.1.1/24               a link that is up, with addresses; there may be several
//	seed 1                            these four are optional: of all chance;
//	latency 1ms                       of an operation of hardware;
//	neighbors auto 2s                 gateways resolve by themselves; otherwise manual;
//	resources IPv4/fib groups         resources whose changes are told
//
//	setup
//	   vasicctl route add 192.0.2.0/24 via 10.0.1.2
//
//	# What comes next.
//	$ vasicctl neigh add 10.0.1.2 dev d1 nud permanent
//	1  > NEWROUTE - - unicast 192.0.2.0/24 via 10.0.1.2 dev d1 … offload rt_offload
//	   - unicast 192.0.2.0/24 via 10.0.1.2 dev d1 … rt_trap
//	   + unicast 192.0.2.0/24 via 10.0.1.2 dev d1 … offload rt_offload
//
//	$ wait 2s
//
//	$ for 1 600 vasicctl route add 198.18.{hi}.{lo} dev d1
//	   > 600 × NEWROUTE EXCL|CREATE req
//
// Lines below a command say its whole outcome, as in traces, except that output stands as it is behind 1: and 2:, without spaces at ends of
// lines, and that many notifications or routes are counted by their flags. `for` is a batch with a line for each number; {i} is the number,
// {hi} and {lo} are its bytes. Each setting has a switch and a bubble of virtual time of its own; a step takes 600 ms at least and ends when
// nothing has happened for 300 ms. New scripts are written without outcomes;
//
//	go test ./conformance -run TestScripts -update
//
// fills in what vasic does, which then has to be read against the rule.
//
// TestProductTable goes through all combinations of type, link, neighbour and next hops of a route with the rules of section 9 written down
// once more, as short functions. Properties that hold after anything at all are in property_test.go: no difference between software and
// hardware that no flag tells, and one recording for one seed.
package conformance
