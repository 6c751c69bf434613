package server_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/vasic-project/vasic/api/codec"
	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
	"github.com/vasic-project/vasic/server"
)

func TestABatchOfAWrongSizeEndsTheStreamAndChangesNothing(t *testing.T) {
	three := []*vasicv1.RouteOperation{op(1, actionAdd, good4()), op(2, actionAdd, good6()), op(3, actionDelete, good4())}
	for name, c := range map[string]struct {
		batch []*vasicv1.RouteOperation
		want  refused
	}{
		"empty": {nil, refused{codes.InvalidArgument, "EMPTY_BATCH", "", "", "operations", "operations: the batch is empty"}},
		"too large": {slices.Repeat(three[:1], 4), refused{
			codes.InvalidArgument, "BATCH_TOO_LARGE", "", "", "operations", "operations: a batch of 4 is larger than 3",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			inAPIBubble(t, server.Config{MaxBatchOperations: 3}, func(t *testing.T, r *apiRig) {
				s := r.stream()
				s.send(three...) // as large as may be
				before := answers(s.next(6))
				wantEqual(t, "before", before[:3], []answer{{1, statusAccepted, 0}, {2, statusAccepted, 0}, {3, statusAccepted, 0}})
				synctest.Wait()
				was := r.everything()
				s.send(c.batch...)
				results, err := s.drain()
				c.want.checkErr(t, err)
				if len(results) > 0 {
					t.Errorf("answers to a batch of a wrong size: %v", results)
				}
				synctest.Wait()
				r.unchanged(was)
			})
		})
	}
}

// What was accepted before the protocol was violated is answered before the stream ends.
func TestAWrongBatchDoesNotLoseEarlierAnswers(t *testing.T) {
	inAPIBubble(t, server.Config{}, func(t *testing.T, r *apiRig) {
		r.pause()
		s := r.stream()
		s.send(op(1, actionAdd, good4()))
		s.send()
		results, err := s.drain()
		wantEqual(t, "answers", answers(results), []answer{{1, statusAccepted, 0}})
		refused{codes.InvalidArgument, "EMPTY_BATCH", "", "", "operations", ""}.checkErr(t, err)
		r.resume()
	})
}

// Nothing is what the wire makes of a nil entry: an empty message.
func TestEmptyEntriesOfRepeatedFieldsAreRefusedOneByOne(t *testing.T) {
	inAPIBubble(t, server.Config{}, func(t *testing.T, r *apiRig) {
		s := r.stream()
		s.send(op(1, actionAdd, good4()), nil, op(2, actionAdd, good6(hop(nil))), op(3, actionAdd, good6()))
		s.closeSend()
		results := s.rest()
		list := answers(results)
		slices.SortStableFunc(list, func(a, b answer) int { return int(a.id) - int(b.id) })
		wantEqual(t, "answers", list, []answer{
			{0, statusRefused, 0}, {1, statusAccepted, 0}, {1, statusOffloaded, 0}, {2, statusRefused, 0}, {3, statusAccepted, 0}, {3, statusOffloaded, 0},
		})
		malformed("action", "action: is missing").check(t, refusalOfResult(results[1]))
	})
}

// raw calls a method with bytes instead of a message.
func (r *apiRig) raw(method string, message []byte) error {
	var reply codec.Raw
	return r.cc.Invoke(r.ctx(), method, codec.Raw{message}, &reply, grpc.ForceCodecV2(codec.Codec{}))
}

// rawStream sends bytes on a stream, and returns how it ends.
func (r *apiRig) rawStream(method string, message []byte) error {
	r.t.Helper()
	stream := must(r.cc.NewStream(r.ctx(), &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, method, grpc.ForceCodecV2(codec.Codec{})))(r.t)
	if err := stream.SendMsg(codec.Raw{message}); err != nil {
		return err
	}
	if err := stream.CloseSend(); err != nil {
		return err
	}
	var reply codec.Raw
	return stream.RecvMsg(&reply)
}

// str is a string field, num a varint field, msg a message field in encoded form.
func str(number protowire.Number, text string) []byte {
	return protowire.AppendString(protowire.AppendTag(nil, number, protowire.BytesType), text)
}

func num(number protowire.Number, v uint64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(nil, number, protowire.VarintType), v)
}

func msg(number protowire.Number, fields ...[]byte) []byte {
	return str(number, string(slices.Concat(fields...)))
}

