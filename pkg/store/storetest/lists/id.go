package lists

import (
	"regexp"
	"testing"

	"github.com/eventio/eventio/pkg/store/storetest"
)

// testDatabaseID checks that all processes over a database know it by the same id, which can be a
// token of a NATS subject. Each adapter tests by itself that other databases have other ids.
func testDatabaseID(t *testing.T, target storetest.Target) {
	id := target.Store.DatabaseID()
	if !regexp.MustCompile(`^[a-z0-9]{1,32}$`).MatchString(id) {
		t.Errorf("the database's id is %q", id)
	}
	if again := target.Again(t).DatabaseID(); again != id {
		t.Errorf("another process knows the database as %s, this one as %s", again, id)
	}
	storetest.NewEvent(t, target.Store, 1)
	if later := target.Again(t).DatabaseID(); later != id {
		t.Errorf("the id of the database has changed from %s to %s", id, later)
	}
	if err := target.Store.Ping(storetest.Context(t)); err != nil {
		t.Errorf("ping: %v", err)
	}
}
