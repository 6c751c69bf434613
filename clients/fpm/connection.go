package fpm

import (
	"context"
	"errors"
	"io"
	"net"
	"time"
)

const (
	applyBatch  = 512     // frames that take effect under one lock
	answerBytes = 1 << 16 // of answers that are written at once
	// slowSweep is after how many times Config.SweepAfter a connection that keeps speaking of new routes, but of none that was
	// there before it, has told all.
	slowSweep = 10
)

// connection is one connection of zebra's, and one epoch.
type connection struct {
	*Router
	conn   net.Conn
	epoch  uint64
	closed chan struct{} // when it is over
	wake   chan struct{} // there may be something to answer
	held   holdQueue     // answers that a fault delays; guarded by Router.mu
}

var (
	errSuperseded   = errors.New("zebra has connected anew")
	errDisconnected = errors.New("disconnected on purpose")
)

// connect makes conn the present connection, and ends the one before.
func (r *Router) connect(conn net.Conn) *connection {
	c := &connection{Router: r, conn: conn, closed: make(chan struct{}), wake: make(chan struct{}, 1)}
	kernel := r.config.Links == LinksKernel || r.config.Links == LinksAuto && isOwnZebra(conn)
	var old *connection
	r.locked(func() {
		if old = r.connection; old != nil {
			old.detach()
		}
		r.rib.connect(time.Now())
		c.epoch = r.rib.epoch
		r.connection = c
		r.useLinks(kernel)
	})
	if old != nil {
		old.report(errSuperseded)
	}
	r.metrics.connections.Inc()
	r.logger.Info("zebra connected", "peer", conn.RemoteAddr().String(), "epoch", c.epoch, "kernel_links", kernel)
	return c
}

// end ends the connection if it is the present one.
func (c *connection) end(why error) {
	ended := false
	c.locked(func() { ended = c.detach() })
	if ended {
		c.report(why)
	}
}

// detach ends the connection, and says false if it is not the present one. Called with mu held.
func (c *connection) detach() bool {
	if c.connection != c {
		return false
	}
	c.connection = nil
	c.rib.connected = false
	close(c.closed)
	_ = c.conn.Close()
	return true
}

// report logs and counts the end of the connection.
func (c *connection) report(why error) {
	level := c.logger.Info
	if m := (*MalformedError)(nil); errors.As(why, &m) {
		c.metrics.malformed.Inc()
		level = c.logger.Warn
	}
	level("zebra's connection is over", "epoch", c.epoch, "reason", why)
}

// serve runs the connection until it is over.
func (c *connection) serve(ctx context.Context) {
	stop := context.AfterFunc(ctx, func() { c.end(context.Cause(ctx)) })
	defer stop()
	done := make(chan struct{}, 2)
	go func() {
		c.writeAnswers()
		done <- struct{}{}
	}()
	go func() {
		c.sweepWhenQuiet()
		done <- struct{}{}
	}()
	err := c.read()
	if errors.Is(err, io.EOF) {
		err = errors.New("closed by zebra")
	}
	c.end(err)
	<-done
	<-done
}

// read takes frames until the connection ends. Frames that have arrived together take effect together.
func (c *connection) read() error {
	frames := newFrameReader(c.conn)
	var batch decoder
	total := uint64(0)
	for {
		var failure error
		for {
			f, err := frames.next()
			if err == nil {
				err = batch.frame(f)
			}
			if failure = err; err != nil || batch.frames >= applyBatch || !frames.ready() {
				break
			}
		}
		if err := c.passGate(); err != nil {
			return err
		}
		total += uint64(batch.frames) //nolint:gosec // a small number
		c.apply(&batch)
		batch.reset()
		if failure != nil {
			return failure
		}
		if limit := c.Faults().DisconnectAfter; limit > 0 && total >= limit {
			return errDisconnected
		}
	}
}

// passGate waits while a fault keeps the connection from being read. It is passed after a batch was read: zebra may have been silent
// since before the fault, and what it writes then shall have no effect.
func (c *connection) passGate() error {
	c.mu.Lock()
	gate := c.gate
	c.mu.Unlock()
	if gate == nil {
		return nil
	}
	select {
	case <-gate:
		return nil
	case <-c.closed:
		return net.ErrClosed
	}
}

// apply lets a batch take effect, if the connection is still the present one.
func (c *connection) apply(batch *decoder) {
	if len(batch.updates) == 0 {
		return
	}
	now := time.Now()
	c.locked(func() {
		if c.connection != c {
			return
		}
		for i := range batch.updates {
			c.rib.apply(&batch.updates[i], now)
		}
	})
	c.metrics.frames.Add(float64(batch.frames))
	for i := range batch.updates {
		c.metrics.messages[batch.updates[i].kind].Inc()
	}
}

// sweepWhenQuiet deletes what the connection has not confirmed, when it has told all: the protocol has no mark for that.
func (c *connection) sweepWhenQuiet() {
	after := c.config.SweepAfter
	if after < 0 {
		return
	}
	timer := time.NewTimer(after)
	defer timer.Stop()
	for {
		select {
		case now := <-timer.C:
			timer.Reset(c.sweep(now, after))
		case <-c.closed:
			return
		}
	}
}

// sweep sweeps if it is time, and returns how long to wait for the next look.
func (c *connection) sweep(now time.Time, after time.Duration) (wait time.Duration) {
	swept := 0
	c.locked(func() {
		quiet := now.Sub(c.rib.heard)
		switch {
		case c.connection != c || c.gate != nil || c.rib.stale == 0 && !c.rib.syncing:
			wait = after
		case quiet < after && now.Sub(c.rib.confirmed) < slowSweep*after:
			wait = after - quiet
		default:
			swept = c.rib.sweep()
			wait = after
		}
	})
	if swept > 0 {
		c.metrics.swept.Add(float64(swept))
		c.logger.Info("deleting routes that zebra has not confirmed", "routes", swept)
	}
	return wait
}
