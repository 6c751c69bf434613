package codec

import "google.golang.org/grpc/mem"

// pool holds the buffers of encoded messages. grpc's default pool has no size between 32 KiB and 1 MiB and clears a buffer to
// its full capacity whenever it hands it out; batches of routes are just there, so this one has every power of two. Bigger
// messages than the largest are rare (a batch of 4,096 routes is about 300 KB) and share a pool of any size.
var pool = newPool()

func newPool() mem.BufferPool {
	p, err := mem.NewBinaryTieredBufferPool(11, 12, 13, 14, 15, 16, 17, 18, 19, 20)
	if err != nil {
		panic(err) // only for sizes that do not fit into an int
	}
	return p
}
