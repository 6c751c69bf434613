package cli

import (
	"context"
	"fmt"
)

// objects are what a command line can be about. An abbreviation means the first that it fits, as with ip.
var objects = []struct {
	name string
	run  func(*session, context.Context, []string) error // nil: an object of ip that a switch does not have
}{
	{"address", (*session).addr},
	{"route", (*session).route},
	{"rule", (*session).rule},
	{"neighbor", (*session).neigh},
	{"neighbour", (*session).neigh},
	{"link", (*session).link},
	{"monitor", (*session).monitor},
	{"vrf", (*session).vrf},
	{"nexthop", (*session).nextHop},
	{"netns", nil},
	{"maddress", nil},
	{"mroute", nil},
	{"tunnel", nil},
	{"xfrm", nil},
	{"sysctl", (*session).sysctl},
	{"resource", (*session).resource},
	{"reload", (*session).reload},
	{"asic", (*session).asic},
	{"fault", (*session).fault},
	{"lookup", (*session).lookup},
	{"audit", (*session).audit},
	{"exposure", (*session).exposure},
	{"record", (*session).record},
	{"replay", (*session).replay},
	{"status", (*session).status},
	{"completion", (*session).completion},
	{"help", (*session).help},
}

// do carries out one command.
func (s *session) do(ctx context.Context, words []string) error {
	for _, o := range objects {
		if !abbreviates(words[0], o.name) {
			continue
		}
		if o.run == nil {
			return notSupported(o.name)
		}
		return o.run(s, ctx, words[1:])
	}
	return usageError(fmt.Sprintf(`Object %q is unknown, try "vasicctl help".`, words[0]))
}

// help is the object help.
func (s *session) help(context.Context, []string) error { return helpError(usageTop) }
