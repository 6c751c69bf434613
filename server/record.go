package server

import (
	"context"
	"errors"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/vasic-project/vasic/api/codec"
	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
	"github.com/vasic-project/vasic/notifier"
)

// recordService is vasic.v1.RecordService.
type recordService struct {
	vasicv1.UnimplementedRecordServiceServer
	s *Server
}

// record is one Record call. It is owned by its handler's goroutine.
type record struct {
	s      *Server
	stream grpc.ServerStreamingServer[vasicv1.RecordResponse]
	reader *notifier.Reader[meta]
	batch  notifier.Batch
	unsent []byte // events read from the log and not sent, as RecordResponse.events
}

func (rs recordService) Record(_ *vasicv1.RecordRequest, stream grpc.ServerStreamingServer[vasicv1.RecordResponse]) error {
	release, err := rs.s.admitWatcher()
	if err != nil {
		return statusOf(err)
	}
	defer release()
	rec, started := rs.s.recorder.start()
	defer rs.s.recorder.stop(rec)
	reader, err := rs.s.journal.log.NewReader(0, started.Revision)
	if err != nil {
		return statusOf(err)
	}
	defer reader.Close()
	if err := stream.Send(&vasicv1.RecordResponse{Started: started}); err != nil {
		return err
	}
	r := &record{s: rs.s, stream: stream, reader: reader}
	for {
		select {
		case <-rec.wake:
		case <-stream.Context().Done():
			return statusOf(stream.Context().Err())
		case <-rs.s.stopped: // everything that happened is here
			if _, err := r.send(rec); err != nil {
				return statusOf(err)
			}
			return errShuttingDown
		}
		if ended, err := r.send(rec); ended || err != nil {
			return statusOf(err)
		}
	}
}

func (rs recordService) EndRecording(_ context.Context, req *vasicv1.EndRecordingRequest) (*vasicv1.EndRecordingResponse, error) {
	rs.s.recorder.finish(req.Recording)
	return &vasicv1.EndRecordingResponse{}, nil
}

// send sends what can be sent: each call after the events up to its revision and before the others. It reports whether that was all.
func (r *record) send(rec *recording) (ended bool, err error) {
	out := r.s.recorder.take(rec)
	if out.overflow {
		return false, errRecordingTooSlow
	}
	for _, call := range out.calls {
		if err := r.events(call.Revision); err != nil {
			return false, err
		}
		if err := r.stream.Send(&vasicv1.RecordResponse{Call: &call.RecordedCall}); err != nil {
			return false, err
		}
	}
	if err := r.events(out.revision); err != nil || out.ended == nil {
		return false, err
	}
	return true, r.stream.Send(&vasicv1.RecordResponse{Ended: out.ended})
}

// events sends the events up to a revision that have not been sent. The log has them.
func (r *record) events(to uint64) error {
	for {
		n, err := eventsUpTo(r.unsent, to)
		if err != nil {
			return err
		}
		if n > 0 {
			if err := r.stream.SendMsg(codec.Raw{r.unsent[:n:n]}); err != nil {
				return err
			}
			r.unsent = r.unsent[n:]
		}
		if len(r.unsent) > 0 || r.reader.Cursor() >= to {
			return nil
		}
		if err := r.reader.Next(r.stream.Context(), &r.batch, maxMessageBytes, nil); err != nil {
			return err
		}
		if r.unsent, err = asRecordEvents(r.batch.Chunks); err != nil {
			return err
		}
	}
}

var errBrokenLog = errors.New("the log holds something that is no event")

// asRecordEvents turns WatchResponse.events into RecordResponse.events.
func asRecordEvents(chunks [][]byte) (events []byte, err error) {
	for _, chunk := range chunks {
		for len(chunk) > 0 {
			field, kind, n := protowire.ConsumeTag(chunk)
			if n < 0 || field != fieldWatchEvents || kind != protowire.BytesType {
				return nil, errBrokenLog
			}
			event, m := protowire.ConsumeBytes(chunk[n:])
			if m < 0 {
				return nil, errBrokenLog
			}
			events = protowire.AppendBytes(protowire.AppendTag(events, fieldRecordEvents, protowire.BytesType), event)
			chunk = chunk[n+m:]
		}
	}
	return events, nil
}

// eventsUpTo returns the length of the events with revisions up to one.
func eventsUpTo(events []byte, to uint64) (n int, err error) {
	for n < len(events) {
		_, _, tag := protowire.ConsumeTag(events[n:])
		if tag < 0 {
			return 0, errBrokenLog
		}
		event, size := protowire.ConsumeBytes(events[n+tag:])
		field, _, head := protowire.ConsumeTag(event)
		if size < 0 || head < 0 || field != fieldEventRevision { // the encoder writes fields in order, and no revision is 0
			return 0, errBrokenLog
		}
		if revision, m := protowire.ConsumeVarint(event[head:]); m < 0 || revision > to {
			break
		}
		n += tag + size
	}
	return n, nil
}
