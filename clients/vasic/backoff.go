package vasic

import (
	"context"
	"math"
	"math/rand/v2"
	"time"

	"google.golang.org/grpc/backoff"
)

// delay is the wait after so many failures in a row. It is gRPC's formula (grpc/internal/backoff cannot be imported), except
// that the first wait has jitter too: the watchers that a restart of a switch cuts off shall not come back together.
func delay(c backoff.Config, failures int) time.Duration {
	d := float64(c.BaseDelay) * math.Pow(max(c.Multiplier, 1), float64(failures))
	d = min(d, float64(max(c.MaxDelay, c.BaseDelay)))
	return time.Duration(max(0, d*(1+c.Jitter*(2*rand.Float64()-1))))
}

// sleep waits for d, or until ctx ends.
func sleep(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
