package client_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/eventio/eventio/pkg/client"
)

// write is a call that changes something under a key, of somebody for an event with room.
type write func(p person, event client.Event, key client.Key) error

var writes = map[string]write{
	"SignUp": func(p person, _ client.Event, key client.Key) error {
		_, err := p.SignUp(context.Background(), client.NewUser{Name: "Eve", Email: "eve@example.org", Password: password}, key)
		return err
	},
	"CreateEvent": func(p person, _ client.Event, key client.Key) error {
		_, err := p.CreateEvent(context.Background(), opening(7), key)
		return err
	},
	"Register": func(p person, event client.Event, key client.Key) error {
		_, err := p.Register(context.Background(), event.ID, client.ID{}, key)
		return err
	},
	"PutRegistration": func(p person, event client.Event, key client.Key) error {
		_, made, err := p.PutRegistration(context.Background(), event.ID, p.ID, key)
		if err == nil && !made {
			err = errors.New("it was not made by this call")
		}
		return err
	},
	"CancelRegistration": func(p person, event client.Event, key client.Key) error {
		return p.CancelRegistration(context.Background(), event.ID, p.ID, key)
	},
	"CancelEvent": func(p person, event client.Event, _ client.Key) error {
		_, err := p.CancelEvent(context.Background(), event.ID)
		return err
	},
	"EditEvent": func(p person, event client.Event, _ client.Key) error {
		_, err := p.EditEvent(context.Background(), event.ID, event.ETag, client.EventEdit{Capacity: new(int64(9))})
		return err
	},
	"EditEvent without a version": func(p person, event client.Event, _ client.Key) error {
		_, err := p.EditEvent(context.Background(), event.ID, "*", client.EventEdit{Capacity: new(int64(9))})
		return err
	},
	"ChangePassword": func(p person, _ client.Event, _ client.Key) error {
		return p.ChangePassword(context.Background(), p.ID, password, password+"!")
	},
	"EditUser": func(p person, _ client.Event, _ client.Key) error {
		_, err := p.EditUser(context.Background(), p.ID, client.UserEdit{Name: new("Countess")})
		return err
	},
	"DeleteUser": func(p person, _ client.Event, _ client.Key) error { return p.DeleteUser(context.Background(), p.ID) },
	"LogOut":     func(p person, _ client.Event, _ client.Key) error { return p.LogOut(context.Background()) },
	"EndLogIn": func(p person, _ client.Event, _ client.Key) error {
		return p.EndLogIn(context.Background(), p.ID, p.ID) // which is none
	},
	"EndLogIns": func(p person, _ client.Event, _ client.Key) error { return p.EndLogIns(context.Background(), p.ID) },
}

// unkeyed are the calls that have no key, unrepeated those that are not sent again in doubt,
// refusedAgain the codes of those whose repetition is refused when the first attempt was carried
// out, and bodiless those whose answers have no body.
var (
	unkeyed = []string{
		"CancelEvent", "EditEvent", "EditEvent without a version", "ChangePassword", "EditUser", "DeleteUser", "LogOut", "EndLogIn", "EndLogIns",
	}
	unrepeated   = []string{"EditEvent without a version", "ChangePassword", "EditUser", "EndLogIns"}
	refusedAgain = map[string]client.Code{"EditEvent": client.CodeVersionMismatch, "DeleteUser": client.CodeUnauthenticated}
	bodiless     = []string{"CancelRegistration", "ChangePassword", "DeleteUser", "LogOut", "EndLogIn", "EndLogIns"}
)

func eachWrite(t *testing.T, test func(t *testing.T, s *service, name string, send func(client.Key) error)) {
	s, nobody := newService(t)
	for name, w := range writes {
		t.Run(name, func(t *testing.T) {
			s.faults.next()
			p := signUp(t, nobody, strings.ReplaceAll(name, " ", "."))
			event := p.newEvent(t, opening(5))
			test(t, s, name, func(key client.Key) error { return w(p, event, key) })
		})
	}
}

