package asic

import "context"

// Place runs a function at the moment at which a call is to take effect. It is given where the caller has an order to keep, and must call the function once.
type Place func(effect func())

// at runs effect in the place given, or at once.
func at(places []Place, effect func()) {
	if len(places) > 0 {
		places[0](effect)
		return
	}
	effect()
}

// Exactly has one unit at a time done, each within Config.Turn, until it is called with false as often as with true. With true it returns when that is so.
func (c *Chip) Exactly(on bool) { c.queue.exactly(on, c.done) }

// Idle waits until everything queued so far is programmed and reported, or ctx is done.
func (c *Chip) Idle(ctx context.Context) error { return c.queue.idle(ctx, c.done) }

// Pause stops the programming goroutine between two operations, and returns when it stands. It interrupts the delay of a fault rule, which goes on later.
func (c *Chip) Pause(ctx context.Context, place ...Place) error {
	at(place, c.queue.pause)
	return c.queue.stand(ctx, c.done)
}

// Hold has the programming goroutine do nothing but what StepTo asks for, whatever else is called, and returns when it stands. Pause, Step, Resume and
// Reload count all the same for what is done in which order, but do not wait.
func (c *Chip) Hold(ctx context.Context, place ...Place) error {
	at(place, c.queue.hold)
	return c.queue.stand(ctx, c.done)
}

// Resume lets the goroutine go on.
func (c *Chip) Resume() {
	c.Unpause()
	c.Unhold()
}

// Unpause ends a pause; a hold goes on.
func (c *Chip) Unpause() { c.queue.resume() }

// Unhold ends a hold; a pause goes on.
func (c *Chip) Unhold() { c.queue.unhold() }

// Step lets the paused programming goroutine do up to n operations and returns how many it did: fewer when the queue ran empty or a fault rule stalls it.
func (c *Chip) Step(ctx context.Context, n int, place ...Place) (int, error) {
	return c.queue.step(ctx, n, c.done, place)
}

// StepTo lets the paused or held programming goroutine go on up to a position, and returns the one that it has reached: an earlier one when the queue ran
// empty or a fault rule stalls it.
func (c *Chip) StepTo(ctx context.Context, position uint64) (uint64, error) {
	return c.queue.stepTo(ctx, position, c.done)
}

func (q *queue) exactly(on bool, stopped <-chan struct{}) {
	q.mu.Lock()
	if q.exact++; !on {
		q.exact -= 2
	}
	q.mu.Unlock()
	if !on {
		return
	}
	q.interrupt.Store(true)
	if q.await(context.Background(), stopped, func() bool { return !q.batching }) == nil {
		q.mu.Unlock()
	}
}

func (q *queue) pause() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.paused, q.walking = true, false // a step under way ends with what is in flight
	q.interrupt.Store(true)
	q.wake()
}

func (q *queue) hold() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.held = true
	q.interrupt.Store(true)
	q.wake()
}

// stand waits until nothing is being done.
func (q *queue) stand(ctx context.Context, stopped <-chan struct{}) error {
	if err := q.await(ctx, stopped, func() bool { return !q.busy }); err != nil {
		return err
	}
	q.mu.Unlock()
	return nil
}

func (q *queue) resume() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.paused, q.walking, q.steps = false, false, 0
	q.wake()
}

func (q *queue) unhold() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.held, q.until = false, 0
	q.wake()
}

// step lets n operations through and waits for them.
func (q *queue) step(ctx context.Context, n int, stopped <-chan struct{}, place []Place) (done int, err error) {
	if err := q.stepping.lock(ctx); err != nil {
		return 0, err
	}
	defer q.stepping.unlock()
	paused, held := false, false
	at(place, func() {
		q.mu.Lock()
		defer q.mu.Unlock()
		if paused, held = q.paused, q.held; paused {
			q.steps, q.stepped, q.walking = n, 0, true
			q.wake()
		}
	})
	switch {
	case !paused:
		return 0, ErrNotPaused
	case held:
		return 0, nil
	}
	if err = q.await(ctx, stopped, func() bool { return !q.paused || !q.busy && !q.permitted() }); err != nil {
		q.mu.Lock()
	}
	defer q.mu.Unlock()
	q.walking = false
	return q.stepped, err
}

// stepTo lets units through up to a position and waits for them.
func (q *queue) stepTo(ctx context.Context, position uint64, stopped <-chan struct{}) (reached uint64, err error) {
	if err := q.stepping.lock(ctx); err != nil {
		return 0, err
	}
	defer q.stepping.unlock()
	q.mu.Lock()
	if !q.paused && !q.held {
		q.mu.Unlock()
		return 0, ErrNotPaused
	}
	q.until = position
	q.wake()
	q.mu.Unlock()
	if err = q.await(ctx, stopped, func() bool { return q.until != position || !q.busy && !q.permitted() }); err != nil {
		q.mu.Lock()
	}
	defer q.mu.Unlock()
	q.until = 0
	return q.position, err
}
