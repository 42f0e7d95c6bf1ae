package worker_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/nats-io/nats.go/micro"

	"github.com/eventio/eventio/internal/testenv"
	"github.com/eventio/eventio/pkg/messages"
	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/worker"
)

// TestMicroStats: what `nats micro stats` and `nats micro info` show has both endpoints of a worker, with
// the messages that came and those that could not be taken, and nothing of what was in these.
func TestMicroStats(t *testing.T) {
	s := newSite(t, worker.Config{}, pass)
	for range 3 {
		if got := s.ask(s.event); got != store.Registered {
			t.Fatalf("outcome is %s", got)
		}
	}
	for _, data := range []string{"hunter2", `{"kind":"hunter2"}`} {
		if err := s.conn.PublishRequest(s.names().Seats(), messageInbox(t, s)+".forged", []byte(data)); err != nil {
			t.Fatal(err)
		}
	}
	asker := s.connect("operator")
	var stats micro.Stats
	testenv.Eventually(t, limit, "count", func() error {
		answer, err := asker.Request("$SRV.STATS."+messages.ServiceName, nil, limit)
		if err == nil {
			err = json.Unmarshal(answer.Data, &stats)
		}
		if err != nil {
			return err
		}
		if strings.Contains(string(answer.Data), "hunter2") {
			t.Fatalf("it tells what was sent: %s", answer.Data)
		}
		total, failed := 0, 0
		for _, e := range stats.Endpoints {
			total, failed = total+e.NumRequests, failed+e.NumErrors
		}
		// Three are refused: the two forged ones, and the empty one by which the site found its worker ready.
		if len(stats.Endpoints) != 2 || total < 5 || failed != 3 || stats.Type != micro.StatsResponseType || stats.Started.IsZero() {
			return fmt.Errorf("%s", answer.Data)
		}
		return nil
	})
	seats, own := stats.Endpoints[0], stats.Endpoints[1]
	if seats.Subject != s.names().Seats() || seats.QueueGroup != messages.QueueWorkers || own.Subject != s.names().Worker(stats.ID) || own.QueueGroup != "" {
		t.Errorf("the endpoints are %+v and %+v", seats, own)
	}
	if seats.LastError == "" || seats.ProcessingTime <= 0 || seats.AverageProcessingTime > seats.ProcessingTime {
		t.Errorf("the endpoint of all workers has %+v", seats)
	}
	for _, subject := range []string{"$SRV.INFO", "$SRV.INFO." + messages.ServiceName, "$SRV.INFO." + messages.ServiceName + "." + stats.ID} {
		answer, err := asker.Request(subject, nil, limit)
		var info micro.Info
		if err == nil {
			err = json.Unmarshal(answer.Data, &info)
		}
		if err != nil || info.Type != micro.InfoResponseType || len(info.Endpoints) != 2 || info.Description == "" || info.Metadata["database"] != s.names().Database {
			t.Errorf("%s answers %+v, %v", subject, info, err)
		}
	}
}