// TestFaultsThatLeaveNoDoubt: after them every call is repeated, and succeeds.
func TestFaultsThatLeaveNoDoubt(t *testing.T) {
	eachWrite(t, func(t *testing.T, s *service, name string, send func(client.Key) error) {
		s.faults.next(says(503, client.CodeOverloaded), says(429, client.CodeRateLimited), proxySays(429), says(503, client.CodeStorageFull))
		if err := send(""); err != nil {
			t.Fatal(err)
		}
		sentUnderOneKey(t, s.faults.requests(), 5, !slices.Contains(unkeyed, name))
	})
}

// TestAnswersThatAreLost: whatever breaks, and whether or not the request was carried out, a call
// under a key succeeds, and others say when they do not know.
func TestAnswersThatAreLost(t *testing.T) {
	for what, f := range map[string]fault{
		"request lost": lostRequest, "answer lost": lostAnswer, "answer cut": cutAnswer,
		"unknown outcome, not made": says(504, client.CodeUnknownOutcome), "unknown outcome, made": carriesOutAndSays(504, client.CodeUnknownOutcome),
		"proxy 502": proxySays(502), "proxy 503": proxySays(503), "proxy 504, made": carriesOutAndSays(504, ""),
	} {
		t.Run(what, func(t *testing.T) {
			made := what != "request lost" && what != "unknown outcome, not made" && what[:5] != "proxy" || what == "proxy 504, made"
			eachWrite(t, func(t *testing.T, s *service, name string, send func(client.Key) error) {
				if what == "answer cut" && slices.Contains(bodiless, name) {
					t.Skip("its answer has no body")
				}
				s.faults.next(f)
				err := send("")
				again, refused := refusedAgain[name]
				unknown := slices.Contains(unrepeated, name) || refused && made
				if !unknown {
					if err != nil {
						t.Fatal(err)
					}
					sentUnderOneKey(t, s.faults.requests(), 2, !slices.Contains(unkeyed, name))
					return
				}
				var e *client.Error
				if !errors.Is(err, client.ErrUnknownOutcome) || !errors.As(err, &e) || e.Key != "" {
					t.Fatalf("error is %v", err)
				}
				if refused && !errors.Is(err, again) {
					t.Errorf("error is %v", err)
				}
				if n := len(s.faults.requests()); !refused && n != 1 {
					t.Errorf("it was sent %d times", n)
				}
			})
		})
	}
}

// sentUnderOneKey checks how often a call was sent, and that each attempt had the same key.
func sentUnderOneKey(t *testing.T, requests []*http.Request, want int, keyed bool) {
	t.Helper()
	if len(requests) != want {
		t.Fatalf("it was sent %d times, want %d", len(requests), want)
	}
	keys := make(map[string]bool)
	for _, r := range requests {
		keys[r.Header.Get("Idempotency-Key")] = true
	}
	if len(keys) != 1 || keys[""] == keyed {
		t.Errorf("the keys are %v", keys)
	}
}

// TestOneEffect: answers are lost twice, and in the end each thing is there once.
func TestOneEffect(t *testing.T) {
	s, nobody := newService(t)
	ctx := t.Context()
	s.faults.next(lostAnswer, cutAnswer)
	ada := signUp(t, nobody, "ada")
	s.faults.next(lostAnswer, cutAnswer)
	event := ada.newEvent(t, opening(3))
	if events := all(t, nobody.Events(ctx, client.EventQuery{})); len(events) != 1 {
		t.Errorf("there are %d events", len(events))
	}
	s.faults.next(lostAnswer, cutAnswer)
	seat := must[client.Registration](t)(ada.Register(ctx, event.ID, client.ID{}))
	if read := must[client.Event](t)(ada.Event(ctx, event.ID)); read.TicketsSold != 1 || seat.Number != 1 {
		t.Errorf("%d seats are taken, hers has number %d", read.TicketsSold, seat.Number)
	}
	s.faults.next(lostAnswer, func(w http.ResponseWriter, carry func() *httptest.ResponseRecorder) {
		// Between the attempts the person registers anew: the repetition leaves that alone.
		if _, err := ada.Register(ctx, event.ID, client.ID{}); err != nil {
			t.Error(err)
		}
		lostAnswer(w, carry)
	})
	if err := ada.CancelRegistration(ctx, event.ID, ada.ID); err != nil {
		t.Fatal(err)
	}
	if roster := all(t, ada.Roster(ctx, event.ID, "")); !slices.Equal(roster, []client.ID{ada.ID}) {
		t.Errorf("the roster is %v", roster)
	}
}

