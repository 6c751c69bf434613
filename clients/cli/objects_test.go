package cli

import (
	"strings"
	"testing"

	"google.golang.org/grpc/codes"

	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
)

const (
	multipath = vasicv1.NextHopGroupType_NEXT_HOP_GROUP_TYPE_MULTIPATH
	resilient = vasicv1.NextHopGroupType_NEXT_HOP_GROUP_TYPE_RESILIENT
)

// object1 is a next hop, group10 a group and group11 a resilient group.
var (
	object1 = &vasicv1.NextHopObject{Id: 1, Family: family4, Gateway: "10.0.1.2", Device: "d1", Scope: scopeLink, Trap: true}
	group10 = &vasicv1.NextHopObject{
		Id: 10, Family: family4, GroupType: multipath, Trap: true,
		Group: []*vasicv1.NextHopGroupMember{{Id: 1, Weight: 1}, {Id: 2, Weight: 5}},
	}
	group11 = &vasicv1.NextHopObject{
		Id: 11, Family: family4, GroupType: resilient, Group: []*vasicv1.NextHopGroupMember{{Id: 1, Weight: 3}, {Id: 2, Weight: 1}},
		Resilient: &vasicv1.ResilientParameters{Buckets: ptr(4), IdleTimer: ptr(12000), UnbalancedTimer: ptr(0), UnbalancedTime: 150},
	}
)

// newFakeWithObjects starts a switch with a VRF, to which d2 belongs, neighbours, next-hop objects and rules.
func newFakeWithObjects(t *testing.T) *fake {
	f := newFake(t)
	f.links = append(f.links, &vasicv1.Link{Name: "red", Index: 5, Type: "vrf", Up: true, Carrier: true, Table: 10})
	f.link("d2").Master = "red"
	f.neighbors = []*vasicv1.Neighbor{
		{Address: "10.0.1.2", Device: "d1", Lladdr: "02:00:00:00:00:02", State: vasicv1.NeighborState_NEIGHBOR_STATE_PERMANENT, Offload: true},
		{Address: "10.0.1.3", Device: "d1", State: vasicv1.NeighborState_NEIGHBOR_STATE_NOARP},
		{Address: "10.0.1.4", Device: "d1", State: vasicv1.NeighborState_NEIGHBOR_STATE_NONE},
		{Address: "2001:db8:102::2", Device: "d2", State: vasicv1.NeighborState_NEIGHBOR_STATE_REACHABLE, Automatic: true},
		{Address: "10.0.2.9", Device: "d2", State: vasicv1.NeighborState_NEIGHBOR_STATE_FAILED},
	}
	f.nextHops = []*vasicv1.NextHopObject{
		object1,
		{Id: 2, Family: family4, Gateway: "10.0.2.2", Device: "d2", Scope: scopeLink, Onlink: true, Protocol: 186, Dead: true, Linkdown: true},
		{Id: 3, Family: family4, Device: "d1", Scope: scopeHost, Offload: true},
		{Id: 4, Family: family4, Blackhole: true},
		{Id: 5, Family: family6, Gateway: "2001:db8:101::2", Device: "d1", Scope: scopeLink},
		group10, group11,
	}
	f.buckets = []*vasicv1.Bucket{
		{Id: 11, Index: 0, IdleTime: 116, NextHopId: 2, Trap: true}, {Id: 11, Index: 1, IdleTime: 0, NextHopId: 1, Offload: true},
		{Id: 12, Index: 0, IdleTime: 100, NextHopId: 1},
	}
	f.rules = []*vasicv1.Rule{
		{Family: family4, Priority: ptr(0), Table: tableLocal, Protocol: protocolKernel},
		{Family: family4, Priority: ptr(100), Table: 100},
		{Family: family4, Priority: ptr(1000), L3Mdev: true, Protocol: protocolKernel},
		{Family: family4, Priority: ptr(2000), Table: 101, Protocol: 186},
		{Family: family4, Priority: ptr(32766), Table: tableMain, Protocol: protocolKernel},
		{Family: family6, Priority: ptr(0), Table: tableLocal, Protocol: protocolKernel},
	}
	return f
}