func TestBytesThatAreNoMessageChangeNothing(t *testing.T) {
	route := msg(2, str(1, "198.51.100.0/24"), msg(9, str(2, "swp1\xff")))
	operation := msg(1, num(2, uint64(actionAdd)), msg(3, str(1, "198.51.100.0/24"), msg(9, str(2, "swp1\xff"))))
	unary, stream := (*apiRig).raw, (*apiRig).rawStream
	cases := map[string]struct {
		call    func(r *apiRig, method string, message []byte) error
		method  string
		message []byte
	}{
		"device of ModifyRoute":     {unary, vasicv1.RouteService_ModifyRoute_FullMethodName, slices.Concat(num(1, uint64(actionAdd)), route)},
		"device of ModifyRoutes":    {stream, vasicv1.RouteService_ModifyRoutes_FullMethodName, operation},
		"prefix of GetRoute":        {unary, vasicv1.RouteService_GetRoute_FullMethodName, str(1, "198.51.100.0/24\xff")},
		"device of ListRoutes":      {stream, vasicv1.RouteService_ListRoutes_FullMethodName, msg(1, str(9, "\xffswp1"))},
		"device of FlushRoutes":     {unary, vasicv1.RouteService_FlushRoutes_FullMethodName, msg(1, str(9, "\xffswp1"))},
		"address of LookupRoute":    {unary, vasicv1.RouteService_LookupRoute_FullMethodName, str(1, "\xc0\x80")},
		"prefix of Watch":           {stream, vasicv1.WatchService_Watch_FullMethodName, msg(2, str(3, "\xed\xa0\x80"))},
		"name of CreateLink":        {unary, vasicv1.LinkService_CreateLink_FullMethodName, msg(1, str(1, "swp\xff"))},
		"path of UpdateResource":    {unary, vasicv1.SwitchService_UpdateResource_FullMethodName, slices.Concat(str(1, "IPv4/fib\xff"), num(2, 1))},
		"mask of UpdateSettings":    {unary, vasicv1.SwitchService_UpdateSettings_FullMethodName, slices.Concat(msg(1), msg(2, str(1, "\xff")))},
		"length beyond the message": {unary, vasicv1.RouteService_ModifyRoute_FullMethodName, []byte{2<<3 | 2, 100, 1}},
		"a list cut off":            {stream, vasicv1.RouteService_ModifyRoutes_FullMethodName, msg(1, num(1, 7), []byte{3<<3 | 2, 9})},
		"a tag of field 0":          {stream, vasicv1.RouteService_ModifyRoutes_FullMethodName, []byte{0, 0}},
	}
	inAPIBubble(t, server.Config{}, func(t *testing.T, r *apiRig) {
		r.quiet()
		before := r.everything()
		for name, c := range cases {
			t, r := r.in(name)
			if code := status.Code(c.call(r, c.method, c.message)); code != codes.Internal {
				t.Errorf("code %v, want what gRPC says to such bytes: %v", code, codes.Internal)
			}
			r.quiet()
			r.unchanged(before)
		}
	})
}

func TestAMessageBeyondTheLimitIsRefused(t *testing.T) {
	const limit = 4096
	inAPIBubble(t, server.Config{MaxMessageBytes: limit}, func(t *testing.T, r *apiRig) {
		synctest.Wait()
		batch := &vasicv1.ModifyRoutesRequest{}
		for proto.Size(batch) < limit-64 {
			batch.Operations = append(batch.Operations, op(1, actionAdd, good4(proto8(uint32(len(batch.Operations))))))
		}
		s := r.stream()
		s.send(batch.Operations...)
		s.next(len(batch.Operations) + 1) // the first is accepted, and then settled
		synctest.Wait()
		before := r.everything()
		s.send(append(batch.Operations, batch.Operations[:9]...)...)
		_, err := s.drain()
		refused{code: codes.ResourceExhausted, words: fmt.Sprint(limit)}.checkErr(t, err)
		_, err = r.modify(actionAdd, apiRoute("192.0.2.0/24", hop(&vasicv1.NextHop{Device: string(make([]byte, limit))})))
		refused{code: codes.ResourceExhausted, words: fmt.Sprint(limit)}.checkErr(t, err)
		r.unchanged(before)
	})
}