// TestKeys: each call has a key of its own, or the caller's, and an error tells it.
func TestKeys(t *testing.T) {
	eachWrite(t, func(t *testing.T, s *service, name string, send func(client.Key) error) {
		for range 2 {
			if slices.Contains(unkeyed, name) {
				return
			}
			_ = send("") // a second one may be refused
		}
		sent := s.faults.requests()
		if n := len(sent); sent[n-1].Header.Get("Idempotency-Key") == sent[n-2].Header.Get("Idempotency-Key") {
			t.Error("two calls have the same key")
		}
		s.faults.next(slices.Repeat([]fault{says(503, client.CodeOverloaded)}, 5)...)
		err := send("mine")
		sentUnderOneKey(t, s.faults.requests(), 5, true)
		var e *client.Error
		if !errors.As(err, &e) || e.Key != "mine" || e.Attempts != 5 || e.Unknown {
			t.Errorf("the error is %#v", err)
		}
		if got := s.faults.requests()[0].Header.Get("Idempotency-Key"); got != "mine" {
			t.Errorf("the key is %s", got)
		}
	})
}

// TestDoubtStays until an answer decides about the request.
func TestDoubtStays(t *testing.T) {
	s, nobody := newService(t)
	ada := signUp(t, nobody, "ada")
	full := ada.newEvent(t, opening(1))
	must[client.Registration](t)(ada.Register(t.Context(), full.ID, client.ID{}))
	eve := signUp(t, nobody, "eve")
	for name, c := range map[string]struct {
		plan    []fault
		code    client.Code
		sent    int
		unknown bool
	}{
		"overloaded each time":      {slices.Repeat([]fault{says(503, client.CodeOverloaded)}, 5), client.CodeOverloaded, 5, false},
		"lost, then overloaded":     {append([]fault{lostRequest}, slices.Repeat([]fault{says(503, client.CodeOverloaded)}, 4)...), client.CodeOverloaded, 5, true},
		"lost, then who are you":    {[]fault{lostRequest, says(401, client.CodeUnauthenticated)}, client.CodeUnauthenticated, 2, true},
		"lost, then sold out":       {[]fault{lostRequest, lostAnswer}, client.CodeSoldOut, 3, false},
		"in progress, then decided": {[]fault{says(409, client.CodeRequestInProgress)}, client.CodeSoldOut, 2, false},
		"in progress for long":      {slices.Repeat([]fault{says(409, client.CodeRequestInProgress)}, 5), client.CodeRequestInProgress, 5, true},
		"a fault":                   {[]fault{says(500, client.CodeInternal)}, client.CodeInternal, 1, true},
		"who are you":               {[]fault{says(401, client.CodeUnauthenticated)}, client.CodeUnauthenticated, 1, false},
		"not open yet":              {[]fault{says(409, client.CodeRegistrationNotOpen)}, client.CodeRegistrationNotOpen, 1, false},
		"a refusal":                 {nil, client.CodeSoldOut, 1, false},
	} {
		t.Run(name, func(t *testing.T) {
			s.faults.next(c.plan...)
			_, err := eve.Register(t.Context(), full.ID, client.ID{})
			if !errors.Is(err, c.code) || errors.Is(err, client.ErrUnknownOutcome) != c.unknown || len(s.faults.requests()) != c.sent {
				t.Errorf("after %d attempts: %v", len(s.faults.requests()), err)
			}
		})
	}
}