// The wanted lines were recorded from ip of iproute2 6.1.
func TestObjectsPrintAsIpPrintsThem(t *testing.T) {
	f := newFakeWithObjects(t)
	for _, tt := range []struct{ line, want string }{
		{
			"nexthop",
			"id 1 via 10.0.1.2 dev d1 scope link trap \nid 2 via 10.0.2.2 dev d2 scope link proto bgp dead onlink linkdown \nid 3 dev d1 scope host offload \n" +
				"id 4 blackhole \nid 5 via 2001:db8:101::2 dev d1 scope link \nid 10 group 1/2,5 trap \n" +
				"id 11 group 1,3/2 type resilient buckets 4 idle_timer 120 unbalanced_timer 0 unbalanced_time 1.5 \n",
		},
		{
			"-d nexthop show groups",
			"id 10 group 1/2,5 scope global proto unspec trap \n" +
				"id 11 group 1,3/2 type resilient buckets 4 idle_timer 120 unbalanced_timer 0 unbalanced_time 1.5 scope global proto unspec \n",
		},
		{"-d nexthop show id 4", "id 4 scope global blackhole proto unspec \n"},
		{"-4 nexthop list proto bgp", "id 2 via 10.0.2.2 dev d2 scope link proto bgp dead onlink linkdown \n"},
		{"-6 nexthop", "id 5 via 2001:db8:101::2 dev d1 scope link \n"},
		{"nexthop show dev d2", "id 2 via 10.0.2.2 dev d2 scope link proto bgp dead onlink linkdown \n"},
		{"nexthop show vrf red", "id 2 via 10.0.2.2 dev d2 scope link proto bgp dead onlink linkdown \n"},
		{"nexthop show master d1", ""},
		{"-j nexthop get id 4", `[{"id":4,"blackhole":null,"flags":[]}]` + "\n"},
		{"-d -j nexthop show id 2", `[{"id":2,"gateway":"10.0.2.2","dev":"d2","scope":"link","protocol":"bgp","flags":["dead","onlink","linkdown"]}]` + "\n"},
		{"-j nexthop get id 10", `[{"id":10,"group":[{"id":1},{"id":2,"weight":5}],"flags":["trap"]}]` + "\n"},
		{
			"-j -d nexthop get id 11",
			`[{"id":11,"group":[{"id":1,"weight":3},{"id":2}],"type":"resilient","resilient_args":{"buckets":4,"idle_timer":120,"unbalanced_timer":0,` +
				`"unbalanced_time":1.5},"scope":"global","protocol":"unspec","flags":[]}]` + "\n",
		},
		{"nexthop bucket", "id 11 index 0 idle_time 1.16 nhid 2 trap \nid 11 index 1 idle_time 0 nhid 1 offload \nid 12 index 0 idle_time 1 nhid 1 \n"},
		{"nexthop bucket show id 11 nhid 1", "id 11 index 1 idle_time 0 nhid 1 offload \n"},
		{"nexthop bucket show dev d2", "id 11 index 0 idle_time 1.16 nhid 2 trap \n"},
		{"nexthop bucket get id 11 index 0", "id 11 index 0 idle_time 1.16 nhid 2 trap \n"},
		{"-j nexthop bucket get id 11 index 0", `[{"id":11,"bucket":{"index":0,"idle_time":1.16,"nhid":2},"flags":["trap"]}]` + "\n"},

		{"neigh", "10.0.1.2 dev d1 lladdr 02:00:00:00:00:02 offload PERMANENT \n2001:db8:102::2 dev d2 REACHABLE \n10.0.2.9 dev d2 FAILED \n"},
		{"-4 n show dev d1", "10.0.1.2 lladdr 02:00:00:00:00:02 offload PERMANENT \n"},
		{"neigh show nud all dev d1", "10.0.1.2 lladdr 02:00:00:00:00:02 offload PERMANENT \n10.0.1.3 NOARP \n10.0.1.4 \n"},
		{"neigh show nud failed nud noarp", "10.0.1.3 dev d1 NOARP \n10.0.2.9 dev d2 FAILED \n"},
		{"neigh show nud none", "10.0.1.4 dev d1 \n"},
		{"neigh show to 10.0.2.0/24", "10.0.2.9 dev d2 FAILED \n"},
		{"neigh show vrf red nud 2", "2001:db8:102::2 dev d2 REACHABLE \n"},
		{"neigh show nomaster", "10.0.1.2 dev d1 lladdr 02:00:00:00:00:02 offload PERMANENT \n"},
		{"neigh get 10.0.1.4 dev d1", "10.0.1.4 dev d1 \n"},
		{
			"-j neigh show nud all to 10.0.1.0/29",
			`[{"dst":"10.0.1.2","dev":"d1","lladdr":"02:00:00:00:00:02","offload":null,"state":["PERMANENT"]},{"dst":"10.0.1.3","dev":"d1","state":["NOARP"]},` +
				`{"dst":"10.0.1.4","dev":"d1"}]` + "\n",
		},
		{"-s neigh flush dev d2", "\n*** Round 1, deleting 2 entries ***\n*** Flush is complete after 1 round ***\n"},
		{"-s neigh flush nud delay", "Nothing to flush.\n"},
		{"-s -s neigh flush nud permanent", "10.0.1.2 dev d1 lladdr 02:00:00:00:00:02 offload PERMANENT \n\n*** Round 1, deleting 1 entries ***\n*** Flush is complete after 1 round ***\n"},

		{"rule", "0:\tfrom all lookup local\n100:\tfrom all lookup 100\n1000:\tfrom all lookup [l3mdev-table]\n2000:\tfrom all lookup 101 proto bgp\n32766:\tfrom all lookup main\n"},
		{"-d rule show pref 1000", "1000:\tfrom all lookup [l3mdev-table] proto kernel\n"},
		{"-d rule show table 100", "100:\tfrom all lookup 100 proto unspec\n"},
		{"-6 rule list", "0:\tfrom all lookup local\n"},
		{"-j rule show proto bgp", `[{"priority":2000,"src":"all","table":"101","protocol":"bgp"}]` + "\n"},
		{"-j -d rule show pref 1000", `[{"priority":1000,"src":"all","l3mdev":null,"protocol":"kernel"}]` + "\n"},

		{"vrf", "Name              Table\n-----------------------\nred                 10\n"},
		{"-j vrf show", `[{"name":"red","table":10}]` + "\n"},
		{"vrf show red", "red 10\n"},
		{"link show type vrf", "5: red: <NOARP,MASTER,UP,LOWER_UP> state UP \n"},
		{"-d link show type vrf", "5: red: <NOARP,MASTER,UP,LOWER_UP> state UP \n    vrf table 10 \n"},
		{"link show master red", "3: d2: <NO-CARRIER,BROADCAST,NOARP,UP> master red state DOWN \n"},
		{"-d link show d2", "3: d2: <NO-CARRIER,BROADCAST,NOARP,UP> master red state DOWN \n    dummy \n    vrf_slave table 10 \n"},
		{
			"-d -j link show vrf red",
			`[{"ifindex":3,"ifname":"d2","flags":["NO-CARRIER","BROADCAST","NOARP","UP"],"master":"red","operstate":"DOWN","link_type":"ether",` +
				`"linkinfo":{"info_kind":"dummy","info_slave_kind":"vrf","info_slave_data":{"table":10}}}]` + "\n",
		},
		{"-br link show nomaster up", "lo               UNKNOWN        <LOOPBACK,UP,LOWER_UP> \nd1               UP             <BROADCAST,NOARP,UP,LOWER_UP> \nred              UP             <NOARP,MASTER,UP,LOWER_UP> \n"},
	} {
		code, stdout, stderr := f.run(t, tt.line)
		if code != exitDone || stderr != "" {
			t.Errorf("%s: got %d %q", tt.line, code, stderr)
		}
		expect(t, tt.line, stdout, tt.want)
	}
}

