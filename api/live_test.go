package api

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/eventio/eventio/api/gate"
	"github.com/eventio/eventio/api/problem"
	"github.com/eventio/eventio/internal/identity"
	"github.com/eventio/eventio/internal/testenv"
	"github.com/eventio/eventio/pkg/messages"
	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/storetest"
)

// stream is an open live stream.
type stream struct {
	header   http.Header
	messages chan string // "event data"; closed at the end
	end      context.CancelFunc
}

// open begins a live stream over a real connection. options change the request.
func (i *instance) openStream(t *testing.T, path string, options ...func(*http.Request)) *stream {
	t.Helper()
	server := httptest.NewUnstartedServer(i)
	server.Config.ReadTimeout, server.Config.WriteTimeout = 2*time.Second, 2*time.Second // as a process has them, only shorter
	server.Start()
	ctx, cancel := context.WithCancel(t.Context())
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept-Encoding", "gzip")
	for _, o := range options {
		o(req)
	}
	transport := &http.Transport{DisableCompression: true}
	res, err := (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	s := &stream{res.Header, make(chan string, 1000), cancel}
	t.Cleanup(func() {
		cancel()
		transport.CloseIdleConnections()
		server.Close()
	})
	if res.StatusCode != http.StatusOK {
		t.Fatalf("GET %s: %d", path, res.StatusCode)
	}
	opened := make(chan struct{})
	go func() {
		defer close(s.messages)
		defer res.Body.Close()
		event := ""
		lines := bufio.NewScanner(res.Body)
		for lines.Scan() {
			switch name, value, _ := strings.Cut(lines.Text(), ": "); {
			case lines.Text() == ": open":
				close(opened)
			case name == "event":
				event = value
			case name == "data":
				s.messages <- event + " " + value
			}
		}
	}()
	select {
	case <-opened:
	case <-time.After(patience):
		t.Fatalf("GET %s: the stream does not open", path)
	}
	return s
}

// want waits for a message with all of these in it, and returns how long that took.
func (s *stream) want(t *testing.T, parts ...string) time.Duration {
	t.Helper()
	began, late := time.Now(), time.After(patience)
	for {
		select {
		case m, open := <-s.messages:
			if !open {
				t.Fatalf("the stream has ended before %q", parts)
			}
			found := true
			for _, part := range parts {
				found = found && strings.Contains(m, part)
			}
			if found {
				return time.Since(began)
			}
		case <-late:
			t.Fatalf("no message with %q", parts)
		}
	}
}

// wantEnd waits for the end, and returns how long that took.
func (s *stream) wantEnd(t *testing.T) time.Duration {
	t.Helper()
	began, late := time.Now(), time.After(patience)
	for {
		select {
		case _, open := <-s.messages:
			if !open {
				return time.Since(began)
			}
		case <-late:
			t.Fatal("the stream does not end")
		}
	}
}

// waitlisted creates an event of one place with a waiting list.
func (i *instance) waitlisted(t testing.TB, by member) string {
	t.Helper()
	body := strings.Replace(eventWith(`"waitlist":true,`), `"capacity":5`, `"capacity":1`, 1)
	return "/api/events/" + i.ask(t, "POST", "/api/events", body, bearer(by.token)).want(t, 201, "").field(t, "id")
}

func (i *instance) joins(t testing.TB, event string, who member, status int) {
	t.Helper()
	i.ask(t, "PUT", event+"/registrations/"+who.id, "", bearer(who.token)).want(t, status, "")
}

// TestEverybodyIsToldLive: at another process than the one that took the request.
func TestEverybodyIsToldLive(t *testing.T) {
	eachStore(t, func(t *testing.T, s *site) {
		i, other := s.start(t, identity.Keys{}), s.start(t, identity.Keys{})
		ada, bob, eve := i.newMember(t), i.newMember(t), i.newMember(t)
		event := i.waitlisted(t, ada)
		page := other.openStream(t, event+"/live") // public, as the event is
		own := other.openStream(t, "/api/users/"+eve.id+"/live", bearer(eve.token))
		if h := page.header; h.Get("Content-Type") != "text/event-stream" || h.Get("X-Accel-Buffering") != "no" || h.Get("Content-Encoding") != "" || h.Get("Cache-Control") != "no-store" {
			t.Errorf("headers %v", h)
		}
		page.want(t, `state {"event_id":"`, `"capacity":1,"tickets_sold":0,"waiting":0,"state":"upcoming","registration_state":"open"}`)
		i.joins(t, event, bob, 201)
		page.want(t, `"tickets_sold":1`, `"registration_state":"waitlist"`)
		i.joins(t, event, eve, 202)
		page.want(t, `"tickets_sold":1,"waiting":1`)
		own.want(t, `change {`, `"type":"waitlisted"`)
		time.Sleep(3 * time.Second) // longer than the limits of the server for requests
		i.ask(t, "DELETE", event+"/registrations/"+bob.id, "", bearer(bob.token)).want(t, 204, "")
		if took := own.want(t, `"type":"promoted"`); took > time.Second {
			t.Errorf("a promotion is seen after %v", took)
		}
		page.want(t, `"tickets_sold":1,"waiting":0`)
		i.ask(t, "PATCH", event, `{"capacity":9}`, bearer(ada.token), with("If-Match", "*")).want(t, 200, "")
		page.want(t, `"capacity":9`)
		i.ask(t, "POST", event+"/cancel", "", bearer(ada.token)).want(t, 200, "")
		page.want(t, `"state":"cancelled","registration_state":"cancelled"`)
	})
}

// TestNewsThatIsLostOrForged: a message that never came is made good, and one that lies is not believed.
func TestNewsThatIsLostOrForged(t *testing.T) {
	eachStore(t, func(t *testing.T, s *site) {
		i := s.start(t, identity.Keys{})
		ada, eve := i.newMember(t), i.newMember(t)
		event := i.waitlisted(t, ada)
		id, err := store.ParseID(strings.TrimPrefix(event, "/api/events/"))
		if err != nil {
			t.Fatal(err)
		}
		page := i.openStream(t, event+"/live")
		own := i.openStream(t, "/api/users/"+eve.id+"/live", bearer(eve.token))
		page.want(t, `"tickets_sold":0`)
		user, _ := store.ParseID(eve.id)
		link := s.link(s.connect(t))
		for range 50 {
			if err := messages.PublishEventNews(link, id, 1<<40); err != nil {
				t.Fatal(err)
			}
			if err := messages.PublishPeopleNews(link, id, []store.ID{user}); err != nil {
				t.Fatal(err)
			}
			_ = link.Conn.Publish(link.Namespace.EventNews(id), []byte(`{"v":1,"event_id":"`+id.Hex()+`","revision":99,"tickets_sold":9}`))
			_ = link.Conn.Publish(link.Namespace.EventNews(id), []byte("x"))
		}
		if err := link.Conn.FlushTimeout(patience); err != nil {
			t.Fatal(err)
		}
		time.Sleep(300 * time.Millisecond)
		if n := len(page.messages) + len(own.messages); n != 0 {
			t.Fatalf("forged news is told: %d messages", n)
		}
		// A writer of whose news nobody hears: the version before, or one cut off from NATS.
		began := time.Now()
		_, err = s.st.Apply(t.Context(), []store.SeatRequest{{Kind: store.Register, EventID: id, UserID: user, RequestID: "r", At: time.Now()}})
		if err != nil {
			t.Fatal(err)
		}
		page.want(t, `"tickets_sold":1`)
		own.want(t, `"type":"registered"`)
		if took := time.Since(began); took > 3500*time.Millisecond {
			t.Errorf("lost news is made good after %v", took)
		}
		i.ask(t, "POST", event+"/cancel", "", bearer(ada.token)).want(t, 200, "")
		page.want(t, `"state":"cancelled"`)
		if _, err := s.st.DeleteEvent(t.Context(), id, time.Now()); err != nil {
			t.Fatal(err)
		}
		page.want(t, "gone ")
		page.wantEnd(t)
		i.ask(t, "GET", event+"/live", "").want(t, 404, problem.EventNotFound)
	})
}

// TestWhoMayListen: to a person's stream only they themself, as long as their token is good at all
// processes.
func TestWhoMayListen(t *testing.T) {
	eachStore(t, func(t *testing.T, s *site) {
		i, other := s.start(t, identity.Keys{}), s.start(t, identity.Keys{})
		eve, bob := i.newMember(t), i.newMember(t)
		path := "/api/users/" + eve.id + "/live"
		i.ask(t, "GET", path, "").want(t, 401, problem.Unauthenticated)
		i.ask(t, "GET", path, "", bearer(bob.token)).want(t, 403, problem.Forbidden)
		i.ask(t, "GET", path, "", bearer("x")).want(t, 401, problem.Unauthenticated)
		i.ask(t, "GET", "/api/users/x/live", "", bearer(bob.token)).want(t, 400, problem.Invalid)
		i.ask(t, "GET", "/api/events/x/live", "").want(t, 400, problem.Invalid)
		i.ask(t, "GET", "/api/events/"+store.NewID().Hex()+"/live", "").want(t, 404, problem.EventNotFound)
		if r := i.ask(t, "HEAD", path, "", bearer(eve.token)).want(t, 200, ""); r.header.Get("Content-Type") != "text/event-stream" || i.Listening() != 0 {
			t.Errorf("HEAD: %v, %d streams", r.header, i.Listening())
		}
		here := i.openStream(t, path, bearer(eve.token))
		there := other.openStream(t, path, cookie("eventio_token", eve.token), with("Sec-Fetch-Site", "same-origin"))
		began := time.Now()
		i.ask(t, "POST", "/api/logout", "", bearer(eve.token)).want(t, 204, "")
		here.wantEnd(t)
		there.wantEnd(t)
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("the streams end %v after the log-out", took)
		}
		again := i.ask(t, "POST", "/api/login", logInBody(eve.email, eve.password)).want(t, 200, "").field(t, "token")
		there = other.openStream(t, path, bearer(again))
		began = time.Now()
		i.ask(t, "POST", "/api/users/"+eve.id+"/password", changeBody(eve.password, goodPassword+"2"), bearer(again)).want(t, 204, "")
		there.wantEnd(t)
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("the stream ends %v after the password was changed", took)
		}
	})
}

