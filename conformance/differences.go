package conformance

// Difference is something that vasic does otherwise than the kernel and netdevsim on purpose, in profile netdevsim. Each was seen in
// traces of class quirk. testdata/differences has, for each step of a trace that comes out otherwise, its name and what vasic does.
type Difference struct {
	Name   string
	Kernel string // what the kernel does
	Vasic  string // what vasic does
	Reason string
}

// Differences are all of them. The tests fail if one of them is no longer seen, and if vasic differs in any other way.
var Differences = []Difference{
	{
		Name:   "promotion-when-full",
		Kernel: "When a table is full and the route in hardware is deleted, the next route of the prefix is refused by the accounting; nobody hears of it (IPv4: a warning), and hardware keeps the deleted route.",
		Vasic:  "The next route takes the place of the one that leaves.",
		Reason: "It needs no room. A route that is not in hardware while a dead one is cannot be wanted by any test.",
	},
	{
		Name:   "same-route-again",
		Kernel: "When hardware is given the very route that it has (promotion after a lower-metric route failed), netdevsim clears the flags of the \"old\" route, which is the new one: it ends in hardware without a flag.",
		Vasic:  "The route keeps its flags, and nothing changes.",
		Reason: "Flags say what hardware has.",
	},
	{
		Name:   "head-after-sibling",
		Kernel: "A device-only IPv6 route between two siblings becomes the first of its prefix when the first sibling is deleted, but the driver is not told: hardware keeps the siblings, and the route never gets a flag.",
		Vasic:  "The route that has become first is programmed and takes the place of the siblings, which lose their flags.",
		Reason: "Hardware has the first route of a prefix; that is the rule that every watcher relies on.",
	},
	{
		Name:   "route-hidden-in-dump",
		Kernel: "A dump of IPv6 routes goes on behind the last sibling, so a device-only route that stands between two siblings is not shown.",
		Vasic:  "Every route is listed.",
		Reason: "What is not listed cannot be found.",
	},
	{
		Name:   "veto-costs-nothing",
		Kernel: "A refused IPv6 multipath add takes back one row for each of its next hops, though none was counted: from then on the table holds more than its size.",
		Vasic:  "A refused add changes no occupancy.",
		Reason: "The size of a table is what tests of a full table rely on. The later steps of the trace follow from it: vasic's table is still full.",
	},
}
