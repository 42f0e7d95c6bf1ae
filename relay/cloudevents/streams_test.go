package cloudevents_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/eventio/eventio/api/wire"
	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/changes"
)

// TestStreamsOfAnyForm: whatever streams operators have made, everybody else gets every item, also while
// somebody listens, which hides from the sender that no stream has taken it.
func TestStreamsOfAnyForm(t *testing.T) {
	st := openStore(t)
	e, types := story(t, st)
	other, _ := story(t, st)
	for name, c := range map[string]struct {
		streams []jetstream.StreamConfig
		sealed  bool
		want    []string // in the first stream
	}{
		"of one type":      {streams: []jetstream.StreamConfig{{Subjects: []string{"eventio.events.*.promoted"}}}, want: []string{"promoted"}},
		"of two types":     {streams: []jetstream.StreamConfig{{Subjects: []string{"eventio.events.*.promoted", "eventio.events.*.cancelled"}}}, want: []string{"cancelled", "promoted"}},
		"two streams":      {streams: []jetstream.StreamConfig{{Subjects: []string{"eventio.events.*.edited"}}, {Subjects: []string{"eventio.*.*.promoted"}}}, want: []string{"edited"}},
		"of this event":    {streams: []jetstream.StreamConfig{{Subjects: []string{"eventio.events." + e.ID.Hex() + ".>"}}}, want: types},
		"of another event": {streams: []jetstream.StreamConfig{{Subjects: []string{"eventio.events." + other.ID.Hex() + ".>"}}}},
		"of more":          {streams: []jetstream.StreamConfig{{Subjects: []string{"eventio.>"}}}, want: types},
		"acknowledges not": {streams: []jetstream.StreamConfig{{Subjects: []string{"eventio.events.>"}, NoAck: true}}, want: types},
		"for small ones":   {streams: []jetstream.StreamConfig{{Subjects: []string{"eventio.events.>"}, MaxMsgSize: 10}}},
		"sealed":           {streams: []jetstream.StreamConfig{{Subjects: []string{"eventio.events.>"}}}, sealed: true},
	} {
		for _, heard := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, heard %v", name, heard), func(t *testing.T) {
				ns := startNATS(t, t.TempDir(), server.RANDOM_PORT)
				conn := connect(t, ns.ClientURL())
				js, err := jetstream.New(conn)
				if err != nil {
					t.Fatal(err)
				}
				for n, config := range c.streams {
					config.Name = []string{"CHANGES", "OTHERS"}[n]
					_, err := js.CreateStream(t.Context(), config)
					if config.Sealed = c.sealed; err == nil && c.sealed {
						_, err = js.UpdateStream(t.Context(), config)
					}
					if err != nil {
						t.Fatal(err)
					}
				}
				deliver := func() {
					t.Helper()
					if err := newSink(t, conn, st).Deliver(t.Context(), rowsOf(t, st, e.ID)); err != nil {
						t.Fatal(err)
					}
				}
				if !heard {
					deliver()
				} else {
					listener := connect(t, ns.ClientURL())
					sub, err := listener.SubscribeSync("eventio.events.>")
					if err == nil {
						err = listener.Flush()
					}
					if err != nil {
						t.Fatal(err)
					}
					deliver()
					for _, kind := range types {
						if msg, err := sub.NextMsg(limit); err != nil || !strings.HasSuffix(msg.Subject, "."+kind) {
							t.Fatalf("%v, %v, want %s", msg, err, kind)
						}
					}
				}
				var ids []string
				for _, row := range rowsOf(t, st, e.ID) {
					for _, item := range changes.Items(row) {
						ids = append(ids, wire.ChangeOf(row, item).ID)
					}
				}
				got := streamed(t, js)
				for n, id := range got {
					got[n] = types[slices.Index(ids, id)]
				}
				if !slices.Equal(got, c.want) {
					t.Errorf("the stream has %v, want %v", got, c.want)
				}
			})
		}
	}
}

// TestManyItems: rows that name more people than a server takes within the limit of one wait are told, with a
// stream and without.
func TestManyItems(t *testing.T) {
	st := openStore(t)
	const rows, people, wait = 4, 10_000, 500 * time.Millisecond
	event := store.NewID()
	var records []store.ChangeRecord
	for row := range rows {
		record := store.ChangeRecord{EventID: event, Revision: int64(row + 1), At: time.Now()}
		for n := range people {
			record.Roster = append(record.Roster, store.NumberedUser{Number: int64(row*people + n + 1), UserID: store.NewID()})
		}
		records = append(records, record)
	}
	for name, subjects := range map[string][]string{"without a stream": nil, "with a stream": {"eventio.events.>"}} {
		t.Run(name, func(t *testing.T) {
			ns := startNATS(t, t.TempDir(), server.RANDOM_PORT)
			conn := connect(t, ns.ClientURL())
			js, err := jetstream.New(conn)
			if err == nil && subjects != nil {
				_, err = js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "CHANGES", Subjects: subjects, Storage: jetstream.MemoryStorage})
			}
			if err != nil {
				t.Fatal(err)
			}
			sink := newSink(t, conn, st)
			sink.SetLimit(wait)
			begun := time.Now()
			if err := sink.Deliver(t.Context(), records); err != nil {
				t.Fatal(err)
			}
			if took := time.Since(begun); took < wait {
				t.Logf("only %v, so this shows nothing", took)
			}
			if subjects == nil {
				return
			}
			stream, err := js.Stream(t.Context(), "CHANGES")
			if err != nil {
				t.Fatal(err)
			}
			if n := stream.CachedInfo().State.Msgs; n != rows*people {
				t.Errorf("the stream has %d, want %d", n, rows*people)
			}
		})
	}
}
