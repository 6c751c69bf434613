package server

import (
	"context"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/vasic-project/vasic/fib"
)

// pieces are encoded elements of a repeated field, cut so that none is much larger than maxMessageBytes.
type pieces [][]byte

// last returns the piece that the next element is appended to.
func (p *pieces) last() *[]byte {
	n := len(*p)
	if n == 0 || len((*p)[n-1]) >= maxMessageBytes {
		*p = append(*p, nil)
		n++
	}
	return &(*p)[n-1]
}

// routePieces are encoded routes.
type routePieces struct {
	encoder encoder
	field   protowire.Number // of the routes in their message
	list    pieces
}

// add encodes one more route. It must be called as an encoder's methods.
func (p *routePieces) add(r *fib.Route) {
	to := p.list.last()
	*to = p.encoder.appendRoute(*to, p.field, r)
}

// stream walks to the end and sends the routes that are selected. read is told of each chunk before its routes are sent.
func (p *routePieces) stream(ctx context.Context, w *fib.Walk, selected func(*fib.Route) bool, read func(*fib.Chunk), send func([]byte) error) error {
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
