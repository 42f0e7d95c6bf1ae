package load

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/eventio/eventio/pkg/store"
)

// serve answers every request for a seat as handler says.
func serve(t *testing.T, handler http.HandlerFunc) string {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("/", handler)
	mux.HandleFunc("GET /livez", func(http.ResponseWriter, *http.Request) {}) // what a new connection asks for
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}

// endless gives a new user's request for a seat of one event, for ever.
func endless() (Request, bool) {
	return Request{Seat: Seat{Event: store.ID{1}, User: store.NewID()}}, true
}

// first gives n of them.
func first(n int64) func() (Request, bool) {
	var asked atomic.Int64
	return func() (Request, bool) {
		w, _ := endless()
		return w, asked.Add(1) <= n
	}
}

func created(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusCreated) }

func TestRequestIsWhatTheAPIReads(t *testing.T) {
	request := Request{Seat: Seat{Event: store.NewID(), User: store.NewID()}, Token: "abc"}
	body := strings.Repeat("x", 10_000) // more than the buffer
	addr := serve(t, func(w http.ResponseWriter, r *http.Request) {
		sent := make([]byte, r.ContentLength)
		_, _ = r.Body.Read(sent)
		if want := `{"user_id":"` + request.User.Hex() + `"}`; string(sent) != want ||
			r.URL.Path != "/api/events/"+request.Event.Hex()+"/registrations" ||
			r.Header.Get("Authorization") != "Bearer abc" || r.Header.Get("Content-Type") != "application/json" {
			t.Errorf("got %s %v %q", r.URL, r.Header, sent)
		}
		w.Header().Set("Content-Length", "10000")
		w.WriteHeader(http.StatusConflict)
		_, _ = w.Write([]byte(body))
	})
	c, err := Dial(addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for range 2 { // the connection is as new after an answer
		if status, err := c.Register(request); err != nil || status != http.StatusConflict {
			t.Fatalf("got %d, %v", status, err)
		}
	}
}

func TestAReadIsAGet(t *testing.T) {
	addr := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet || r.URL.Path != "/api/events/1" || r.URL.RawQuery != "limit=3" || r.ContentLength != 0 || r.Header.Get("Authorization") != "Bearer abc" {
			t.Errorf("got %s %s %v of %d bytes", r.Method, r.URL, r.Header, r.ContentLength)
		}
		w.WriteHeader(http.StatusNotFound)
	})
	c, err := Dial(addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for range 2 {
		if status, err := c.Send(Request{Path: "/api/events/1?limit=3", Token: "abc"}); err != nil || status != http.StatusNotFound {
			t.Fatalf("got %d, %v", status, err)
		}
	}
}

func TestClosedLoopMakesAllRequestsAndCountsThem(t *testing.T) {
	var n atomic.Int64
	addr := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		if n.Add(1)%4 == 0 {
			w.WriteHeader(http.StatusConflict)
			return
		}
		w.WriteHeader(http.StatusCreated)
	})
	res, err := Run(Plan{Addr: addr, Connections: 8, For: time.Minute, Next: first(400)})
	if err != nil {
		t.Fatal(err)
	}
	if got := res.Answers(); got[201] != 300 || got[409] != 100 || len(res.Told) != 300 {
		t.Errorf("answers are %v, %d were told 201", got, len(res.Told))
	}
	if err := res.Expect(201); err == nil || !strings.Contains(err.Error(), "100 answers with 409") {
		t.Errorf("409 was not expected, and that gives %v", err)
	}
	if rate := res.Rate(Any) * res.Window.Seconds(); rate < 399 || rate > 401 || res.Window > 50*time.Second {
		t.Errorf("%v answers in a window of %v", rate, res.Window)
	}
}

// TestStallShowsInTheLatencyOfAllThatWereDue: a server that stalls makes every request late that
// was due meanwhile, not only the few that were on their way.
func TestStallShowsInTheLatencyOfAllThatWereDue(t *testing.T) {
	const stall = 400 * time.Millisecond
	var n atomic.Int64
	addr := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if n.Add(1) == 50 {
			time.Sleep(stall)
		}
		created(w, r)
	})
	res, err := Run(Plan{Addr: addr, Connections: 1, For: time.Second, Rate: 200, Next: endless})
	if err != nil {
		t.Fatal(err)
	}
	if got := res.Answers()[201]; got != 200 {
		t.Fatalf("%d requests were made, want 200", got)
	}
	// 80 of the 200 were due within the stall: a quarter of all waited over 100 ms.
	if got := Quantile(res.Latency(Any), 0.75); got < 100*time.Millisecond {
		t.Errorf("three quarters took %v at most: the stall does not show", got)
	}
	if got := Quantile(res.Service(Any), 0.75); got > 100*time.Millisecond {
		t.Errorf("since they were sent three quarters took %v", got)
	}
	if until := res.SlowUntil(stall / 2); until < 200*time.Millisecond || until >= time.Second { // a busy machine needs longer to catch up
		t.Errorf("slow until %v; the stall began at 250 ms", until)
	}
}

