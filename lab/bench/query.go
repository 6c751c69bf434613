package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
)

const (
	lookupsInFlight = 64
	lookupBatch     = 256
	lookupAddresses = 1 << 16
)

// reader is the role "query": it reads and audits a switch, and makes a gateway fail.
type reader struct {
	cc        *grpc.ClientConn
	addresses []string
}

// startQuery starts the role.
func startQuery(settings json.RawMessage) (any, handlers, error) {
	var s clientSettings
	if err := json.Unmarshal(settings, &s); err != nil {
		return nil, nil, err
	}
	cc, err := dialCodec(s.Target)
	if err != nil {
		return nil, nil, err
	}
	r := &reader{cc: cc}
	return none{}, handlers{
		"table": handle(r.table), "lookup": handle(r.lookup), "compare": handle(r.compare), "list": handle(r.list), "audit": handle(r.audit),
		"flip": handle(r.flip), "idle": handle(r.idle),
	}, nil
}

// table chooses the addresses that are looked up: one within each of some routes, in an order without order.
func (r *reader) table(a tableArgs) (none, error) {
	t, err := makeTable(a)
	if err != nil {
		return none{}, err
	}
	chance := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // no secret
	for range min(lookupAddresses, 4*t.len()) {
		p := netip.MustParsePrefix(t.at(chance.IntN(t.len())))
		r.addresses = append(r.addresses, p.Addr().String())
	}
	return none{}, nil
}

// rate is how many of something were done.
type rate struct {
	Count       float64
	Seconds     float64
	Unsupported bool // the server has no such service
}

// perSecond is the rate.
func (r rate) perSecond() float64 { return r.Count / r.Seconds }

// supported turns the error of a server that lacks a service into a rate that says so.
func supported(r rate, err error) (rate, error) {
	if status.Code(err) == codes.Unimplemented {
		return rate{Unsupported: true}, nil
	}
	return r, err
}

// forArgs say how long something is done.
type forArgs struct{ Seconds float64 }

// lookup looks addresses up one by one, several at a time.
func (r *reader) lookup(a forArgs) (rate, error) {
	client := vasicv1.NewRouteServiceClient(r.cc)
	var n atomic.Int64
	var workers sync.WaitGroup
	errs := make([]error, lookupsInFlight)
	start := time.Now()
	for worker := range lookupsInFlight {
		workers.Go(func() {
			for i := worker; time.Since(start).Seconds() < a.Seconds && errs[worker] == nil; i += lookupsInFlight {
				_, errs[worker] = client.LookupRoute(context.Background(), &vasicv1.LookupRouteRequest{Address: r.addresses[i%len(r.addresses)]})
				n.Add(1)
			}
		})
	}
	workers.Wait()
	err := errors.Join(errs...)
	return supported(rate{Count: float64(n.Load()), Seconds: time.Since(start).Seconds()}, err)
}

// compare looks addresses up in batches, in software and hardware.
func (r *reader) compare(a forArgs) (rate, error) {
	stream, err := vasicv1.NewAuditServiceClient(r.cc).CompareAddresses(context.Background())
	if err != nil {
		return supported(rate{}, err)
	}
	start := time.Now()
	sent := make(chan error, 1)
	go func() {
		var request vasicv1.CompareAddressesRequest
		for i := 0; time.Since(start).Seconds() < a.Seconds; i += lookupBatch {
			request.Addresses = request.Addresses[:0]
			for n := range lookupBatch {
				request.Addresses = append(request.Addresses, r.addresses[(i+n)%len(r.addresses)])
			}
			if stream.Send(&request) != nil {
				break // receiving says why
			}
		}
		sent <- stream.CloseSend()
	}()
	n := 0
	var response vasicv1.CompareAddressesResponse
	for {
		if err = stream.RecvMsg(&response); err != nil {
			break
		}
		n += len(response.Comparisons)
	}
	if errors.Is(err, io.EOF) {
		err = <-sent
	}
	return supported(rate{Count: float64(n), Seconds: time.Since(start).Seconds()}, err)
}

// list reads all routes.
func (r *reader) list(none) (rate, error) {
	start := time.Now()
	stream, err := vasicv1.NewRouteServiceClient(r.cc).ListRoutes(context.Background(), &vasicv1.ListRoutesRequest{})
	n := 0
	var response vasicv1.ListRoutesResponse
	for err == nil {
		if err = stream.RecvMsg(&response); err == nil {
			n += len(response.Routes)
		}
	}
	if !errors.Is(err, io.EOF) {
		return supported(rate{}, err)
	}
	return rate{Count: float64(n), Seconds: time.Since(start).Seconds()}, nil
}

// audit compares all prefixes. A difference is an error: the switch is at rest.
func (r *reader) audit(none) (rate, error) {
	start := time.Now()
	stream, err := vasicv1.NewAuditServiceClient(r.cc).Audit(context.Background(), &vasicv1.AuditRequest{})
	compared, different := uint64(0), 0
	var response vasicv1.AuditResponse
	for err == nil {
		if err = stream.RecvMsg(&response); err == nil {
			compared = max(compared, response.Compared)
			different += len(response.Comparisons)
		}
	}
	if !errors.Is(err, io.EOF) {
		return supported(rate{}, err)
	}
	if different > 0 {
		return rate{}, fmt.Errorf("software and hardware differ in %d prefixes", different)
	}
	return rate{Count: float64(compared), Seconds: time.Since(start).Seconds()}, nil
}

// flipArgs say which routes all have one gateway, and in which state it shall be.
type flipArgs struct {
	Routes int
	Failed bool
}

// flip makes the first gateway fail or answer, and waits until every route has changed its flags.
func (r *reader) flip(a flipArgs) (rate, error) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	stream, err := liveWatch(ctx, r.cc)
	if err != nil {
		return rate{}, err
	}
	var response vasicv1.WatchResponse
	for response.Synced == nil {
		if err := stream.RecvMsg(&response); err != nil {
			return rate{}, err
		}
	}
	late := time.AfterFunc(watchSilence, cancel)
	defer late.Stop()
	state := vasicv1.NeighborState_NEIGHBOR_STATE_PERMANENT
	if a.Failed {
		state = vasicv1.NeighborState_NEIGHBOR_STATE_FAILED
	}
	gateway := newGateways().four[0]
	start := time.Now()
	_, err = vasicv1.NewNeighborServiceClient(r.cc).ReplaceNeighbor(ctx, &vasicv1.ReplaceNeighborRequest{
		Neighbor: &vasicv1.Neighbor{Address: gateway, Device: portName(0), State: state},
	})
	for n := 0; err == nil && n < a.Routes; {
		if err = stream.RecvMsg(&response); err != nil {
			break
		}
		late.Reset(watchSilence)
		for _, e := range response.Events {
			if e.Kind == vasicv1.EventKind_EVENT_KIND_FLAGS_CHANGED && e.Route.Protocol == protocolLoad && e.Route.Offload != a.Failed {
				n++
			}
		}
	}
	return supported(rate{Count: float64(a.Routes), Seconds: time.Since(start).Seconds()}, err)
}

// idle waits until hardware has nothing to do.
func (r *reader) idle(none) (none, error) {
	client := vasicv1.NewSwitchServiceClient(r.cc)
	for start := time.Now(); time.Since(start) < patience; time.Sleep(time.Millisecond) {
		s, err := client.GetStatus(context.Background(), &vasicv1.GetStatusRequest{})
		if err != nil || s.QueueLength == 0 {
			return none{}, err
		}
	}
	return none{}, errors.New("hardware does not come to rest")
}