// TestHiddenRepetitions: net/http itself repeats a request under a key whose connection breaks
// when it was used before. What comes then is no first answer.
func TestHiddenRepetitions(t *testing.T) {
	s, nobody := newService(t)
	eve := signUp(t, nobody, "eve")
	event := eve.newEvent(t, opening(1))
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	c, err := client.New(s.URL, client.Config{HTTP: &http.Client{Transport: transport}})
	if err != nil {
		t.Fatal(err)
	}
	must[client.Event](t)(c.Event(t.Context(), event.ID))
	s.faults.next(lostAnswer)
	_, err = c.Register(t.Context(), event.ID, client.ID{})
	var e *client.Error
	if !errors.As(err, &e) || !errors.Is(err, client.CodeUnauthenticated) || e.Attempts != 1 || !e.Unknown || len(s.faults.requests()) != 2 {
		t.Errorf("error is %v, of %d requests", err, len(s.faults.requests()))
	}
}

// TestAHiddenRepetitionThatFindsNobody: the process that had the request is gone when net/http sends it again. That no
// connection can be made then does not say that nothing has happened.
func TestAHiddenRepetitionThatFindsNobody(t *testing.T) {
	s, nobody := newService(t)
	eve := signUp(t, nobody, "eve")
	event := eve.newEvent(t, opening(1))
	dials := 0
	transport := &http.Transport{DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
		if dials++; dials > 1 {
			return nil, &net.OpError{Op: "dial", Net: network, Err: syscall.ECONNREFUSED}
		}
		return (&net.Dialer{}).DialContext(ctx, network, addr)
	}}
	defer transport.CloseIdleConnections()
	c, err := client.New(s.URL, client.Config{HTTP: &http.Client{Transport: transport}, Retry: client.Retry{Attempts: 1}})
	if err != nil {
		t.Fatal(err)
	}
	must[client.Event](t)(c.Event(t.Context(), event.ID))
	s.faults.next(lostAnswer)
	_, err = c.Register(t.Context(), event.ID, client.ID{})
	if !errors.Is(err, client.ErrUnknownOutcome) || !errors.Is(err, syscall.ECONNREFUSED) || dials != 2 {
		t.Errorf("after %d connections: %v", dials, err)
	}
	// A connection that was never made leaves no doubt.
	if _, err = c.Register(t.Context(), event.ID, client.ID{}); err == nil || errors.Is(err, client.ErrUnknownOutcome) {
		t.Errorf("with nobody there: %v", err)
	}
}

// TestReadsAreRepeated until their answer is whole; they leave no doubt.
func TestReadsAreRepeated(t *testing.T) {
	s, nobody := newService(t)
	ctx := t.Context()
	ada := signUp(t, nobody, "ada")
	event := ada.newEvent(t, opening(3))
	must[client.Registration](t)(ada.Register(ctx, event.ID, client.ID{}))
	reads := map[string]func() error{
		"LogIn":        func() error { _, err := nobody.LogIn(ctx, ada.Email, password); return err },
		"Event":        func() error { _, err := nobody.Event(ctx, event.ID); return err },
		"Registration": func() error { _, err := ada.Registration(ctx, event.ID, ada.ID); return err },
		"User":         func() error { _, err := ada.User(ctx, ada.ID); return err },
		"LogIns":       func() error { _, err := ada.LogIns(ctx, ada.ID); return err },
		"EventsPage":   func() error { _, err := nobody.EventsPage(ctx, client.EventQuery{}); return err },
		"Roster": func() (failed error) {
			for _, err := range ada.Roster(ctx, event.ID, "") {
				failed = err
			}
			return failed
		},
	}
	for name, read := range reads {
		t.Run(name, func(t *testing.T) {
			s.faults.next(lostAnswer, proxySays(502), cutAnswer, says(503, client.CodeOverloaded))
			if err := read(); err != nil || len(s.faults.requests()) != 5 {
				t.Errorf("after %d attempts: %v", len(s.faults.requests()), err)
			}
			s.faults.next(slices.Repeat([]fault{lostAnswer}, 5)...)
			if err := read(); err == nil || errors.Is(err, client.ErrUnknownOutcome) || len(s.faults.requests()) != 5 {
				t.Errorf("after %d attempts: %v", len(s.faults.requests()), err)
			}
		})
	}
	s.faults.next(says(503, client.CodeOverloaded))
	if err := nobody.Ready(ctx); !errors.Is(err, client.CodeOverloaded) || len(s.faults.requests()) != 1 {
		t.Errorf("not ready: %v, asked %d times", err, len(s.faults.requests()))
	}
}