func TestGivesUpWhatNoConnectionWasFreeFor(t *testing.T) {
	var n atomic.Int64
	addr := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if n.Add(1) == 1 {
			time.Sleep(300 * time.Millisecond)
		}
		created(w, r)
	})
	res, err := Run(Plan{Addr: addr, Connections: 1, For: 500 * time.Millisecond, Rate: 100, GiveUp: 50 * time.Millisecond, Next: endless})
	if err != nil {
		t.Fatal(err)
	}
	if res.Skipped == 0 || res.Skipped+len(res.Told) != 50 {
		t.Errorf("%d were skipped and %d made, of 50", res.Skipped, len(res.Told))
	}
}

func TestCutsOffWhatIsNotAnswered(t *testing.T) {
	stop := make(chan struct{})
	addr := serve(t, func(http.ResponseWriter, *http.Request) { <-stop })
	t.Cleanup(func() { close(stop) })
	res, err := Run(Plan{Addr: addr, Connections: 3, For: 10 * time.Millisecond, Drain: 50 * time.Millisecond, Next: endless})
	if err != nil || res.Unanswered != 3 {
		t.Fatalf("%d unanswered, %v", res.Unanswered, err)
	}
	if err := res.Expect(201); err == nil {
		t.Error("requests without an answer pass for answered")
	}
}

func TestBrokenConnectionIsAnError(t *testing.T) {
	addr := serve(t, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	if _, err := Run(Plan{Addr: addr, Connections: 2, For: time.Second, Next: endless}); err == nil {
		t.Fatal("no error")
	}
}

func TestKnee(t *testing.T) {
	// server holds up to a rate, and what is beyond it lets it collapse.
	server := func(limit float64) func(float64) (Step, error) {
		return func(rate float64) (Step, error) {
			if rate > limit {
				return Step{Offered: rate, Goodput: limit, P99: time.Second}, nil
			}
			return Step{Offered: rate, Goodput: rate, P99: 10 * time.Millisecond}, nil
		}
	}
	for _, limit := range []float64{50, 1_000, 9_999, 43_210, 1_000_000} {
		knee, steps, err := Knee(10_000, server(limit))
		if err != nil || knee > limit || knee < limit/1.06 {
			t.Errorf("the knee of %v is found at %v, %v", limit, knee, err)
		}
		if len(steps) > 40 {
			t.Errorf("%d steps for %v", len(steps), limit)
		}
	}
	if knee, _, err := Knee(1000, server(0)); knee != 0 || err != nil {
		t.Errorf("the knee of a dead server is %v, %v", knee, err)
	}
}

func TestKneeSurvivesAHiccup(t *testing.T) {
	calls := 0
	knee, _, err := Knee(1000, func(rate float64) (Step, error) {
		if calls++; calls == 1 || rate > 5000 {
			return Step{Offered: rate, P99: time.Second}, nil
		}
		return Step{Offered: rate, Goodput: rate}, nil
	})
	if err != nil || knee < 4500 || knee > 5000 {
		t.Errorf("the knee of 5,000 is found at %v, %v", knee, err)
	}
}

func TestAccount(t *testing.T) {
	ada, bob, eve := store.NewID(), store.NewID(), store.NewID()
	good := Account{Told: []store.ID{ada}, Before: 1, Capacity: 3, Sold: 2, Roster: []store.ID{ada, bob}}
	if err := good.Check(); err != nil {
		t.Error(err)
	}
	for want, breakIt := range map[string]func(*Account){
		"3 seats are sold and there are 2":           func(a *Account) { a.Capacity, a.Sold = 2, 3 },
		"2 seats are sold and 1 users are in":        func(a *Account) { a.Roster = a.Roster[:1] },
		"holds two seats":                            func(a *Account) { a.Roster = []store.ID{ada, ada} },
		"was told 201 and holds no seat":             func(a *Account) { a.Told = []store.ID{eve} },
		"2 seats are sold, 0 were held before":       func(a *Account) { a.Before = 0 },
		"2 users were told 201 and 0 were told noth": func(a *Account) { a.Told = []store.ID{ada, eve} },
	} {
		bad := good
		breakIt(&bad)
		if err := bad.Check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error is %v, want %q", err, want)
		}
	}
	unclear := good
	unclear.Sold, unclear.Roster, unclear.Unknown = 3, append(unclear.Roster, eve), 1
	if err := unclear.Check(); err != nil {
		t.Error(err)
	}
}
