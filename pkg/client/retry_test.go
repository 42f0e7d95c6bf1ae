package client

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// answers is a server that gives one answer after the other, and the last one for ever. The time
// of its tests is that of synctest, so that hours are nothing.
type answers struct {
	headers []http.Header
	status  int
	hangs   bool
	at      []time.Time
}

func (a *answers) RoundTrip(r *http.Request) (*http.Response, error) {
	a.at = append(a.at, time.Now())
	if a.hangs {
		<-r.Context().Done()
		return nil, context.Cause(r.Context())
	}
	h := a.headers[min(len(a.at), len(a.headers))-1]
	return &http.Response{StatusCode: a.status, Header: h, Body: io.NopCloser(strings.NewReader("{}")), Request: r}, nil
}

// waits are the times between the attempts.
func (a *answers) waits() (waits []time.Duration) {
	for i := 1; i < len(a.at); i++ {
		waits = append(waits, a.at[i].Sub(a.at[i-1]))
	}
	return waits
}

func after(values ...string) (headers []http.Header) {
	for _, v := range values {
		headers = append(headers, http.Header{"Retry-After": {v}})
	}
	return headers
}

func register(ctx context.Context, t *testing.T, a *answers, r Retry) *Error {
	t.Helper()
	c, err := New("http://eventio", Config{HTTP: &http.Client{Transport: a}, Retry: r})
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Register(ctx, ID{1}, ID{2})
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("error is %v", err)
	}
	return e
}

func TestWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for name, c := range map[string]struct {
			headers []http.Header
			retry   Retry
			least   []time.Duration // each may be half longer
		}{
			"by default":          {after(""), Retry{}, []time.Duration{1e8, 2e8, 4e8, 8e8}},
			"as the server says":  {after("2", "", "3"), Retry{Attempts: 4, Wait: time.Second}, []time.Duration{2e9, 2e9, 3e9}},
			"at most":             {after(""), Retry{Attempts: 40, MaxWait: 300 * time.Millisecond}, []time.Duration{1e8, 2e8, 3e8, 3e8, 3e8}},
			"until a date":        {nil, Retry{Attempts: 2}, []time.Duration{19e9}},
			"later than it waits": {after("61"), Retry{}, nil},
			"never":               {after("1"), Retry{Attempts: 1}, nil},
			"what is no time":     {after("soon", "-5"), Retry{Attempts: 3}, []time.Duration{1e8, 2e8}},
		} {
			if c.headers == nil {
				c.headers = after(time.Now().Add(20 * time.Second).UTC().Format(http.TimeFormat))
			}
			a := &answers{headers: c.headers, status: 503}
			e := register(t.Context(), t, a, c.retry)
			waits := a.waits()
			if len(waits) < len(c.least) || len(c.least) < 5 && len(waits) > len(c.least) || e.Attempts != len(waits)+1 {
				t.Errorf("%s: waits are %v", name, waits)
				continue
			}
			for i, least := range c.least {
				if waits[i] < least || waits[i] > least*3/2+time.Second/2 && least > time.Second || waits[i] > least*3/2 && least < time.Second {
					t.Errorf("%s: wait %d is %v, want %v and at most half more", name, i, waits[i], least)
				}
			}
		}
	})
}

// TestJitter: two clients that are refused at the same moment do not come back at the same one.
func TestJitter(t *testing.T) {
	seen := make(map[time.Duration]bool)
	for range 20 {
		wait, _ := Retry{}.withDefaults().next(1, 2*time.Second)
		seen[wait] = true
	}
	if len(seen) < 15 {
		t.Errorf("of 20 waits %d differ", len(seen))
	}
}

// TestContexts: the end of the context ends a call, in an attempt and between two, and a wait that
// would go beyond it is not begun.
func TestContexts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		within := func(d time.Duration) context.Context {
			ctx, cancel := context.WithTimeout(t.Context(), d)
			t.Cleanup(cancel)
			return ctx
		}
		a := &answers{headers: after("10"), status: 503}
		if e := register(within(9*time.Second), t, a, Retry{}); time.Since(begun) != 0 || e.Attempts != 1 || errors.Is(e, context.DeadlineExceeded) {
			t.Errorf("a wait beyond the deadline: after %v %v", time.Since(begun), e)
		}
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(3*time.Second, cancel)
		var p *Problem
		if e := register(ctx, t, a, Retry{}); time.Since(begun) != 3*time.Second || !errors.Is(e, context.Canceled) || !errors.As(e, &p) || p.Status != 503 {
			t.Errorf("cancelled in a wait: after %v %v", time.Since(begun), e)
		}
		a = &answers{headers: after("10"), status: 503}
		if e := register(within(time.Hour), t, a, Retry{Attempts: -1}); e.Attempts < 240 || e.Attempts > 360 {
			t.Errorf("without a limit: %d attempts in an hour", e.Attempts)
		}
		a, begun = &answers{hangs: true}, time.Now()
		if e := register(within(time.Second), t, a, Retry{}); time.Since(begun) != time.Second || !errors.Is(e, context.DeadlineExceeded) || !e.Unknown || e.Attempts != 1 {
			t.Errorf("an answer that does not come: after %v %v", time.Since(begun), e)
		}
		begun = time.Now()
		if e := register(t.Context(), t, a, Retry{Attempts: 2, Timeout: 7 * time.Second, Wait: 1}); time.Since(begun).Round(time.Second) != 14*time.Second || !errors.Is(e, errTimeout) || !e.Unknown {
			t.Errorf("two attempts without an answer: after %v %v", time.Since(begun), e)
		}
	})
}

// TestTokens are asked for before each attempt, and their errors end a call that has sent nothing.
func TestTokens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked, bad := 0, errors.New("no token")
		source := func(context.Context) (string, error) {
			if asked++; asked == 3 {
				return "", bad
			}
			return "t", nil
		}
		a := &answers{headers: after(""), status: 503}
		c, err := New("http://eventio", Config{HTTP: &http.Client{Transport: a}, Token: source})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.LogIn(t.Context(), "a", "b"); !errors.Is(err, bad) || len(a.at) != 2 {
			t.Errorf("after %d attempts: %v", len(a.at), err)
		}
	})
}

// TestWhichRefusalsDecide: those of a seat request and a used address do, whatever is said before or
// after a request was looked at does not, nor does a success.
func TestWhichRefusalsDecide(t *testing.T) {
	for _, c := range []Code{
		CodeAlreadyRegistered, CodeAlreadyWaitlisted, CodeEventNotFound, CodeEmailTaken, CodeSoldOut, CodeRegistrationNotOpen,
		CodeRegistrationClosed, CodeRegistrationCancelled, CodeEventCancelled, CodeEmailUnproven, CodeRegistrationChanged,
	} {
		if !c.decides() {
			t.Errorf("%s leaves it open", c)
		}
	}
	for _, c := range []Code{
		"", "of tomorrow", CodeInvalid, CodeUnauthenticated, CodeForbidden, CodeNotAdmitted, CodeLoginTooOld, CodeAccountLocked, CodeNotFound, CodeRegistrationNotFound,
		CodeUserNotFound, CodeMethodNotAllowed, CodeCapacityBelowSold, CodeVersionMismatch, CodePreconditionRequired, CodeRequestInProgress,
		CodeKeyReused, CodeTooLarge, CodeUnsupportedMediaType, CodeRateLimited, CodeQuotaExceeded, CodeInternal, CodeOverloaded, CodeStorageFull, CodeUnknownOutcome,
	} {
		if c.decides() {
			t.Errorf("%s decides", c)
		}
	}
}
