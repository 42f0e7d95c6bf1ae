package discovery

import (
	"encoding/json"
	"errors"
	"maps"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"

	"github.com/eventio/eventio/internal/testenv"
)

const limit = 10 * time.Second

// announced is a worker and an operator on one server.
type announced struct {
	*Service
	worker, operator *nats.Conn
}

func announce(t *testing.T) announced {
	t.Helper()
	url := testenv.StartNATS(t).URL()
	var conns [2]*nats.Conn
	for i := range conns {
		conn, err := nats.Connect(url)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(conn.Close)
		conns[i] = conn
	}
	s := New(conns[0], Config{Name: "worker", Version: "1.2.3", Description: "does it", Metadata: map[string]string{"a": "b"}})
	s.Add("seats", "seats", "workers")
	s.Add("own", "seats.own", "")
	if err := s.Announce(); err != nil {
		t.Fatal(err)
	}
	a := announced{s, conns[0], conns[1]}
	a.flush(t)
	return a
}

func (a announced) flush(t *testing.T) {
	t.Helper()
	if err := a.worker.FlushTimeout(limit); err != nil {
		t.Fatal(err)
	}
}

// ask asks a question of all, of all workers, or of this one, and decodes the answer.
func (a announced) ask(t *testing.T, verb micro.Verb, name, id string, answer any) {
	t.Helper()
	subject, err := micro.ControlSubject(verb, name, id)
	if err != nil {
		t.Fatal(err)
	}
	msg, err := a.operator.Request(subject, nil, limit)
	if err == nil {
		err = json.Unmarshal(msg.Data, answer)
	}
	if err != nil {
		t.Fatalf("%s: %v", subject, err)
	}
}

// TestWhatIsAnnounced checks what a service answers, whoever is asked.
func TestWhatIsAnnounced(t *testing.T) {
	began := time.Now()
	a := announce(t)
	for name, whom := range map[string][2]string{"all": {}, "all workers": {"worker"}, "this worker": {"worker", a.ID()}} {
		var ping micro.Ping
		var info micro.Info
		var stats micro.Stats
		a.ask(t, micro.PingVerb, whom[0], whom[1], &ping)
		a.ask(t, micro.InfoVerb, whom[0], whom[1], &info)
		a.ask(t, micro.StatsVerb, whom[0], whom[1], &stats)
		for _, is := range []micro.ServiceIdentity{ping.ServiceIdentity, info.ServiceIdentity, stats.ServiceIdentity} {
			if is.Name != "worker" || is.ID != a.ID() || is.ID == "" || is.Version != "1.2.3" || !maps.Equal(is.Metadata, map[string]string{"a": "b"}) {
				t.Errorf("asked is %s: it is %+v", name, is)
			}
		}
		if ping.Type != micro.PingResponseType || info.Type != micro.InfoResponseType || stats.Type != micro.StatsResponseType {
			t.Errorf("asked is %s: answers are of types %s, %s and %s", name, ping.Type, info.Type, stats.Type)
		}
		if info.Description != "does it" || stats.Started.Before(began.Add(-time.Second)) || stats.Started.After(time.Now()) {
			t.Errorf("asked is %s: %q, which began at %v", name, info.Description, stats.Started)
		}
		if len(info.Endpoints) != 2 || len(stats.Endpoints) != 2 {
			t.Fatalf("asked is %s: %d and %d endpoints", name, len(info.Endpoints), len(stats.Endpoints))
		}
		for i, want := range [][3]string{{"seats", "seats", "workers"}, {"own", "seats.own", ""}} {
			of, count := info.Endpoints[i], stats.Endpoints[i]
			if got := [3]string{of.Name, of.Subject, of.QueueGroup}; got != want {
				t.Errorf("asked is %s: endpoint %d is %v", name, i, got)
			}
			if got := [3]string{count.Name, count.Subject, count.QueueGroup}; got != want || count.NumRequests != 0 {
				t.Errorf("asked is %s: counted are %d of %v", name, count.NumRequests, got)
			}
		}
	}
}

// TestWhatIsCounted checks to which endpoint a message counts, and that one of no server counts to none.
func TestWhatIsCounted(t *testing.T) {
	a := announce(t)
	handled := make(chan struct{}, 10)
	take := a.Count(func(m *nats.Msg) {
		if string(m.Data) == "bad" {
			a.Fail(m, errors.New("it is bad"))
		}
	})
	count := func(m *nats.Msg) { take(m); handled <- struct{}{} }
	_, err := a.worker.QueueSubscribe("seats", "workers", count)
	if err == nil {
		_, err = a.worker.Subscribe("seats.own", count)
	}
	if err == nil {
		_, err = a.worker.Subscribe("seats", count) // not in the queue group
	}
	if err != nil {
		t.Fatal(err)
	}
	a.flush(t)
	count(&nats.Msg{Data: []byte("bad")})
	for _, m := range [][2]string{{"seats.own", ""}, {"seats.own", "bad"}, {"seats", ""}} {
		if err := a.operator.Publish(m[0], []byte(m[1])); err != nil {
			t.Fatal(err)
		}
	}
	for range 5 {
		<-handled
	}
	var stats micro.Stats
	a.ask(t, micro.StatsVerb, "worker", a.ID(), &stats)
	for i, want := range []micro.EndpointStats{{NumRequests: 1}, {NumRequests: 2, NumErrors: 1, LastError: "it is bad"}} {
		got := stats.Endpoints[i]
		if got.NumRequests != want.NumRequests || got.NumErrors != want.NumErrors || got.LastError != want.LastError {
			t.Errorf("of %s: %+v", got.Subject, got)
		}
		if each := got.ProcessingTime / time.Duration(got.NumRequests); each <= 0 || each > limit || got.AverageProcessingTime != each {
			t.Errorf("of %s: %v in all, and %v each", got.Subject, got.ProcessingTime, got.AverageProcessingTime)
		}
	}
}

// TestWhoIsWithdrawnAnswersNothing checks that, and that a connection that is closed announces and withdraws nobody.
func TestWhoIsWithdrawnAnswersNothing(t *testing.T) {
	a := announce(t)
	if err := a.Stop(); err != nil {
		t.Fatal(err)
	}
	a.flush(t)
	for _, verb := range []micro.Verb{micro.PingVerb, micro.InfoVerb, micro.StatsVerb} {
		for _, whom := range [][2]string{{}, {"worker"}, {"worker", a.ID()}} {
			subject, err := micro.ControlSubject(verb, whom[0], whom[1])
			if err != nil {
				t.Fatal(err)
			}
			if _, err := a.operator.Request(subject, nil, limit); !errors.Is(err, nats.ErrNoResponders) {
				t.Errorf("%s: %v", subject, err)
			}
		}
	}
	if New(a.worker, Config{}).Announce() == nil {
		t.Error("what has no name is announced")
	}
	again := New(a.worker, Config{Name: "worker"})
	if err := again.Announce(); err != nil {
		t.Fatal(err)
	}
	a.worker.Close()
	if again.Stop() == nil || New(a.worker, Config{Name: "worker"}).Announce() == nil {
		t.Error("nobody hears that the connection is closed")
	}
}
