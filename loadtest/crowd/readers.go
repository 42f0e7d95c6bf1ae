package crowd

import (
	"math/rand"

	"github.com/eventio/eventio/loadtest/load"
	"github.com/eventio/eventio/pkg/store"
)

// Always reads one path.
func Always(path string) func() load.Request {
	return func() load.Request { return load.Request{Path: path} }
}

// Zipf reads events: of popular things the n-th is asked for a n-th as often.
func Zipf(events []store.ID) func() load.Request {
	order := rand.NewZipf(rand.New(rand.NewSource(14)), 1.01, 1, uint64(len(events)-1))
	paths := make([]string, 1<<16)
	for i := range paths {
		paths[i] = "/api/events/" + events[order.Uint64()].Hex()
	}
	return func() load.Request { return load.Request{Path: paths[rand.Intn(len(paths))]} }
}