func TestAClosedSideStillGetsItsHardwareResults(t *testing.T) {
	inAPIBubble(t, server.Config{}, func(t *testing.T, r *apiRig) {
		r.pause()
		s := r.stream()
		s.send(op(1, actionAdd, good4()), op(2, actionAdd, good6()))
		s.closeSend()
		wantEqual(t, "at once", answers(s.next(2)), []answer{{1, statusAccepted, 0}, {2, statusAccepted, 0}})
		ended := make(chan error, 1)
		go func() {
			results, err := s.drain()
			wantEqual(t, "later", answers(results), []answer{{1, statusOffloaded, 0}, {2, statusOffloaded, 0}})
			ended <- err
		}()
		time.Sleep(10 * time.Second)
		select {
		case err := <-ended:
			t.Fatalf("the stream ended with %v before hardware had settled", err)
		default:
		}
		r.resume()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

func TestACancelledStreamLeavesWhatWasAccepted(t *testing.T) {
	inAPIBubble(t, server.Config{}, func(t *testing.T, r *apiRig) {
		r.pause()
		s := r.stream()
		s.send(op(1, actionAdd, good4()))
		s.next(1)
		s.send(op(2, actionAdd, good6()))
		s.cancel()
		if _, err := s.drain(); status.Code(err) != codes.Canceled {
			t.Errorf("the stream ended with %v", err)
		}
		synctest.Wait()
		r.resume()
		synctest.Wait()
		route := must(r.routes.GetRoute(r.ctx(), &vasicv1.GetRouteRequest{Prefix: "198.51.100.0/24"}))(t).Route
		if !route.Offload {
			t.Errorf("not programmed: %v", route)
		}
		if n := r.status().QueueLength; n != 0 {
			t.Errorf("%d operations left", n)
		}
	})
}

func TestAFullQueueHoldsTheSenderBackAndLosesNothing(t *testing.T) {
	const capacity, batchSize, total = 8, 4, 12_000
	inAPIBubble(t, server.Config{QueueCapacity: capacity}, func(t *testing.T, r *apiRig) {
		synctest.Wait()
		r.pause()
		s := r.narrow().stream()
		sent := 0
		finished := make(chan struct{})
		go func() {
			defer close(finished)
			defer s.closeSend()
			for ; sent < total; sent += batchSize {
				var batch []*vasicv1.RouteOperation
				for i := range batchSize {
					id := sent + i
					batch = append(batch, op(uint64(id), actionAdd, apiRoute(fmt.Sprintf("198.%d.%d.0/24", id>>8, id&255), via("10.0.1.2")))) //nolint:gosec // small
				}
				s.send(batch...)
			}
		}()
		accepted := s.next(capacity)
		synctest.Wait()
		held := sent
		time.Sleep(time.Minute / 2)
		synctest.Wait()
		if sent != held || sent >= total {
			t.Errorf("the sender was not held back: %d of %d sent, half a minute later %d", held, total, sent)
		}
		if n := r.status().QueueLength; n != capacity {
			t.Errorf("%d operations in a queue of %d", n, capacity)
		}
		// A single request waits, too, and gives up in time without a trace.
		ctx, cancel := context.WithTimeout(r.ctx(), time.Second)
		defer cancel()
		before := r.everything()
		_, err := r.routes.ModifyRoute(ctx, &vasicv1.ModifyRouteRequest{Action: actionAdd, Route: good6()})
		refused{code: codes.DeadlineExceeded}.checkErr(t, err)
		_, err = r.routes.FlushRoutes(ctx, &vasicv1.FlushRoutesRequest{Filter: &vasicv1.RouteFilter{Table: 254}})
		refused{code: codes.DeadlineExceeded}.checkErr(t, err)
		r.unchanged(before)

		r.resume()
		settled := 0
		results := slices.Concat(accepted, s.rest())
		<-finished
		next := uint64(0)
		for _, res := range results {
			switch {
			case res.Status == statusAccepted && res.Id == next:
				next++
			case res.Status == statusOffloaded && res.Id < next:
				settled++
			default:
				t.Fatalf("%v after %d accepted", res, next)
			}
		}
		if next != total || settled != total {
			t.Errorf("of %d operations %d were accepted and %d settled", total, next, settled)
		}
	})
}

// Answers that nobody reads do not pile up: the switch stops reading as well.
func TestAClientThatDoesNotReadIsHeldBackAndLosesNothing(t *testing.T) {
	const batchSize, total = 500, 36_000
	inAPIBubble(t, server.Config{}, func(t *testing.T, r *apiRig) {
		s := r.narrow().stream()
		go func() {
			batch := slices.Repeat([]*vasicv1.RouteOperation{{Id: 1 << 60, Action: actionReplace, Route: good6()}}, batchSize)
			for range total / batchSize {
				s.send(batch...)
			}
			s.closeSend()
		}()
		r.quiet()
		done := r.status().Revision
		time.Sleep(time.Minute / 2)
		synctest.Wait()
		if now := r.status().Revision; now != done || now >= total-2000 {
			t.Errorf("not held back: %d done, half a minute later %d of %d", done, now, total)
		}
		results := s.rest()
		for i, res := range results {
			if res.Id != 1<<60 || res.Status != statusAccepted || i > 0 && res.Revision <= results[i-1].Revision {
				t.Fatalf("answer %d: %v", i, res)
			}
		}
		if len(results) != total {
			t.Errorf("%d answers, want %d", len(results), total)
		}
	})
}