// TestAStreamThatBreaks after it has begun is not begun again: who reads it has its items.
func TestAStreamThatBreaks(t *testing.T) {
	sent := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		sent++
		_, _ = w.Write([]byte(`["6b056f1db8a8b20890367b25","6b056f1db8a8b20890367b26",`))
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}))
	defer server.Close()
	users, failed := 0, error(nil)
	for _, err := range newClient(t, server.URL, client.Retry{}).Roster(t.Context(), client.ID{1}, "") {
		if failed = err; err == nil {
			users++
		}
	}
	if users != 2 || failed == nil || sent != 1 {
		t.Errorf("%d users, %v, sent %d times", users, failed, sent)
	}
}

// TestSomethingElseAnswers: a page of a proxy is no event, no list and no problem of the API.
func TestSomethingElseAnswers(t *testing.T) {
	status := 200
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = w.Write([]byte("<html>"))
	}))
	defer server.Close()
	c := newClient(t, server.URL, client.Retry{})
	if _, err := c.Event(t.Context(), client.ID{1}); err == nil {
		t.Error("it is taken as an event")
	}
	if _, err := c.Register(t.Context(), client.ID{1}, client.ID{2}); !errors.Is(err, client.ErrUnknownOutcome) {
		t.Errorf("registered: %v", err)
	}
	for _, err := range c.Roster(t.Context(), client.ID{1}, "") {
		if err == nil {
			t.Error("it is taken as a list")
		}
	}
	status = 404
	var p *client.Problem
	if _, err := c.Event(t.Context(), client.ID{1}); !errors.As(err, &p) || p.Status != 404 || p.Code != "" || p.Detail == "" {
		t.Errorf("error is %v", err)
	}
}

// TestNobodyListens: surely nothing has happened.
func TestNobodyListens(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	c := newClient(t, server.URL, client.Retry{Attempts: 3, Wait: time.Millisecond})
	server.Close()
	_, err := c.Register(t.Context(), client.ID{1}, client.ID{2})
	var e *client.Error
	if !errors.As(err, &e) || e.Attempts != 3 || e.Unknown {
		t.Errorf("error is %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Register(ctx, client.ID{1}, client.ID{2}); !errors.Is(err, context.Canceled) || errors.Is(err, client.ErrUnknownOutcome) {
		t.Errorf("a context that has ended: %v", err)
	}
}

// TestUntrustedCertificates are not asked again, and have got nothing.
func TestUntrustedCertificates(t *testing.T) {
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.Config.ErrorLog = discard
	server.StartTLS()
	defer server.Close()
	_, err := newClient(t, server.URL, client.Retry{}).Register(t.Context(), client.ID{1}, client.ID{2})
	var e *client.Error
	if !errors.As(err, &e) || e.Attempts != 1 || e.Unknown {
		t.Errorf("error is %v", err)
	}
}
