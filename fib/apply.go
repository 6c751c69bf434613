package fib

import "time"

// Apply takes over results of hardware in order. It is the only place that writes flags, and the one that decides that a result is stale: the row
// that it is for must still have the generation that the operation had.
func (f *FIB) Apply(results []Result) {
	for len(results) > 0 {
		n := 1
		for n < len(results) && results[n].Family == results[0].Family {
			n++
		}
		f.families[results[0].Family].apply(results[:n])
		results = results[n:]
	}
}

func (f *family) apply(results []Result) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.now = time.Now().UnixNano()
	for i := range results {
		r := &results[i]
		outcome := Removed
		switch {
		case r.Abandoned:
			outcome = Superseded
		case r.Gone && r.Reason != ReasonNone:
			outcome = Failed
		case !r.Gone:
			outcome = f.setFlags(r)
		}
		if r.Removal && !r.Abandoned {
			outcome = Removed
		}
		if !r.Final {
			continue
		}
		reason := r.Reason
		if !outcome.can(reason) {
			reason = ReasonNone
		}
		f.outcomes[outcome][reason]++
		if r.Waiter != nil {
			r.Waiter.Settle(r.Cookie, outcome, reason)
		}
	}
	f.commit()
}

// setFlags follows fib_alias_hw_flags_set and fib6_info_hw_flags_set.
func (f *family) setFlags(res *Result) Outcome {
	if !f.holds(res.Ref) {
		if !res.Clear {
			f.stale.Add(1)
		}
		return Superseded
	}
	row := f.rows.At(res.Ref.Row)
	outcome := outcomeOf(res.Flags)
	if row.flags == res.Flags && row.reason == res.Reason {
		return outcome
	}
	same := (row.flags^res.Flags)&^FlagOlderEntry == 0 // for the kernel, which knows neither reasons nor older entries
	failureChanged := same || (row.flags^res.Flags)&FlagOffloadFailed != 0
	f.counts[row.flags.state()]--
	f.counts[res.Flags.state()]++
	row.flags, row.reason = res.Flags, res.Reason

	switch notify := NotifySetting(f.notify.Load()); {
	case notify == NotifyNone, notify == NotifyFailures && !failureChanged:
		f.suppressed.Add(1)
		return outcome
	}
	t := f.tables.get(res.Table, res.Source)
	e := f.event(FlagsChanged)
	e.Silent = res.Silent || same
	if f.rules.siblings {
		f.load(t, res.Prefix)
		f.view(&e.Route, t, res.Prefix, res.Ref.Row)
	} else {
		f.viewRow(&e.Route, t, res.Prefix, res.Ref.Row)
	}
	return outcome
}

func outcomeOf(flags Flags) Outcome {
	switch {
	case flags&FlagOffload != 0:
		return Offloaded
	case flags&FlagTrap != 0:
		return Trapped
	case flags&FlagOffloadFailed != 0:
		return Failed
	}
	return NotSelected
}