func TestObjectsAreRefusedInIpsWords(t *testing.T) {
	f := newFakeWithObjects(t)
	f.refuse["CreateRule"] = refusal(codes.ResourceExhausted, "TABLE_FULL", "ENOSPC", "netdevsim: Exceeded number of supported fib rule entries", "")
	for line, want := range map[string]string{
		"nexthop show id 99":                   "RTNETLINK answers: No such file or directory\n",
		"nexthop del id 99":                    "RTNETLINK answers: No such file or directory\n",
		"nexthop del":                          "Error: Nexthop id is missing.\n",
		"nexthop bucket get id 11 index 9":     "Error: Bucket index out of bounds.\n",
		"nexthop bucket show id 99":            "Dump terminated\n",
		"neigh change 10.0.1.99 dev d1":        "RTNETLINK answers: No such file or directory\n",
		"neigh get 10.0.1.99 dev d1":           "Error: Neighbour entry not found.\n",
		"neigh del 10.0.1.99 dev d1":           "RTNETLINK answers: No such file or directory\n",
		"rule add pref 100 table 100":          "Error: netdevsim: Exceeded number of supported fib rule entries.\n",
		"rule add from 10.0.0.0/8 table 5":     "Error: \"rule from 10.0.0.0/8\" is not supported by this switch.\n",
		"rule add fwmark 5":                    "Error: \"rule fwmark\" is not supported by this switch.\n",
		"neigh add proxy 10.0.1.3 dev d1":      "Error: \"neigh proxy\" is not supported by this switch.\n",
		"vrf exec red sh":                      "Error: \"vrf exec\" is not supported by this switch.\n",
		"nexthop add id 1 encap mpls 5 dev d1": "Error: \"nexthop encap\" is not supported by this switch.\n",
	} {
		code, _, stderr := f.run(t, line)
		if code != exitRefused {
			t.Errorf("%s: got exit code %d", line, code)
		}
		expect(t, line, stderr, want)
	}
	for line, want := range map[string]string{
		"nexthop add id 1 dev nosuch":                                     "Error: argument \"nosuch\" is wrong: Device does not exist\n\n",
		"nexthop add id x":                                                "Error: argument \"x\" is wrong: invalid id value\n",
		"nexthop add id 1 foo":                                            "Error: argument \"foo\" is wrong: \n",
		"nexthop add id 1 group 1,0":                                      "Error: argument \"0\" is wrong: \"weight\" is invalid\n\n",
		"nexthop add id 1 group a/b":                                      "Error: argument \"a\" is wrong: \"group\" value is invalid\n\n",
		"nexthop add id 1 group 1/":                                       "Error: argument \"1\" is wrong: \"group\" value is invalid\n\n",
		"nexthop add id 1 group 1 type foo":                               "Error: argument \"foo\" is wrong: \"type\" value is invalid\n\n",
		"nexthop add id 1 group 1 type":                                   "Command line is not complete. Try option \"help\"\n",
		"nexthop add id 1 group 1 type resilient buckets x":               "Error: argument \"x\" is wrong: invalid buckets value\n",
		"nexthop add id 1 group 1 type resilient unbalanced_timer 1e9":    "Error: argument \"1e9\" is wrong: invalid unbalanced timer value\n",
		"nexthop add id 1 group 1 type resilient idle_timer 42949672":     "Error: argument \"42949672\" is wrong: invalid idle timer value\n",
		"nexthop add id 1 proto foo":                                      "Error: argument \"foo\" is wrong: \"protocol\" value is invalid\n\n",
		"-4 nexthop add id 1 via 1::1":                                    "Error: inet address is expected rather than \"1::1\".\n",
		"nexthop add id 1 dev d1 via inet6 1::1":                          "Error: argument \"1::1\" is wrong: address family mismatch\n\n",
		"nexthop show vrf d1":                                             "Error: argument \"d1\" is wrong: Invalid VRF\n\n",
		"nexthop show master nosuch":                                      "Error: argument \"nosuch\" is wrong: Device does not exist\n\n",
		"nexthop show dev nosuch":                                         "Error: argument \"nosuch\" is wrong: Device does not exist\n\n",
		"nexthop show proto foo":                                          "Error: argument \"foo\" is wrong: invalid protocol value\n",
		"nexthop change id 1 blackhole":                                   "Command \"change\" is unknown, try \"vasicctl nexthop help\".\n",
		"nexthop get":                                                     usageNextHop + "\n",
		"nexthop bucket get id 11":                                        usageNextHop + "\n",
		"nexthop bucket foo":                                              "Command \"foo\" is unknown, try \"vasicctl nexthop help\".\n",
		"neigh add 10.0.1.2":                                              "Device and destination are required arguments.\n",
		"neigh add 10.0.1.2 dev nosuch":                                   "Cannot find device \"nosuch\"\n",
		"neigh show dev nosuch":                                           "Cannot find device \"nosuch\"\n",
		"neigh show dev d1 dev d2":                                        "Error: duplicate \"dev\": \"d2\" is the second value.\n",
		"neigh add 10.0.1.2 nud foo dev d1":                               "Error: argument \"foo\" is wrong: nud state is bad\n",
		"neigh show nud foo":                                              "Error: argument \"foo\" is wrong: nud state is bad\n",
		"neigh show foo":                                                  "Error: any valid prefix is expected rather than \"foo\".\n",
		"neigh flush":                                                     "Flush requires arguments.\n",
		"neigh get 10.0.1.2":                                              "Device and address are required arguments.\n",
		"neigh add 10.0.1.3 lladdr 1:2:3:4:5:666 dev d1":                  "\"666\" is invalid lladdr.\n",
		"neigh add 10.0.1.3 lladdr 1:2:3:4:5:6 dev d1 foo":                "Error: either \"to\" is duplicate, or \"foo\" is a garbage.\n",
		"neigh add 10.0.1.3 lladdr 1:2:3:4:5:6 lladdr 1:2:3:4:5:6 dev d1": "Error: duplicate \"lladdr\": \"1:2:3:4:5:6\" is the second value.\n",
		"neigh foo":                            "Command \"foo\" is unknown, try \"vasicctl neigh help\".\n",
		"neigh show vrf d1":                    "Error: argument \"d1\" is wrong: Not a valid VRF name\n\n",
		"rule add pref x":                      "Error: argument \"x\" is wrong: preference value is invalid\n\n",
		"rule add table foo":                   "Error: argument \"foo\" is wrong: invalid table ID\n\n",
		"rule add foo":                         "Error: argument \"foo\" is wrong: Failed to parse rule type\n",
		"rule add pref":                        "Command line is not complete. Try option \"help\"\n",
		"rule del":                             "\"vasicctl rule del\" requires arguments.\n",
		"rule show foo":                        "Error: inet prefix is expected rather than \"foo\".\n",
		"rule show table foo":                  "Error: argument \"foo\" is wrong: table id value is invalid\n\n",
		"rule replace pref 1":                  "Command \"replace\" is unknown, try \"vasicctl rule help\".\n",
		"vrf show d1":                          "Invalid VRF\n",
		"vrf show a b":                         usageVRF + "\n",
		"vrf foo":                              "Command \"foo\" is unknown, try \"vasicctl vrf help\".\n",
		"route add 192.0.2.0/24 dev d1 vrf d1": "Error: argument \"d1\" is wrong: Invalid VRF\n\n",
		"route show vrf nosuch":                "Error: argument \"nosuch\" is wrong: Invalid VRF\n\n",
		"route flush vrf nosuch":               "Error: argument \"nosuch\" is wrong: Invalid VRF\n\n",
		"route get 192.0.2.7 vrf d1":           "Error: argument \"d1\" is wrong: Invalid VRF\n\n",
		"route add 192.0.2.0/24 nhid x":        "Error: argument \"x\" is wrong: \"id\" value is invalid\n\n",
		"link add v type vrf table x":          "Error: argument \"x\" is wrong: invalid table ID\n\n",
		"link add v type vrf foo":              "vrf: unknown option \"foo\"?\nUsage: ... vrf table TABLEID\n",
		"link set d1 master nosuch":            "Error: argument \"nosuch\" is wrong: Device does not exist\n\n",
		"link set d1 vrf d2":                   "Error: argument \"d2\" is wrong: Not a valid VRF name\n\n",
		"link show vrf d1":                     "Error: argument \"d1\" is wrong: Not a valid VRF name\n\n",
	} {
		code, stdout, stderr := f.run(t, line)
		if code != exitUsage || stdout != "" {
			t.Errorf("%s: got exit code %d and %q", line, code, stdout)
		}
		expect(t, line, stderr, want)
	}
}

