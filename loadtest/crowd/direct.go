package crowd

import (
	"context"
	"fmt"
	"time"

	"github.com/eventio/eventio/pkg/store"
)

// grantLimit bounds a batch that the store is given by itself.
const grantLimit = 30 * time.Second

// SeatRequests are n new users' requests for a seat, as a worker gives them to the store.
func SeatRequests(event store.ID, n int) []store.SeatRequest {
	batch := make([]store.SeatRequest, n)
	for i := range batch {
		user := store.NewID()
		batch[i] = store.SeatRequest{Kind: store.Register, EventID: event, UserID: user, RequestID: user.Hex(), At: time.Now()}
	}
	return batch
}

// Grant has a store register a whole batch.
func Grant(ctx context.Context, s store.Seats, batch []store.SeatRequest) error {
	ctx, cancel := context.WithTimeout(ctx, grantLimit)
	defer cancel()
	results, err := s.Apply(ctx, batch)
	if err != nil {
		return err
	}
	for _, r := range results {
		if r.Outcome != store.Registered {
			return fmt.Errorf("the store says %s to a request that it is to grant", r.Outcome)
		}
	}
	return nil
}
