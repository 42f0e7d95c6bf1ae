package events

import (
	"testing"
	"time"

	"github.com/eventio/eventio/api/serve"
	"github.com/eventio/eventio/pkg/store"
)

// The tag of an event changes when its states do, though nothing of it was written.
func TestEventTagFollowsTheClock(t *testing.T) {
	e := store.Event{Version: 3, Revision: 7, Capacity: 1, StartsAt: time.Now().Add(time.Hour), EndsAt: time.Now().Add(2 * time.Hour)}
	soon := e
	soon.OpensAt = time.Now().Add(time.Minute)
	if eventTag(e) != `"3.7.upcoming.open"` || eventTag(soon) != `"3.7.upcoming.opens_soon"` {
		t.Errorf("%s and %s", eventTag(e), eventTag(soon))
	}
	if n := serve.TagNumbers([]string{eventTag(soon)}); len(n) != 1 || n[0] != 3 {
		t.Errorf("its version is %d", n)
	}
}
