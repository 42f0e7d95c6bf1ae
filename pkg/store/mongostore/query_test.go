package mongostore

import (
	"context"
	"errors"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/eventio/eventio/internal/testenv"
	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/storetest"
)

// TestAListEndsWithItsTime checks that a list ends with its caller's time, also when the server
// hangs between two of its batches, or while the cursor is closed.
func TestAListEndsWithItsTime(t *testing.T) {
	const limit, hang, most = 300 * time.Millisecond, 2 * time.Second, time.Second
	uri := testenv.MongoDB(t)
	app := "app" + store.NewID().Hex()
	s, admin := open(t, uri, app), open(t, uri, "admin")
	event := storetest.NewEvent(t, s, 300)
	if _, err := s.Apply(t.Context(), storetest.NewRequests(event.ID, 300)); err != nil {
		t.Fatal(err)
	}
	failPoint(t, admin, "alwaysOn", bson.D{
		{Key: "failCommands", Value: bson.A{"getMore", "killCursors"}}, {Key: "appName", Value: app},
		{Key: "blockConnection", Value: true}, {Key: "blockTimeMS", Value: hang.Milliseconds()},
	})
	defer failPoint(t, admin, "off", nil)
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	began, read := time.Now(), 0
	for _, err := range s.Roster(ctx, event.ID, 0, 300, 0) {
		if err == nil {
			read++
		} else if !errors.Is(err, store.ErrUnavailable) {
			t.Error(err)
		}
	}
	if took := time.Since(began); read == 0 || read == 300 || took > most {
		t.Errorf("%d of 300 were read in %v, and the time was %v", read, took, limit)
	}
}
