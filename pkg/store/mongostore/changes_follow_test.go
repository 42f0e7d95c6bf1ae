package mongostore

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/eventio/eventio/internal/testenv"
	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/storetest"
)

// position is what a store.Position says: see package record.
type position struct {
	Database string `json:"database"`
	Token    string `json:"token"`
	At       int64  `json:"at"`
	Scan     bool   `json:"scan"`
}

func parsePosition(t *testing.T, text store.Position) (p position) {
	t.Helper()
	must(t, json.Unmarshal([]byte(text), &p))
	return p
}

func (p position) text() store.Position {
	text, err := json.Marshal(p)
	if err != nil {
		panic(err)
	}
	return store.Position(text)
}

// TestTheWayBack: a reader whose position the oplog has moved past, or is of another database, gets all
// rows since, those of each event in order, also when it is stopped on that way, and then goes on with
// what comes.
func TestTheWayBack(t *testing.T) {
	mongod := testenv.StartMongo(t)
	s := open(t, mongod.URI(), "way-back")
	const changeStreamHistoryLost = 286
	lose := func(command string) func(*testing.T, position) position {
		return func(t *testing.T, p position) position {
			t.Helper()
			failPoint(t, s, bson.D{{Key: "times", Value: 1}}, bson.D{
				{Key: "failCommands", Value: bson.A{command}}, {Key: "errorCode", Value: changeStreamHistoryLost}, {Key: "appName", Value: "way-back"},
			})
			t.Cleanup(func() { failPoint(t, s, "off", nil) })
			return p
		}
	}
	for name, damage := range map[string]func(*testing.T, position) position{
		"lost when it is resumed": lose("aggregate"),
		"lost while it is read":   lose("getMore"),
		"of another database": func(t *testing.T, _ position) position {
			t.Helper()
			at, err := s.ChangesPosition(t.Context()) // whose clock is ahead
			must(t, err)
			p := parsePosition(t, at)
			p.Database = "another"
			return p
		},
	} {
		t.Run(name, func(t *testing.T) { wayBack(t, s, damage) })
	}
}

// TestWhatIsNoPosition: a reader is told so, and does not begin anew without a word.
func TestWhatIsNoPosition(t *testing.T) {
	s := open(t, testenv.MongoDB(t), "no-position")
	at, err := s.ChangesPosition(t.Context())
	must(t, err)
	p := parsePosition(t, at)
	cut, odd := p, p
	cut.Token, odd.Token = p.Token[:len(p.Token)-8], "0"
	for _, text := range []store.Position{"7", "{", cut.text(), odd.text(), at[:len(at)-1]} {
		told := false
		for _, err := range s.Follow(t.Context(), text) {
			told = err != nil && strings.Contains(err.Error(), "not a position")
			break
		}
		if !told {
			t.Errorf("%q is taken", text)
		}
	}
}

// wayBack reads from a position that damage has made useless.
func wayBack(t *testing.T, s *Store, damage func(*testing.T, position) position) {
	t.Helper()
	events := []store.Event{storetest.NewEvent(t, s, 1000), storetest.NewEvent(t, s, 1000)}
	apply := func(n int) {
		t.Helper()
		for range n {
			storetest.MustApply(t, s, register(events[0].ID, store.NewID()), register(events[1].ID, store.NewID()))
		}
	}
	apply(3)
	at, err := s.ChangesPosition(t.Context())
	must(t, err)
	p := parsePosition(t, at)
	apply(20)
	from := damage(t, p).text()
	last := make(map[store.ID]int64)
	read := func(stop int, until int64, caughtUp func()) {
		t.Helper()
		once := sync.OnceFunc(caughtUp)
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		n := 0
		for f, err := range s.Follow(ctx, from) {
			must(t, err)
			from = f.Position
			if r := f.Record; r.EventID == events[0].ID || r.EventID == events[1].ID {
				if before := last[r.EventID]; r.Revision > before+1 && before > 0 {
					t.Fatalf("revision %d of %s comes after %d", r.Revision, r.EventID.Hex(), before)
				}
				last[r.EventID] = max(last[r.EventID], r.Revision)
			}
			if f.Record.Revision == 0 {
				once()
			}
			// What comes may be read on the way, when the stream is lost after it has caught up. The way has
			// an end all the same.
			if n++; n == stop || last[events[0].ID] >= until && last[events[1].ID] >= until && !parsePosition(t, from).Scan {
				return
			}
		}
		t.Fatalf("the reader ended at %v, position %s", last, from)
	}
	for range 5 {
		read(4, 24, func() {}) // is stopped on the way
	}
	read(0, 26, func() { apply(2) })
}

// stepDownUnderAReader checks that a reader of the record sees every row, those of each event in order,
// while the primary steps down twice.
func stepDownUnderAReader(t *testing.T, set *testenv.ReplicaSet) {
	writer, reader := open(t, set.URI(), "writer"), open(t, set.URI(), "reader")
	from, err := reader.ChangesPosition(t.Context())
	must(t, err)
	e := storetest.NewEvent(t, writer, 1000)
	const batches = 40
	wrote := make(chan error, 1)
	go func() {
		for i := range batches {
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			_, err := writer.Apply(ctx, []store.SeatRequest{register(e.ID, store.NewID())})
			cancel()
			if err == nil && i%15 == 10 {
				err = stepDown(set)
			}
			if err != nil {
				wrote <- err
				return
			}
		}
		wrote <- nil
	}()
	ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
	defer cancel()
	last, seen := int64(1), 0
	for last < batches+1 {
		for f, err := range reader.Follow(ctx, from) {
			must(t, err)
			from = f.Position
			if f.Record.EventID != e.ID {
				continue
			}
			if f.Record.Revision > last+1 {
				t.Fatalf("revision %d comes after %d", f.Record.Revision, last)
			}
			last = max(last, f.Record.Revision)
			if seen++; last == batches+1 || seen%9 == 0 { // killed now and then
				break
			}
		}
		if ctx.Err() != nil {
			t.Fatalf("the reader ends at revision %d", last)
		}
	}
	must(t, <-wrote)
	must(t, set.Settle())
}

// stepDown makes the primary step down, and waits for its successor.
func stepDown(set *testenv.ReplicaSet) error {
	primary, err := set.Primary()
	if err != nil {
		return err
	}
	secondaries, err := set.Secondaries()
	if err != nil {
		return err
	}
	if err := primary.Command(bson.D{{Key: "replSetStepDown", Value: 5}, {Key: "force", Value: true}}); err != nil {
		return err
	}
	return testenv.Poll(context.Background(), 30*time.Second, func() error {
		return errors.Join(secondaries[0].Command(bson.D{{Key: "replSetStepUp", Value: 1}}), set.Settle())
	})
}
