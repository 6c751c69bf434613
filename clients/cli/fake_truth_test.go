package cli

import (
	"context"
	"errors"
	"io"
	"net/netip"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
)

// fakeTruth is what a fake knows of faults, audits, recordings and its queue. It is guarded by fake.mu.
type fakeTruth struct {
	vasicv1.UnimplementedFaultServiceServer
	vasicv1.UnimplementedAuditServiceServer
	vasicv1.UnimplementedRecordServiceServer

	faults   []*vasicv1.Fault
	audits   []*vasicv1.AuditResponse
	recorded []*vasicv1.RecordResponse // behind `started`
	live     chan *vasicv1.RecordResponse
	queue    []*vasicv1.QueueItem
	compared uint32 // table of the last comparison
	waiting  int    // items in the queue beyond those
}

func (f *fake) CreateFault(_ context.Context, req *vasicv1.CreateFaultRequest) (*vasicv1.CreateFaultResponse, error) {
	if err := f.note("CreateFault", req); err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	fault := proto.CloneOf(req.Fault)
	fault.Id = uint64(len(f.faults) + 1)
	f.faults = append(f.faults, fault)
	return &vasicv1.CreateFaultResponse{Fault: fault}, nil
}

func (f *fake) DeleteFault(_ context.Context, req *vasicv1.DeleteFaultRequest) (*vasicv1.DeleteFaultResponse, error) {
	if err := f.note("DeleteFault", req); err != nil {
		return nil, err
	}
	if req.Id > 1000 {
		return nil, refusal(codes.NotFound, "FAULT_NOT_FOUND", "", "", "no fault rule has the id 1001")
	}
	return &vasicv1.DeleteFaultResponse{}, nil
}

func (f *fake) ListFaults(context.Context, *vasicv1.ListFaultsRequest) (*vasicv1.ListFaultsResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return &vasicv1.ListFaultsResponse{Faults: f.faults}, nil
}

func (f *fake) ListQueue(_ context.Context, req *vasicv1.ListQueueRequest) (*vasicv1.ListQueueResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	items := f.queue
	if req.Limit != 0 && int(req.Limit) < len(items) {
		items = items[:req.Limit]
	}
	return &vasicv1.ListQueueResponse{Items: items, QueueLength: uint64(len(f.queue) + f.waiting)}, nil
}

// CompareAddresses finds by the last byte of an address what the verdict is.
func (f *fake) CompareAddresses(stream vasicv1.AuditService_CompareAddressesServer) error {
	for {
		req, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		f.mu.Lock()
		f.compared = req.Table
		f.mu.Unlock()
		resp := &vasicv1.CompareAddressesResponse{}
		for _, a := range req.Addresses {
			addr := netip.MustParseAddr(a)
			b := addr.As16()
			c := compared(vasicv1.Verdict(b[15]%5 + 1))
			c.Address = a
			if addr.Is6() {
				c = &vasicv1.Comparison{Address: a, Verdict: vasicv1.Verdict_VERDICT_CONSISTENT}
			}
			resp.Comparisons = append(resp.Comparisons, c)
		}
		if err := stream.Send(resp); err != nil {
			return err
		}
	}
}

// compared is a comparison with that verdict.
func compared(v vasicv1.Verdict) *vasicv1.Comparison {
	hop := &vasicv1.NextHop{Gateway: "10.0.1.2", Device: "d1"}
	c := &vasicv1.Comparison{
		Verdict:  v,
		Software: &vasicv1.Route{Prefix: "192.0.2.0/24", Table: tableMain, Type: vasicv1.RouteType_ROUTE_TYPE_UNICAST, Protocol: 186, NextHops: []*vasicv1.NextHop{hop}, Offload: true},
		Hardware: &vasicv1.HardwareEntry{Prefix: "192.0.2.0/24", Table: tableMain, Action: "forward", NextHops: []*vasicv1.NextHop{hop}, Generation: 17},
	}
	switch v {
	case vasicv1.Verdict_VERDICT_TRAPPED:
		c.Hardware = &vasicv1.HardwareEntry{Prefix: "192.0.2.0/24", Table: tableMain, Action: "trap", Generation: 17}
		c.Software.Offload, c.Software.Trap = false, true
	case vasicv1.Verdict_VERDICT_BLACKHOLED:
		c.Hardware, c.Software.Offload, c.Software.OffloadFailed = nil, false, true
	case vasicv1.Verdict_VERDICT_MISROUTED:
		c.Hardware.Prefix, c.Hardware.Group = "192.0.0.0/16", 3
		c.Hardware.NextHops = []*vasicv1.NextHop{{Gateway: "10.0.2.2", Device: "d2", Weight: 2}, {Device: "d3", Weight: 1}}
	}
	return c
}

func (f *fake) Audit(req *vasicv1.AuditRequest, stream vasicv1.AuditService_AuditServer) error {
	if err := f.note("Audit", req); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, m := range f.audits {
		if err := stream.Send(m); err != nil {
			return err
		}
	}
	return nil
}

// Record sends what the fake has, and then what comes over live.
func (f *fake) Record(_ *vasicv1.RecordRequest, stream vasicv1.RecordService_RecordServer) error {
	if err := f.note("Record", &vasicv1.RecordRequest{}); err != nil {
		return err
	}
	f.mu.Lock()
	messages := append([]*vasicv1.RecordResponse{{Started: &vasicv1.RecordingStarted{
		Version: "1.2.3", Profile: "switch", Seed: 1, Epoch: 7, Revision: 42, Programmed: 9, UnixNanos: time.Now().UnixNano(),
	}}}, f.recorded...)
	f.mu.Unlock()
	for _, m := range messages {
		if err := stream.Send(m); err != nil {
			return err
		}
	}
	for {
		select {
		case m := <-f.live:
			if err := stream.Send(m); err != nil {
				return err
			}
		case <-stream.Context().Done():
			return nil
		}
	}
}