func TestFlushOfNextHopsStartsWithGroups(t *testing.T) {
	f := newFakeWithObjects(t)
	const first = "ListNextHops {} DeleteNextHop {id:10} DeleteNextHop {id:11} ListNextHops {} DeleteNextHop {id:1} "
	for _, tt := range []struct{ line, want, asked string }{
		{"nexthop flush", "Flushed 7 nexthops\n", first + "DeleteNextHop {id:2} DeleteNextHop {id:3} DeleteNextHop {id:4} DeleteNextHop {id:5}"},
		{"nexthop flush dev d2", "Flushed 1 nexthops\n", "ListNextHops {device:d2} DeleteNextHop {id:2}"},
		{"nexthop flush groups", "Flushed 2 nexthops\n", "ListNextHops {groups:true} DeleteNextHop {id:10} DeleteNextHop {id:11}"},
		{"nexthop flush proto 9", "Nothing to flush\n", "ListNextHops {protocol:9}"},
		{"nexthop flush id 4", "", "DeleteNextHop {id:4}"},
	} {
		code, stdout, stderr := f.run(t, tt.line)
		if code != exitDone || stderr != "" {
			t.Errorf("%s: got %d %q", tt.line, code, stderr)
		}
		expect(t, tt.line, stdout, tt.want)
		expect(t, tt.line, strings.Join(f.asked(), " "), tt.asked)
	}
}

