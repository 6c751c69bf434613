package recording

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
	"github.com/vasic-project/vasic/clients/vasic"
)

// call does one call when its time has come.
func (r *Replay) call(ctx context.Context, c *vasicv1.RecordedCall) error {
	request, err := Request(c)
	if err != nil {
		return fmt.Errorf("call %d, %s: %w", r.calls.Load()+r.skipped.Load()+1, Method(c), err)
	}
	waits, others := alter(request)
	if others {
		r.skipped.Add(1)
		return nil
	}
	if err := r.step(ctx, c.GetPosition()); err != nil {
		return err
	}
	if r.options.Paced {
		due := r.begin.Add(time.Unix(0, c.GetUnixNanos()).Sub(r.recorded))
		select {
		case <-time.After(time.Until(due)):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	name := fmt.Sprintf("call %d, %s", r.calls.Load()+r.skipped.Load()+1, Method(c))
	limited, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var what string
	if m, ok := request.(*vasicv1.ModifyRoutesRequest); ok {
		stop := context.AfterFunc(limited, func() {
			if ctx.Err() == nil {
				r.streams.cancel()
			}
		})
		what, err = r.streams.modify(c, m)
		stop()
	} else {
		what, err = r.unary(limited, c, request, waits)
	}
	switch {
	case limited.Err() != nil && ctx.Err() == nil:
		return r.differs(fmt.Sprintf("%s was not answered for %s", name, patience))
	case err != nil:
		return fmt.Errorf("%s: %w", name, err)
	case what != "":
		return r.differs(name + " " + what)
	}
	r.calls.Add(1)
	return nil
}

// alter makes a request one that does the same to a chip that is held. waits says that the client waited for hardware, which
// cannot be done here; others that the call was part of another replay, and is to be left out.
func alter(request proto.Message) (waits, others bool) {
	switch m := request.(type) {
	case *vasicv1.ModifyRouteRequest:
		waits, m.WaitForHardware = m.WaitForHardware, false
	case *vasicv1.PauseRequest:
		return false, m.Hold
	case *vasicv1.StepRequest:
		return false, m.UntilPosition != 0
	case *vasicv1.ResumeRequest:
		m.KeepHold = true
	}
	return waits, false
}

// Method is the name of a call's method without its package and service.
func Method(c *vasicv1.RecordedCall) string {
	return c.GetMethod()[strings.LastIndexByte(c.GetMethod(), '/')+1:]
}

// Request is the request of a call.
func Request(c *vasicv1.RecordedCall) (proto.Message, error) {
	in, _, err := messages(c.GetMethod())
	if err != nil {
		return nil, err
	}
	m := in.New().Interface()
	if err := proto.Unmarshal(c.GetRequest(), m); err != nil {
		return nil, fmt.Errorf("its request cannot be read: %w", err)
	}
	return m, nil
}

// messages are the types of request and response of a unary method, or of ModifyRoutes.
func messages(method string) (in, out protoreflect.MessageType, err error) {
	service, name, _ := strings.Cut(strings.TrimPrefix(method, "/"), "/")
	d, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(service))
	if err != nil {
		return nil, nil, fmt.Errorf("no service %q is known", service)
	}
	s, ok := d.(protoreflect.ServiceDescriptor)
	if !ok || s.Methods().ByName(protoreflect.Name(name)) == nil {
		return nil, nil, fmt.Errorf("no method %q is known", method)
	}
	m := s.Methods().ByName(protoreflect.Name(name))
	if m.IsStreamingClient() != m.IsStreamingServer() || m.IsStreamingClient() && method != vasicv1.RouteService_ModifyRoutes_FullMethodName {
		return nil, nil, fmt.Errorf("%q is a stream", method)
	}
	if in, err = protoregistry.GlobalTypes.FindMessageByName(m.Input().FullName()); err != nil {
		return nil, nil, err
	}
	out, err = protoregistry.GlobalTypes.FindMessageByName(m.Output().FullName())
	return in, out, err
}

// unary does a call and returns in what its end differs from the recorded one. With waits it does not wait as the recorded one did.
func (r *Replay) unary(ctx context.Context, c *vasicv1.RecordedCall, request proto.Message, waits bool) (what string, err error) {
	_, out, err := messages(c.GetMethod())
	if err != nil {
		return "", err
	}
	err = r.client.Conn().Invoke(ctx, c.GetMethod(), request, out.New().Interface())
	now, recorded := codes.OK, codes.Code(c.GetCode())
	if err != nil {
		e, ok := vasic.AsError(err)
		if !ok || ctx.Err() != nil || e.Code == codes.Unavailable || e.Code == codes.Unimplemented {
			return "", err
		}
		now = e.Code
	}
	switch recorded {
	case codes.Canceled, codes.DeadlineExceeded, codes.Unavailable:
		return "", nil // the client's patience, or the switch's end
	}
	_, reload := request.(*vasicv1.ReloadRequest) // how it ends comes later
	if now == recorded || (waits || reload) && recorded != codes.OK && now == codes.OK {
		return "", nil
	}
	what = fmt.Sprintf("was answered with %s, and with %s when recorded", now, recorded)
	if err != nil {
		what += ": " + err.Error()
	}
	return what, nil
}

// maxStreams is how many ModifyRoutes streams are kept open; a switch may bound their number.
const maxStreams = 64

// modifyStreams are the open ModifyRoutes streams by the numbers that the recording gives them. They outlive a call, and end
// with cancel.
type modifyStreams struct {
	client *vasic.Client
	ctx    context.Context
	cancel context.CancelFunc
	open   map[uint64]vasicv1.RouteService_ModifyRoutesClient
	order  []uint64 // of opening
}

func newModifyStreams(ctx context.Context, c *vasic.Client) *modifyStreams {
	s := &modifyStreams{client: c, open: make(map[uint64]vasicv1.RouteService_ModifyRoutesClient)}
	s.ctx, s.cancel = context.WithCancel(ctx)
	return s
}

// stream returns the stream of that number.
func (s *modifyStreams) stream(number uint64) (vasicv1.RouteService_ModifyRoutesClient, error) {
	if stream := s.open[number]; stream != nil {
		return stream, nil
	}
	if len(s.order) == maxStreams {
		if err := s.open[s.order[0]].CloseSend(); err != nil {
			return nil, err
		}
		delete(s.open, s.order[0])
		s.order = s.order[1:]
	}
	stream, err := s.client.Routes.ModifyRoutes(s.ctx)
	if err != nil {
		return nil, err
	}
	s.open[number] = stream
	s.order = append(s.order, number)
	return stream, nil
}

// modify sends one message and waits until each of its operations is answered. It returns in what the answers differ from the
// recorded ones.
func (s *modifyStreams) modify(c *vasicv1.RecordedCall, request *vasicv1.ModifyRoutesRequest) (what string, err error) {
	for i, op := range request.GetOperations() {
		op.Id, op.ReportHardware = uint64(i), false
	}
	stream, err := s.stream(c.GetStream())
	if err != nil {
		return "", err
	}
	if err := stream.Send(request); err != nil {
		if _, reason := stream.Recv(); reason != nil {
			err = reason
		}
		return "", err
	}
	refused := []uint32{}
	why := ""
	for answered := 0; answered < len(request.GetOperations()); {
		m, err := stream.Recv()
		if err != nil {
			return "", err
		}
		for _, a := range m.GetResults() {
			switch a.GetStatus() {
			case vasicv1.OperationStatus_OPERATION_STATUS_ACCEPTED:
				answered++
			case vasicv1.OperationStatus_OPERATION_STATUS_REFUSED:
				answered++
				refused = append(refused, uint32(a.GetId()))
				if e := vasic.OperationError(a.GetError()); e != nil && why == "" && !slices.Contains(c.GetRefused(), uint32(a.GetId())) {
					why = fmt.Sprintf(": operation %d: %v", a.GetId(), e)
				}
			}
		}
	}
	slices.Sort(refused)
	if slices.Equal(refused, slices.Sorted(slices.Values(c.GetRefused()))) {
		return "", nil
	}
	return fmt.Sprintf("had the operations %v refused, and %v when recorded%s", refused, c.GetRefused(), why), nil
}
