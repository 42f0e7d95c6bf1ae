package worker_test

import (
	"math/rand/v2"
	"path/filepath"
	"sync"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"
	"github.com/rs/zerolog"

	"github.com/eventio/eventio/internal/testenv"
	"github.com/eventio/eventio/pkg/messages"
	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/mongostore"
	"github.com/eventio/eventio/pkg/store/storetest"
)

// TestProcessesMayChooseDifferentWorkers: while a cluster is being updated, processes of two versions
// choose different workers for an event. That only moves work: each person has one seat, no seat is given
// twice, and a request that comes again by the other way gets its answer again.
func TestProcessesMayChooseDifferentWorkers(t *testing.T) {
	for name, open := range map[string]func(t *testing.T) store.Store{
		"sqlite": func(t *testing.T) store.Store { return openFile(t, filepath.Join(t.TempDir(), "eventio.db")) },
		"mongodb": func(t *testing.T) store.Store {
			st, err := mongostore.Open(t.Context(), testenv.MongoDB(t), zerolog.Nop())
			if err != nil {
				t.Fatal(err)
			}
			return st
		},
	} {
		t.Run(name, func(t *testing.T) {
			server := testenv.StartNATS(t)
			production := open(t)
			closeAtEnd(t, production)
			const capacity, people = 60, 100
			event := storetest.NewEvent(t, production, capacity).ID
			startWorker(t, server, production)
			startWorker(t, server, production)
			conn, err := messages.Connect(server.URL(), "versions", zerolog.Nop())
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(conn.Close)
			subjects := workerSubjects(t, conn, messages.Namespace{Prefix: messages.DefaultPrefix, Database: production.DatabaseID()})

			// Each subject is what one version prefers. Everybody asks twice, by any of them.
			var mu sync.Mutex // guards outcomes
			outcomes := make(map[store.ID]messages.Outcome)
			var crowd sync.WaitGroup
			for range people {
				crowd.Go(func() {
					wanted := storetest.NewRequest(event)
					data, err := messages.Encode(messages.SeatRequest{
						Kind: messages.KindRegister, RequestID: wanted.RequestID, EventID: event, UserID: wanted.UserID,
						RemainingMillis: limit.Milliseconds(),
					})
					if err != nil {
						t.Error(err)
						return
					}
					for try := range 2 {
						msg, err := askAt(conn, subjects[rand.N(len(subjects))], data)
						if err != nil {
							t.Error(err)
							return
						}
						replies, err := messages.DecodeReplies(msg.Data)
						if err != nil || len(replies) != 1 {
							t.Errorf("answered with %q, %v", msg.Data, err)
							return
						}
						got := replies[0].Outcome
						mu.Lock()
						if before, told := outcomes[wanted.UserID]; told && before != got {
							t.Errorf("try %d: told %s, and before %s", try+1, got, before)
						}
						outcomes[wanted.UserID] = got
						mu.Unlock()
					}
				})
			}
			crowd.Wait()
			told := make(map[messages.Outcome]int)
			for _, o := range outcomes {
				told[o]++
			}
			if told[store.Registered] != capacity || told[store.SoldOut] != people-capacity {
				t.Errorf("told are %v, want %d seats for %d people", told, capacity, people)
			}
			seats := 0
			for reg, err := range production.Roster(t.Context(), event, 0, people, 0) {
				if err != nil {
					t.Fatal(err)
				}
				if seats++; outcomes[reg.UserID] != store.Registered {
					t.Errorf("user %s has a seat and was told %s", reg.UserID.Hex(), outcomes[reg.UserID])
				}
			}
			if e, err := production.Event(t.Context(), event); err != nil || e.TicketsSold != capacity || seats != capacity {
				t.Errorf("%d seats in the roster, %d sold, %v; want %d", seats, e.TicketsSold, err, capacity)
			}
		})
	}
}

// askAt sends a message to a subject from an inbox of its own, so that its reply comes alone.
func askAt(conn *nats.Conn, subject string, data []byte) (*nats.Msg, error) {
	inbox := nats.NewInbox() + ".m"
	replies, err := conn.SubscribeSync(inbox)
	if err != nil {
		return nil, err
	}
	defer func() { _ = replies.Unsubscribe() }()
	if err := conn.PublishRequest(subject, inbox, data); err != nil {
		return nil, err
	}
	return replies.NextMsg(limit)
}

// workerSubjects returns the subjects of two workers and that of all.
func workerSubjects(t *testing.T, conn *nats.Conn, names messages.Namespace) []string {
	t.Helper()
	inbox := nats.NewInbox()
	pongs, err := conn.SubscribeSync(inbox)
	if err != nil {
		t.Fatal(err)
	}
	subjects := []string{names.Seats()}
	if err := conn.PublishRequest("$SRV.PING."+messages.ServiceName, inbox, nil); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		msg, err := pongs.NextMsg(limit)
		var pong micro.Ping
		if err == nil {
			err = json.Unmarshal(msg.Data, &pong)
		}
		if err != nil {
			t.Fatal(err)
		}
		subjects = append(subjects, names.Worker(pong.ID))
	}
	return subjects
}
