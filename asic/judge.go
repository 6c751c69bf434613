package asic

import "github.com/vasic-project/vasic/fib"

// verdict is what the chip does with a route.
type verdict struct {
	flags  fib.Flags
	reason fib.Reason // set with FlagOffloadFailed; ReasonTableFull with FlagTrap: the group found no room
}

var (
	trapped     = verdict{flags: fib.FlagTrap}
	offloaded   = verdict{flags: fib.FlagOffload}
	unsupported = verdict{flags: fib.FlagOffloadFailed, reason: fib.ReasonUnsupported}
	full        = verdict{flags: fib.FlagOffloadFailed, reason: fib.ReasonTableFull}
	ignored     = verdict{}
	grouped     = verdict{flags: fib.FlagOffload | fib.FlagTrap} // one of the two: as the route's next-hop group says
)

// kind says what the chip does with routes like this: netdevsim traps all but source-specific ones, which it counts and never flags; otherwise as
// mlxsw_sp_fib4_entry_type_set, mlxsw_sp_fib6_entry_type_set and mlxsw_sp_fib_entry_should_offload.
func (c *Chip) kind(op *fib.Op, info *fib.Info) verdict {
	switch {
	case c.profile.simulated && op.Source.IsValid():
		return ignored
	case c.profile.simulated:
		return trapped
	}
	if op.Source.IsValid() {
		return unsupported
	}
	if op.Family == fib.IPv6 {
		return kind6(op, info)
	}
	switch info.Type {
	case fib.TypeUnicast:
		if op.TOS != 0 {
			return trapped
		}
		return grouped
	case fib.TypeBlackhole:
		if op.TOS != 0 {
			return trapped
		}
		return offloaded
	case fib.TypeLocal, fib.TypeBroadcast, fib.TypeUnreachable, fib.TypeProhibit:
		return trapped
	}
	return unsupported
}

// kind6 does so for IPv6, where throw is one of the rejects and what is nothing else forwards.
func kind6(op *fib.Op, info *fib.Info) verdict {
	if op.Prefix.Addr().IsMulticast() {
		return ignored
	}
	switch info.Type {
	case fib.TypeBlackhole:
		return offloaded
	case fib.TypeLocal, fib.TypeBroadcast, fib.TypeAnycast, fib.TypeUnreachable, fib.TypeProhibit, fib.TypeThrow:
		return trapped
	}
	return grouped
}

// judge returns the operation's routes with the flags of their kind. The slice is valid until the next call.
func (c *Chip) judge(op *fib.Op) []member {
	c.judged = c.judged[:0]
	for i := range op.Len() {
		ref := op.Ref(i)
		c.judged = append(c.judged, member{ref: ref, flags: c.kind(op, ref.Info).flags})
	}
	return c.judged
}

// unknownObject reports whether a route is of a next-hop object that hardware does not know; mlxsw ignores it.
func (c *Chip) unknownObject(info *fib.Info) bool {
	return info.NextHopID != 0 && info.Type == fib.TypeUnicast && !c.profile.simulated && c.groups.objects[info.NextHopID] == nil
}

// resolve sets the flags of routes that are to follow a group.
func resolve(members []member, g *group) {
	for i := range members {
		if members[i].flags != grouped.flags {
			continue
		}
		if members[i].flags = fib.FlagTrap; g != nil {
			members[i].flags = g.flags
		}
	}
}

// knobFailure is how fail_route_offload makes an operation fail, or the zero verdict while it is off.
func (c *Chip) knobFailure() verdict {
	if c.Knob(FailRouteOffload) {
		return verdict{flags: fib.FlagOffloadFailed, reason: fib.ReasonInjected}
	}
	return verdict{}
}

// roomFailure is how a full table makes a new entry fail, or the zero verdict where there is room. Netdevsim has asked when the operation was admitted.
func (c *Chip) roomFailure(op *fib.Op, present bool) verdict {
	if c.profile.simulated || present && !c.profile.makeBeforeBreak || c.fits(c.rowsFor(op.Family, op.Prefix)) {
		return verdict{}
	}
	return full
}
