package benchtest

import (
	"slices"
	"testing"

	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/storetest"
	"github.com/eventio/eventio/pkg/store/verify"
)

// verifiedEvents is how many events Verify has, each with a few people.
const verifiedEvents = 10_000

// Verify measures what it takes to check all events of a database where each has a few registrations.
func Verify(b *testing.B, s store.Store, reader verify.Reader) {
	var ids []store.ID
	var batch []store.SeatRequest
	for range verifiedEvents {
		event := storetest.NewWaitlistEvent(b, s, 2)
		ids = append(ids, event.ID)
		if batch = append(batch, storetest.NewRequests(event.ID, 4)...); len(batch) >= 1000 {
			storetest.MustApply(b, s, batch...)
			batch = batch[:0]
		}
	}
	storetest.MustApply(b, s, batch...)
	for name, together := range map[string]int{"one by one": 1, "together": 1000} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				checked := 0
				for page := range slices.Chunk(ids, together) {
					err := verify.CheckEvents(b.Context(), reader, page, nil, func(e verify.EventReport) error {
						if checked++; len(e.Findings) > 0 || e.Registrations != 4 {
							b.Errorf("%+v", e)
						}
						return nil
					})
					if err != nil {
						b.Fatal(err)
					}
				}
				if checked != len(ids) {
					b.Fatalf("%d events", checked)
				}
			}
		})
	}
	b.Run("ids", func(b *testing.B) {
		for b.Loop() {
			for _, err := range reader.ReadEventIDs(b.Context()) {
				if err != nil {
					b.Fatal(err)
				}
			}
		}
	})
}
