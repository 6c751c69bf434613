package server

import (
	"errors"
	"io"
	"net/netip"

	"google.golang.org/grpc"

	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
	"github.com/vasic-project/vasic/asic"
	"github.com/vasic-project/vasic/fib"
)

// auditService is vasic.v1.AuditService.
type auditService struct {
	vasicv1.UnimplementedAuditServiceServer
	s *Server
}

// maxAddresses is how many addresses one message may ask for.
const maxAddresses = 4096

func (as auditService) CompareAddresses(stream grpc.BidiStreamingServer[vasicv1.CompareAddressesRequest, vasicv1.CompareAddressesResponse]) error {
	for {
		req, err := stream.Recv()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		case len(req.Addresses) == 0 || len(req.Addresses) > maxAddresses:
			return outOfRange("addresses", uint64(len(req.Addresses)), 1, maxAddresses)
		}
		addresses := make([]netip.Addr, len(req.Addresses))
		for i, text := range req.Addresses {
			var bad *refusal
			if addresses[i], bad = parseAnyAddr("addresses", text); bad != nil {
				return bad
			}
		}
		if err := as.compareAll(addresses, req.Table, stream); err != nil {
			return err
		}
	}
}

// compareAll answers one batch; in several messages if one would be too large.
func (as auditService) compareAll(addresses []netip.Addr, table uint32, stream grpc.BidiStreamingServer[vasicv1.CompareAddressesRequest, vasicv1.CompareAddressesResponse]) error {
	res, size := &vasicv1.CompareAddressesResponse{}, 0
	for i, addr := range addresses {
		c := as.s.compareAddress(addr, table)
		res.Comparisons = append(res.Comparisons, c)
		if size += c.SizeVT(); size < maxAnswerBytes && i < len(addresses)-1 {
			continue
		}
		if err := stream.Send(res); err != nil {
			return err
		}
		res, size = &vasicv1.CompareAddressesResponse{}, 0
	}
	return nil
}

// maxAnswerBytes is where an answer that should be one message is split all the same: safely below gRPC's default limit of 4 MiB.
const maxAnswerBytes = 2 << 20

// compareAddress compares what the two do with a packet to the address, at one moment where software has a route for it.
func (s *Server) compareAddress(addr netip.Addr, table uint32) *vasicv1.Comparison {
	family := fib.FamilyOf(addr)
	tables := []uint32{table}
	if table == 0 {
		tables = s.fib.LookupTables(family)
	}
	m := &vasicv1.Comparison{Address: addr.String()}
	var c comparison
	look := func(r *fib.Route) {
		busy := s.chip.Stats().QueueLength > 0
		s.chip.View(func(v *asic.View) {
			e, present := v.Lookup(addr, tables)
			if present {
				c.hardware = treatmentOf(&e)
				m.Hardware = entryMessage(&e)
				c.pending = v.Pending(family, e.Table, e.Prefix)
			}
			if r == nil {
				return
			}
			c.software = treatmentBy(r)
			c.same = present && madeFrom(&e, r) || ignored(r)
			c.pending = c.pending || v.Pending(family, r.Table, r.Prefix) || !c.same && r.Info.NextHopID != 0 && busy
		})
	}
	err := s.fib.Lookup(addr, table, 0, func(r *fib.Route) {
		m.Software = (&encoder{fib: s.fib}).message(r)
		look(r)
	})
	if err != nil {
		look(nil)
	}
	m.Verdict = c.verdict()
	return m
}

func (as auditService) Audit(req *vasicv1.AuditRequest, stream grpc.ServerStreamingServer[vasicv1.AuditResponse]) error {
	a, bad := parseAudit(req)
	if bad != nil {
		return bad
	}
	a.s = as.s
	quiet := 0
	err := a.run(stream.Context(), func(found []*vasicv1.Comparison) error {
		if quiet++; len(found) == 0 && quiet < progressEvery {
			return nil
		}
		quiet = 0
		for {
			n, size := 0, 0
			for n < len(found) && n < listPiece && size < maxMessageBytes {
				size += found[n].SizeVT()
				n++
			}
			if err := stream.Send(&vasicv1.AuditResponse{Comparisons: found[:n], Progress: a.compared}); err != nil {
				return err
			}
			if found = found[n:]; len(found) == 0 {
				return nil
			}
		}
	})
	if err != nil {
		return statusOf(err)
	}
	return stream.Send(&vasicv1.AuditResponse{Totals: a.counts(), Compared: a.compared, Progress: a.compared})
}

// counts are the verdicts that occurred.
func (a *audit) counts() (list []*vasicv1.VerdictCount) {
	for _, family := range fib.Families {
		for v, n := range a.totals[family] {
			if n > 0 {
				list = append(list, &vasicv1.VerdictCount{Verdict: vasicv1.Verdict(v), Family: familyMessage(family), Count: n}) //nolint:gosec // few verdicts
			}
		}
	}
	return list
}

func parseAudit(req *vasicv1.AuditRequest) (a *audit, bad *refusal) {
	a = &audit{table: req.Table, limit: req.Limit}
	if a.families, bad = parseFamily("family", req.Family); bad != nil {
		return nil, bad
	}
	if req.WithinPrefix != "" {
		if a.within, bad = parsePrefix("within_prefix", req.WithinPrefix); bad != nil {
			return nil, bad
		}
		a.families = oneFamily(a.families, a.within)
	}
	for _, v := range req.Verdicts {
		if v <= vasicv1.Verdict_VERDICT_UNSPECIFIED || v >= verdictCount {
			return nil, unknownEnum("verdicts", int32(v))
		}
		a.verdicts |= 1 << v
	}
	if len(req.Verdicts) == 0 {
		a.verdicts = 0xff &^ (1 << vasicv1.Verdict_VERDICT_CONSISTENT)
	}
	return a, nil
}
