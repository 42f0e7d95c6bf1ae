package messages

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/rs/zerolog"

	"github.com/eventio/eventio/internal/testenv"
	"github.com/eventio/eventio/pkg/messages/internal/uplink"
)

// TestWhatAServerHasRefused has the errors of a server, in the spellings that nats.go reports them in.
func TestWhatAServerHasRefused(t *testing.T) {
	violation := func(text string) error { return fmt.Errorf("%w: %s", nats.ErrPermissionViolation, text) }
	for name, c := range map[string]struct {
		err     error
		sub     subscription
		refused bool
	}{
		"a subject":                {violation(`Permissions Violation for Subscription to "a.b"`), subscription{subject: "a.b"}, true},
		"a queue group":            {violation(`Permissions Violation for Subscription to "a.b" using queue "workers"`), subscription{"a.b", "workers"}, true},
		"in lower case":            {violation(`permissions violation for subscription to "a.b" using queue "workers"`), subscription{"a.b", "workers"}, true},
		"one too many":             {fmt.Errorf("nats: %w", nats.ErrMaxSubscriptionsExceeded), subscription{}, true},
		"a message":                {violation(`Permissions Violation for Publish to "a.b"`), subscription{}, false},
		"the words alone":          {errors.New(`Permissions Violation for Subscription to "a.b"`), subscription{}, false},
		"a slow consumer":          {nats.ErrSlowConsumer, subscription{}, false},
		"a violation without name": {violation("Permissions Violation"), subscription{}, false},
	} {
		if sub, refused := refusedSubscription(c.err); sub != c.sub || refused != c.refused {
			t.Errorf("%s: %+v, %v", name, sub, refused)
		}
	}
}

// TestEachReasonIsLoggedOnceAMinute checks when an error is logged: each at once, in either spelling, and again
// after a minute; the reasons that are remembered are bounded.
func TestEachReasonIsLoggedOnceAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSupervisor(nats.Options{}, zerolog.Nop())
		first, other := errors.New("first"), errors.New("other")
		for step, c := range []struct {
			err  error
			wait time.Duration // before
			want bool
		}{
			{first, 0, true}, {first, 0, false}, {errors.New("FIRST"), 0, false}, {other, 0, true}, {first, logInterval - time.Nanosecond, false},
			{first, time.Nanosecond, true}, {first, logInterval / 2, false},
		} {
			time.Sleep(c.wait)
			if got := s.shouldLog(c.err); got != c.want {
				t.Errorf("step %d, %v: %v", step, c.err, got)
			}
		}
		for i := range 5 * maxLogged {
			if !s.shouldLog(fmt.Errorf("reason %d", i)) || len(s.logged) > maxLogged {
				t.Fatalf("reason %d is not logged, or %d are remembered", i, len(s.logged))
			}
		}
		fresh := newSupervisor(nats.Options{}, zerolog.Nop())
		for i := range maxLogged {
			fresh.shouldLog(fmt.Errorf("reason %d", i))
		}
		if len(fresh.logged) != maxLogged || fresh.shouldLog(errors.New("reason 0")) {
			t.Errorf("%d of %d reasons are remembered", len(fresh.logged), maxLogged)
		}
	})
}

