package server

import (
	"context"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/vasic-project/vasic/fib"
)

// pieces are encoded routes, cut so that none is much larger than maxMessageBytes.
type pieces struct {
	encoder encoder
	field   protowire.Number // of the routes in their message
	list    [][]byte
}

// add encodes one more route. It must be called as an encoder's methods.
func (p *pieces) add(r *fib.Route) {
	n := len(p.list)
	if n == 0 || len(p.list[n-1]) >= maxMessageBytes {
		p.list = append(p.list, nil)
		n++
	}
	p.list[n-1] = p.encoder.appendRoute(p.list[n-1], p.field, r)
}

// stream walks to the end and sends the routes that are selected. read is told of each chunk before its routes are sent.
func (p *pieces) stream(ctx context.Context, w *fib.Walk, selected func(*fib.Route) bool, read func(*fib.Chunk), send func([]byte) error) error {
	for {
		p.list = nil
		chunk, more := w.Next(func(r *fib.Route) {
			if selected(r) {
				p.add(r)
			}
		})
		if !more {
			return nil
		}
		read(&chunk)
		for _, routes := range p.list {
			if err := send(routes); err != nil {
				return err
			}
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
}
