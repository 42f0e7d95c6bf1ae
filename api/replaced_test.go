package api_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver/connstring"

	"github.com/eventio/eventio/internal/testenv"
)

// TestAReplacedDatabaseMakesUnready: the log says what to do, the answer tells nothing of it.
func TestAReplacedDatabaseMakesUnready(t *testing.T) {
	e := newEnv(t, "mongo", setup{})
	e.get(t, "/readyz").object(t, 200, []string{"status"})
	cs, err := connstring.ParseAndValidate(e.path)
	must(t, err)
	client, err := mongo.Connect(options.Client().ApplyURI(e.path))
	must(t, err)
	defer func() { must(t, client.Disconnect(t.Context())) }()
	must(t, client.Database(cs.Database).Collection("events").Drop(t.Context()))
	var a answer
	testenv.Eventually(t, awhile, "be unready", func() error { // a look counts for a moment
		if a = e.get(t, "/readyz"); a.status != 503 {
			return fmt.Errorf("readiness answers %d", a.status)
		}
		return nil
	})
	for _, private := range []string{"replaced", "restart", e.store.DatabaseID()} {
		if strings.Contains(string(a.body), private) {
			t.Errorf("readiness tells strangers of %q: %s", private, a.body)
		}
	}
	testenv.Eventually(t, awhile, "say what to do", func() error { // the line is written after the answer
		if e.log.find("restart this process") == "" {
			return errors.New("the log does not")
		}
		return nil
	})
}