func TestFlushOfRulesSparesPriorityZero(t *testing.T) {
	f := newFakeWithObjects(t)
	if code, _, stderr := f.run(t, "rule flush"); code != exitDone {
		t.Error(stderr)
	}
	if asked := f.asked(); len(asked) != 4 || asked[0] != "DeleteRule {rule:{family:FAMILY_IPV4,priority:100,table:100}}" {
		t.Errorf("got %q", asked)
	}
}

func TestChangeOfANeighbourKeepsItsAddress(t *testing.T) {
	f := newFakeWithObjects(t)
	if code, _, stderr := f.run(t, "neigh change 10.0.1.2 dev d1 nud stale"); code != exitDone {
		t.Error(stderr)
	}
	const want = "ReplaceNeighbor {neighbor:{address:10.0.1.2,device:d1,lladdr:02:00:00:00:00:02,state:NEIGHBOR_STATE_STALE}}"
	if asked := f.asked(); len(asked) != 1 || asked[0] != want {
		t.Errorf("got %q", asked)
	}
}

func TestRoutesOfAVRFAreInItsTable(t *testing.T) {
	f := newFakeWithObjects(t)
	for _, tt := range []struct{ line, stdin, want string }{
		{"route add 192.0.2.0/24 via 10.0.2.2 vrf red", "", "ModifyRoute {action:ADD,route:{prefix:192.0.2.0/24,table:10,type:UNICAST,protocol:3,scope:0,nextHops:[{gateway:10.0.2.2}]}}"},
		{"route add vrf red unreachable default metric 4278198272", "", "ModifyRoute {action:ADD,route:{prefix:0.0.0.0/0,table:10,metric:4278198272,type:UNREACHABLE,protocol:3,scope:0}}"},
		{"route add local 192.0.2.1 vrf red dev d2", "", "ModifyRoute {action:ADD,route:{prefix:192.0.2.1/32,table:10,type:LOCAL,protocol:3,scope:254,nextHops:[{device:d2}]}}"},
		{"route show vrf red", "", "ListRoutes {filter:{family:FAMILY_IPV4,table:10}}"},
		{"route flush vrf red", "", "FlushRoutes {filter:{family:FAMILY_IPV4,table:10}}"},
	} {
		code, _, stderr := f.runWith(t, tt.stdin, tt.line)
		if code != exitDone || stderr != "" {
			t.Errorf("%s: got %d %q", tt.line, code, stderr)
		}
		if asked := f.asked(); len(asked) != 1 || asked[0] != tt.want {
			t.Errorf("%s:\n got %q\nwant %q", tt.line, asked, tt.want)
		}
	}
	for line, stdin := range map[string]string{"route load - dev d1 vrf red": "192.0.2.0/24\n", "route load -": "198.51.100.0/24 dev d1 vrf red\n203.0.113.0/24 dev d1 vrf red\n"} {
		if code, _, stderr := f.runWith(t, stdin, line); code != exitDone {
			t.Errorf("%s: %s", line, stderr)
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.routes) != 3 {
		t.Errorf("got %d routes", len(f.routes))
	}
	for _, r := range f.routes {
		if r.Table != 10 {
			t.Errorf("got %v", r)
		}
	}
}