// TestANewConnectionBeginsAnew checks that what a server has refused, and what was logged of it, does not count for
// the connection after.
func TestANewConnectionBeginsAnew(t *testing.T) {
	conn, err := Connect(testenv.StartNATS(t).URL(), "test", zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	var log bytes.Buffer
	s := newSupervisor(conn.Opts, zerolog.New(&log))
	reason := errors.New("reason")
	s.shouldLog(reason)
	s.refused[subscription{subject: "a"}], s.smallPayload, s.trying = reason, true, true
	if subs, small, done := s.refusals(); len(subs) != 1 || !small || done || !s.trying {
		t.Errorf("refused are %v, %v, %v", subs, small, done)
	}
	s.onConnect(conn)
	if !s.shouldLog(reason) {
		t.Error("a reason of before is not logged again")
	}
	if subs, small, done := s.refusals(); len(subs) != 0 || small || !done || s.trying {
		t.Errorf("refused are %v, %v, %v", subs, small, done)
	}
	if strings.Contains(log.String(), "limit") {
		t.Errorf("a server that takes all messages has a limit:\n%s", &log)
	}
	s.refused[subscription{subject: "a"}] = reason
	if subs, small, done := s.refusals(); len(subs) != 1 || small || done {
		t.Error("a subscription alone is no reason to try")
	}
	clear(s.refused)
	s.smallPayload = true
	if _, small, done := s.refusals(); !small || done {
		t.Error("a payload limit alone is no reason to try")
	}
}

// TestTrialsAreMadeByOneGoroutine checks that a second refusal starts no second one, nor does a second look for why the
// connection is away, and that both end with the connection.
func TestTrialsAreMadeByOneGoroutine(t *testing.T) {
	for name, start := range map[string]func(*supervisor, *nats.Conn){"trials": (*supervisor).startTrials, "looks": (*supervisor).watchAway} {
		synctest.Test(t, func(t *testing.T) {
			s := newSupervisor(nats.Options{}, zerolog.Nop())
			for range 2 {
				start(s, new(nats.Conn))
			}
			if s.trying != (name == "trials") || s.watching != (name == "looks") {
				t.Errorf("%s: trying %v, watching %v", name, s.trying, s.watching)
			}
			s.closed <- struct{}{} // ends the one that takes it
			synctest.Wait()
			select {
			case s.closed <- struct{}{}:
				t.Errorf("%s: a second goroutine makes them", name)
			default:
			}
		})
	}
	synctest.Test(t, func(t *testing.T) {
		s := newSupervisor(nats.Options{}, zerolog.Nop())
		s.startTrials(nil)
		began := time.Now()
		for s.mu.Lock(); s.trying; s.mu.Lock() {
			s.mu.Unlock()
			time.Sleep(time.Millisecond)
		}
		s.mu.Unlock()
		if took := time.Since(began); took < minTrialBackoff/2 || took > 2*minTrialBackoff {
			t.Errorf("the first trial comes after %v", took)
		}
	})
}

// TestWhyAConnectionIsAwayIsLookedAt checks that a look at a connection ends when it is there, and not before, and that the next one
// that is away is looked at again.
func TestWhyAConnectionIsAwayIsLookedAt(t *testing.T) {
	conn, err := Connect(testenv.StartNATS(t).URL(), "test", zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	s := newSupervisor(conn.Opts, zerolog.Nop())
	looks := func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.watching
	}
	for range 2 {
		if s.watchAway(conn); !looks() {
			t.Error("nobody looks")
		}
		testenv.Eventually(t, 10*time.Second, "end", func() error {
			if looks() {
				return errors.New("somebody looks still")
			}
			return nil
		})
	}
	synctest.Test(t, func(t *testing.T) {
		s := newSupervisor(nats.Options{}, zerolog.Nop())
		s.watchAway(new(nats.Conn)) // which is away
		time.Sleep(10 * statusInterval)
		if s.mu.Lock(); !s.watching {
			t.Error("nobody looks any more")
		}
		s.mu.Unlock()
		close(s.closed)
	})
}

// TestWhatIsPermitted checks which subscriptions a trial connection says that the server takes.
func TestWhatIsPermitted(t *testing.T) {
	allowed := func(o *server.Options) {
		o.Users = []*server.User{{Username: "ada", Permissions: &server.Permissions{
			Subscribe: &server.SubjectPermission{Allow: []string{"a workers", "b", "_INBOX.>"}},
		}}}
		o.NoAuthUser = "ada"
	}
	full := func(o *server.Options) { o.MaxSubs = 1 }
	for name, c := range map[string]struct {
		options func(*server.Options)
		sub     subscription
		want    bool
	}{
		"a subject":                       {allowed, subscription{subject: "b"}, true},
		"a subject of others":             {allowed, subscription{subject: "c"}, false},
		"a queue group":                   {allowed, subscription{"a", "workers"}, true},
		"another queue group":             {allowed, subscription{"a", "others"}, false},
		"no queue group where one may be": {allowed, subscription{subject: "a"}, false},
		"any":                             {allowed, subscription{}, true},
		"any, and there is room for one":  {full, subscription{}, false},
		"any, and no limit":               {func(*server.Options) {}, subscription{}, true},
	} {
		url := testenv.StartNATSWith(t, c.options).URL()
		trial, err := nats.Connect(url, nats.PermissionErrOnSubscribe(true), nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(trial.Close)
		if name == "any, and there is room for one" {
			if _, err := trial.SubscribeSync("taken"); err != nil {
				t.Fatal(err)
			}
		}
		if got := permitted(trial, c.sub); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
		if trial.Close(); permitted(trial, c.sub) {
			t.Errorf("%s: a closed connection has it", name)
		}
	}
}

// TestWhatIsLoggedOfErrors checks the line of each error, and that there is none when the same was logged a moment ago: of errors that come
// with advice, the same advice.
func TestWhatIsLoggedOfErrors(t *testing.T) {
	there, err := Connect(testenv.StartNATS(t).URL(), "test", zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	defer there.Close()
	away := new(nats.Conn)
	refused := func(attempt string) error { return fmt.Errorf("%s: %w", attempt, nats.ErrAuthorization) }
	var log bytes.Buffer
	s := newSupervisor(nats.Options{User: "ada"}, zerolog.New(&log))
	for i, step := range []struct {
		conn  *nats.Conn
		err   error
		level string // none: nothing is logged
		text  string
	}{
		{away, errors.New("no route"), "warn", "cannot be reached"},
		{away, errors.New("no route"), "", ""},
		{away, refused("first"), "error", `"login":"user ada"`},
		{away, refused("second"), "", ""},
		{there, errors.New("slow"), "error", "NATS reports an error"},
		{there, errors.New("slow"), "", ""},
		{there, refused("third"), "error", "NATS reports an error"},
	} {
		log.Reset()
		s.onAsyncError(step.conn, nil, step.err)
		if step.level == "" && log.Len() > 0 || step.level != "" && (!strings.Contains(log.String(), step.text) || strings.Count(log.String(), `"level":"`+step.level) != 1) {
			t.Errorf("step %d, %v: the log is %q", i, step.err, &log)
		}
	}
}

// TestWhenATrialSucceeds checks that a trial succeeds when something is better, and not otherwise.
func TestWhenATrialSucceeds(t *testing.T) {
	all, low := func(*server.Options) {}, func(o *server.Options) { o.MaxPayload = 1000 }
	none := func(o *server.Options) { o.Users = []*server.User{{Username: "another", Password: "secret"}} }
	for name, c := range map[string]struct {
		options      func(*server.Options)
		subs         []subscription
		smallPayload bool
		want         bool
	}{
		"the payload limit is still too low":               {low, nil, true, false},
		"the payload limit is raised":                      {all, nil, true, true},
		"the payload limit never was too low":              {all, nil, false, false},
		"a subscription is taken":                          {all, []subscription{{subject: "a"}}, false, true},
		"a subscription is, though the limit is too low":   {low, []subscription{{subject: "a"}}, true, true},
		"the login is not taken, and nothing else is seen": {none, []subscription{{subject: "a"}}, true, false},
	} {
		options := nats.GetDefaultOptions()
		options.Servers = []string{testenv.StartNATSWith(t, c.options).URL()}
		if got := newSupervisor(options, zerolog.Nop()).trialSucceeds(c.subs, c.smallPayload); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// TestReadyOnAConnectionThatIsJustLost checks that a process does not say that no worker answers when nothing was sent.
func TestReadyOnAConnectionThatIsJustLost(t *testing.T) {
	r, err := NewRequester(joined(t, testenv.StartNATS(t).URL(), "api"))
	if err != nil {
		t.Fatal(err)
	}
	r.batcher.state = new(uplink.State) // knows it already, and the connection does not
	if err := r.Ready(t.Context()); err == nil || errors.Is(err, ErrNoWorkers) {
		t.Errorf("readiness is %v", err)
	}
}
