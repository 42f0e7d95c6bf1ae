package process

import (
	"context"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

const (
	// lookEvery is how often memory is looked at. A process that has allocated less than
	// idleBytes since is idle.
	lookEvery = 5 * time.Second
	idleBytes = 5 << 20
	// spareBytes is by how much memory must have grown to be worth a collection.
	spareBytes = 32 << 20
)

// giveMemoryBack returns what a burst has left to the operating system, as soon as the
// process is idle, until ctx ends. The runtime would do so only with the collections that
// come while a program allocates, and an idle one does not.
func giveMemoryBack(ctx context.Context) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	var m memory
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if !m.spare(readMemory()) {
			continue
		}
		// What is in pools outlives one collection.
		runtime.GC()
		debug.FreeOSMemory()
		_, m.kept = readMemory()
	}
}

// memory is what is known from the last look.
type memory struct {
	allocated uint64
	kept      uint64 // the least held since memory was given back, in bytes
}

// spare reports whether the process is idle and holds memory that it does not seem to need.
// allocated is what it has ever allocated, and held what it has of the operating system now,
// in bytes.
func (m *memory) spare(allocated, held uint64) bool {
	idle := allocated-m.allocated < idleBytes
	m.allocated, m.kept = allocated, min(m.kept, held)
	return idle && held-m.kept > spareBytes
}

// readMemory costs some microseconds and stops nobody.
func readMemory() (allocated, held uint64) {
	s := []metrics.Sample{
		{Name: "/gc/heap/allocs:bytes"},
		{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"},
	}
	metrics.Read(s)
	return s[0].Value.Uint64(), s[1].Value.Uint64() - s[2].Value.Uint64()
}
