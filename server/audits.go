package server

import (
	"errors"
	"io"
	"net/netip"

	"google.golang.org/grpc"

	"github.com/vasic-project/vasic/api/codec"
	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
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
	c := comparer{s: as.s, encoder: encoder{fib: as.s.fib}}
	var addresses []netip.Addr
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
		addresses = addresses[:0]
		for _, text := range req.Addresses {
			addr, bad := parseAnyAddr("addresses", text)
			if bad != nil {
				return bad
			}
			addresses = append(addresses, addr)
		}
		if err := c.answer(addresses, req.Table, func(comparisons []byte) error { return stream.SendMsg(codec.Raw{comparisons}) }); err != nil {
			return err
		}
	}
}

func (as auditService) Audit(req *vasicv1.AuditRequest, stream grpc.ServerStreamingServer[vasicv1.AuditResponse]) error {
	a, bad := parseAudit(req)
	if bad != nil {
		return bad
	}
	a.s = as.s
	quiet := 0
	err := a.run(stream.Context(), func(found [][]byte) error {
		if quiet++; len(found) == 0 && quiet < progressEvery {
			return nil
		}
		quiet = 0
		if len(found) == 0 {
			found = [][]byte{nil}
		}
		progress := appendUint(nil, fieldAuditProgress, a.compared)
		for _, comparisons := range found {
			if err := stream.SendMsg(codec.Raw{comparisons, progress}); err != nil {
				return err
			}
		}
		return nil
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
