package loadtest

import (
	"context"
	"net/http/httptest"
	"testing"

	"github.com/eventio/eventio/loadtest/baseline"
	"github.com/eventio/eventio/loadtest/load"
)

// original is the baseline, served in this process.
type original struct {
	*baseline.Embedded
	updateOne, findOneAndUpdate string // addresses of its two forms
}

func startOriginal(b *testing.B, mongoURI string) *original {
	b.Helper()
	e, err := baseline.OpenEmbedded(mongoURI)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = e.Close() }) // all it held is dropped
	serve := func(update baseline.Update) string {
		server := httptest.NewServer(e.Handler(update))
		b.Cleanup(server.Close)
		return server.Listener.Addr().String()
	}
	return &original{e, serve(baseline.UpdateOne), serve(baseline.FindOneAndUpdate)}
}

// burst fires at one form of the baseline, and checks what it has stored. The cost grows
// with the array, so it is cut into slices, each on an event of its own whose array has
// baselineArray ids on the average.
func (o *original) burst(b *testing.B, addr string) burst {
	b.Helper()
	var all burst
	for range baselineSlices {
		registered := baselineArray - baselineRequests/2
		events, err := o.Create(context.Background(), 1, registered)
		if err != nil {
			b.Fatal(err)
		}
		slice := fire(b, addr, events[0], connections, baselineRequests)
		a, err := o.Account(context.Background(), load.Account{Event: events[0], Told: slice.told(), Before: registered})
		if err != nil {
			b.Fatal(err)
		}
		if err := a.Check(); err != nil {
			b.Fatalf("baseline: %v", err)
		}
		all.add(slice)
	}
	return all
}