func TestTooManyStreams(t *testing.T) {
	s := newSite(t, "sqlite")
	s.liveStreams = 4 // of which a network has half
	i := s.start(t, identity.Keys{}, rateLimited)
	event := i.organized(t, i.newMember(t))
	both := []*stream{i.openStream(t, event+"/live"), i.openStream(t, event+"/live")}
	r := i.ask(t, "GET", event+"/live", "", from("127.0.0.9:1")).want(t, 503, problem.Overloaded)
	if r.header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	i.ask(t, "HEAD", event+"/live", "", from("127.0.1.9:1")).want(t, 200, "") // another network
	for _, st := range both {
		st.end()
	}
	testenv.Eventually(t, patience, "count nobody", func() error {
		if n := i.Listening(); n != 0 {
			return fmt.Errorf("%d streams", n)
		}
		return nil
	})
}

// TestAStreamCountsAsOneRead: whatever is told on it.
func TestAStreamCountsAsOneRead(t *testing.T) {
	s := newSite(t, "sqlite")
	i := s.start(t, identity.Keys{}, rateLimited, func(c *gate.Config) { c.Rates = gate.Rates{Requests: gate.Rate{Most: 5, Window: time.Hour}} })
	event := "/api/events/" + storetest.NewEvent(t, s.st, 10).ID.Hex()
	page := i.openStream(t, event+"/live")
	page.want(t, `"tickets_sold":0`)
	local := from("127.0.0.1:1")
	for range 4 {
		i.ask(t, "GET", event, "", local).want(t, 200, "")
	}
	i.ask(t, "GET", event+"/live", "", local).want(t, 429, problem.RateLimited)
}

// TestStreamsEndWhenTheProcessDoes: each in order, and nobody may begin one.
func TestStreamsEndWhenTheProcessDoes(t *testing.T) {
	s := newSite(t, "sqlite")
	i := s.start(t, identity.Keys{})
	eve := i.newMember(t)
	event := i.organized(t, eve)
	page, own := i.openStream(t, event+"/live"), i.openStream(t, "/api/users/"+eve.id+"/live", bearer(eve.token))
	i.EndWaits()
	page.wantEnd(t)
	own.wantEnd(t)
	r := i.ask(t, "GET", event+"/live", "").want(t, 503, problem.Overloaded)
	if r.header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
}
