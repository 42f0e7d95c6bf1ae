package mongostore

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/eventio/eventio/internal/testenv"
	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/storetest"
)

func TestMain(m *testing.M) { testenv.Main(m) }

// open opens a store as a process called app, so that fail points can be for it alone.
func open(tb testing.TB, uri, app string) *Store {
	tb.Helper()
	s, err := Open(tb.Context(), uri+"&appName="+app, zerolog.New(zerolog.NewTestWriter(tb)))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := s.Close(); err != nil {
			tb.Error(err)
		}
	})
	return s
}

// failPoint makes the server fail commands of the process called app.
func failPoint(tb testing.TB, admin *Store, mode any, data bson.D) {
	tb.Helper()
	cmd := bson.D{{Key: "configureFailPoint", Value: "failCommand"}, {Key: "mode", Value: mode}}
	if data != nil {
		cmd = append(cmd, bson.E{Key: "data", Value: data})
	}
	// Not tb.Context: fail points are healed in cleanups too.
	if err := admin.client.Database("admin").RunCommand(context.Background(), cmd).Err(); err != nil {
		tb.Fatalf("set a fail point; the server needs --setParameter enableTestCommands=1: %v", err)
	}
}

func target(tb testing.TB) storetest.Target {
	uri, app := testenv.MongoDB(tb), "app"+store.NewID().Hex()
	return targetOver(tb, uri, open(tb, uri, app), app)
}

// targetOver returns the target of a store whose process is called app.
func targetOver(tb testing.TB, uri string, s *Store, app string) storetest.Target {
	admin := open(tb, uri, "admin")
	return storetest.Target{
		Store: s,
		Again: func(tb testing.TB) store.Store { return open(tb, uri, "again") },
		Fail: func(tb testing.TB, op storetest.Operation, ending storetest.Ending) func() {
			command := map[storetest.Operation]string{storetest.Apply: "commitTransaction", storetest.Create: "insert"}[op]
			data := bson.D{{Key: "failCommands", Value: bson.A{command}}, {Key: "appName", Value: app}}
			if ending == storetest.Failed { // before the command runs
				data = append(data, bson.E{Key: "errorCode", Value: 8000})
			} else { // after it ran
				data = append(data, bson.E{Key: "writeConcernError", Value: bson.D{
					{Key: "code", Value: 64}, {Key: "errmsg", Value: "the majority is not known to have it"},
				}})
			}
			failPoint(tb, admin, "alwaysOn", data)
			return func() { failPoint(tb, admin, "off", nil) }
		},
	}
}

// TestCommitErrorsAreSettled checks that a commit which fails once, in whichever way, ends with the
// right outcome, and with one registration.
func TestCommitErrorsAreSettled(t *testing.T) {
	uri := testenv.MongoDB(t)
	app := "app" + store.NewID().Hex()
	s, admin := open(t, uri, app), open(t, uri, "admin")
	for name, how := range map[string]bson.D{
		"write conflict, not applied":              {{Key: "errorCode", Value: 112}},
		"no such transaction, not applied":         {{Key: "errorCode", Value: 251}},
		"lifetime limit exceeded, not applied":     {{Key: "errorCode", Value: 290}},
		"max time expired, not applied":            {{Key: "errorCode", Value: 50}},
		"connection closed, not applied":           {{Key: "closeConnection", Value: true}},
		"applied, and the majority does not agree": {{Key: "writeConcernError", Value: bson.D{{Key: "code", Value: 64}, {Key: "errmsg", Value: "wtimeout"}}}},
		"applied, and the primary steps down":      {{Key: "writeConcernError", Value: bson.D{{Key: "code", Value: 91}, {Key: "errmsg", Value: "shutdown in progress"}}}},
	} {
		t.Run(name, func(t *testing.T) {
			event := storetest.NewEvent(t, s, 2)
			batch := storetest.NewRequests(event.ID, 3)
			data := append(bson.D{{Key: "failCommands", Value: bson.A{"commitTransaction"}}, {Key: "appName", Value: app}}, how...)
			// Twice: the driver tries some of them again on its own.
			failPoint(t, admin, bson.D{{Key: "times", Value: 2}}, data)
			defer failPoint(t, admin, "off", nil)
			results, err := s.Apply(t.Context(), batch)
			if err != nil {
				t.Fatal(err)
			}
			want := []store.Outcome{store.Registered, store.Registered, store.SoldOut}
			for i, res := range results {
				if res.Outcome != want[i] {
					t.Errorf("request %d is %s, want %s", i, res.Outcome, want[i])
				}
			}
			if roster := storetest.Check(t, s, event.ID); len(roster) != 2 || !roster[0].Equal(results[0].Registration) {
				t.Errorf("roster is %+v", roster)
			}
		})
	}
}

// TestASlowCommitIsUnknown checks that it is unknown whether a batch is stored when its commit
// takes longer than its caller waits.
func TestASlowCommitIsUnknown(t *testing.T) {
	uri := testenv.MongoDB(t)
	app := "app" + store.NewID().Hex()
	s, admin := open(t, uri, app), open(t, uri, "admin")
	event := storetest.NewEvent(t, s, 1)
	failPoint(t, admin, bson.D{{Key: "times", Value: 1}}, bson.D{
		{Key: "failCommands", Value: bson.A{"commitTransaction"}}, {Key: "appName", Value: app},
		{Key: "blockConnection", Value: true}, {Key: "blockTimeMS", Value: 600},
	})
	defer failPoint(t, admin, "off", nil)
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	request := storetest.NewRequest(event.ID)
	if _, err := s.Apply(ctx, []store.SeatRequest{request}); err == nil || errors.Is(err, store.ErrUnavailable) {
		t.Fatalf("error is %v, want one that leaves the outcome open", err)
	}
	results, err := s.Apply(t.Context(), []store.SeatRequest{request})
	if err != nil || results[0].Outcome != store.Registered {
		t.Fatalf("repeated: %+v, %v", results, err)
	}
	storetest.Check(t, s, event.ID)
}

func TestAHighLifetimeLimitIsWarnedOf(t *testing.T) {
	admin := open(t, testenv.MongoDB(t), "admin")
	set := func(seconds int) {
		cmd := bson.D{{Key: "setParameter", Value: 1}, {Key: "transactionLifetimeLimitSeconds", Value: seconds}}
		if err := admin.client.Database("admin").RunCommand(context.Background(), cmd).Err(); err != nil {
			t.Fatal(err)
		}
	}
	for seconds, want := range map[int]bool{2: false, 60: true} {
		set(seconds)
		var log bytes.Buffer
		err := admin.checkServer(t.Context(), zerolog.New(&log))
		set(2)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(log.String(), "setParameter"); got != want {
			t.Errorf("with %d s the log is %q", seconds, log.String())
		}
	}
}

func TestOpenWaitsNoLongerThanItsContext(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	_, err := Open(ctx, "mongodb://127.0.0.1:1/eventio?replicaSet=rs0", zerolog.Nop())
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("error is %v", err)
	}
}
