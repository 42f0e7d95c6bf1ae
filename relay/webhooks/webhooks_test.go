package webhooks_test

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/rs/zerolog"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/eventio/eventio/api/wire"
	"github.com/eventio/eventio/internal/testenv"
	"github.com/eventio/eventio/internal/testenv/system"
	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/changes"
	"github.com/eventio/eventio/pkg/store/hooks"
	"github.com/eventio/eventio/pkg/store/mongostore"
	"github.com/eventio/eventio/pkg/store/sqlitestore"
	"github.com/eventio/eventio/pkg/store/storetest"
	relaytest "github.com/eventio/eventio/pkg/store/storetest/relay"
	"github.com/eventio/eventio/relay"
	"github.com/eventio/eventio/relay/webhooks"
)

func TestMain(m *testing.M) { testenv.Main(m) }

const limit = 15 * time.Second

// call is one that a receiver got.
type call struct {
	id, signature string
	body          wire.WebhookMessage
}

// receiver is a server with a certificate of its own that takes calls, and checks that each is signed.
type receiver struct {
	*httptest.Server
	t *testing.T

	mu      sync.Mutex // guards all below
	keys    [][]byte   // one of which must have signed
	answers func(n int, w http.ResponseWriter)
	calls   []call
	seen    map[string]int // how often each change came
}

func newReceiver(t *testing.T) *receiver {
	r := &receiver{t: t, seen: make(map[string]int)}
	r.Server = httptest.NewTLSServer(r)
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	signed := false
	for _, key := range r.keys {
		wh, _ := standardwebhooks.NewWebhookRaw(key)
		signed = signed || wh.Verify(body, req.Header) == nil
	}
	if !signed {
		r.t.Error("a call is not signed")
	}
	c := call{id: req.Header.Get("webhook-id"), signature: req.Header.Get("webhook-signature")}
	if err := json.Unmarshal(body, &c.body); err != nil {
		r.t.Errorf("%v: %s", err, body)
	}
	if n := len(c.body.Data.Changes); n > webhooks.MaxChanges {
		r.t.Errorf("a call has %d changes", n)
	}
	r.calls = append(r.calls, c)
	for _, change := range c.body.Data.Changes {
		r.seen[change.ID]++
	}
	if r.answers != nil {
		r.answers(len(r.calls), w)
	}
}

// told waits until a receiver has got every change of an event above a revision, and checks their order.
func (r *receiver) told(st store.Store, event store.ID, after int64) {
	r.t.Helper()
	var want []string
	for row, err := range st.EventChanges(r.t.Context(), event, after, 0) {
		if err != nil {
			r.t.Fatal(err)
		}
		for _, i := range changes.Items(row) {
			want = append(want, wire.ChangeOf(row, i).ID)
		}
	}
	testenv.Eventually(r.t, limit, "tell of every change", func() error {
		r.mu.Lock()
		defer r.mu.Unlock()
		for _, id := range want {
			if r.seen[id] == 0 {
				return fmt.Errorf("%s did not come; %d calls", id, len(r.calls))
			}
		}
		return nil
	})
	r.mu.Lock()
	defer r.mu.Unlock()
	next := 0
	for _, c := range r.calls {
		for _, change := range c.body.Data.Changes {
			if change.EventID != event || change.Revision <= after {
				continue
			}
			at := slices.Index(want, change.ID)
			if at > next {
				r.t.Fatalf("%s came before %s", change.ID, want[next])
			}
			next = max(next, at+1)
		}
	}
}

func (r *receiver) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.calls)
}

// site is a store with processes that call webhooks.
type site struct {
	t      *testing.T
	store  store.Store
	owner  store.ID
	config webhooks.Config
	log    system.Log
}

func sites(t *testing.T, test func(*testing.T, *site)) {
	t.Run("SQLite", func(t *testing.T) {
		s, err := sqlitestore.Open(t.Context(), filepath.Join(t.TempDir(), "eventio.db"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		test(t, newSite(t, s))
	})
	t.Run("MongoDB", func(t *testing.T) {
		s, err := mongostore.Open(t.Context(), testenv.MongoDB(t), zerolog.Nop())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		test(t, newSite(t, s))
	})
}

func newSite(t *testing.T, st store.Store) *site {
	return &site{t: t, store: st, owner: store.NewID(), config: webhooks.Config{
		Targets: webhooks.Targets{Allowed: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}},
		Timeout: 2 * time.Second, Lease: 600 * time.Millisecond, Poll: 20 * time.Millisecond, FirstPause: 20 * time.Millisecond, AtOnce: 4,
	}}
}

// patient gives leases and calls the time that even a busy machine does not need: where they run out,
// calls are repeated.
func (s *site) patient() { s.config.Lease, s.config.Timeout = 20*time.Second, 20*time.Second }

// event makes an event of the owner.
func (s *site) event() store.Event {
	s.t.Helper()
	e := storetest.NewEvent(s.t, s.store, 10_000)
	// Made anew, for the owner.
	e.ID, e.OrganizerID = store.NewID(), s.owner
	if err := s.store.CreateEvent(s.t.Context(), e); err != nil {
		s.t.Fatal(err)
	}
	return e
}

// hook stores a webhook that calls a receiver.
func (s *site) hook(r *receiver) store.Webhook {
	s.t.Helper()
	w := relaytest.NewWebhook(s.owner, r.URL+"/hook")
	w.CreatedAt = storetest.Now().Add(-time.Hour)
	if err := s.store.CreateWebhook(s.t.Context(), w); err != nil {
		s.t.Fatal(err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.keys = append(r.keys, w.Secrets[0].Key)
	return w
}

// start runs a process that calls webhooks, and believes the certificates of receivers.
func (s *site) start(receivers ...*receiver) (stop func()) {
	s.t.Helper()
	config := s.config
	config.Targets.Roots = x509.NewCertPool()
	for _, r := range receivers {
		config.Targets.Roots.AddCert(r.Certificate())
	}
	log := zerolog.New(&s.log)
	caller := webhooks.NewCaller(s.store, config, log)
	ctx, cancel := context.WithCancel(s.t.Context())
	var running sync.WaitGroup
	running.Go(func() { caller.Run(ctx) })
	running.Go(func() {
		relay.New(s.store, relay.Config{Lease: s.config.Lease}, log).Run(ctx, webhooks.NewSink(s.store, caller.Wake))
	})
	testenv.Eventually(s.t, limit, "read the record", func() error { // a new consumer begins at the present
		if _, err := s.store.TakeLease(s.t.Context(), "webhooks", "nobody", time.Nanosecond); !errors.Is(err, store.ErrLeaseHeld) {
			return fmt.Errorf("nobody reads it: %w", err)
		}
		return nil
	})
	stop = sync.OnceFunc(func() { cancel(); running.Wait() })
	s.t.Cleanup(stop)
	return stop
}

func (s *site) register(e store.Event, n int) {
	s.t.Helper()
	storetest.MustApply(s.t, s.store, storetest.NewRequests(e.ID, n)...)
}

// ask asks for a test call, or for a replay of what changed since a time.
func (s *site) ask(w store.Webhook, what store.ID, since time.Time) {
	s.t.Helper()
	_, err := hooks.Ask(s.t.Context(), s.store, w.ID, what, func(w *store.Webhook) error { w.ReplayFrom = since; return nil })
	if err != nil {
		s.t.Error(err)
	}
}

// becomes waits until a webhook is as wanted.
func (s *site) becomes(w store.Webhook, what string, is func(store.Webhook) bool) store.Webhook {
	s.t.Helper()
	var now store.Webhook
	testenv.Eventually(s.t, limit, what, func() (err error) {
		if now, err = s.store.Webhook(s.t.Context(), w.ID); err == nil && !is(now) {
			err = fmt.Errorf("it is %+v", now)
		}
		return err
	})
	return now
}

func TestEveryChangeIsToldInOrder(t *testing.T) {
	sites(t, func(t *testing.T, s *site) {
		s.patient()
		r, e, f := newReceiver(t), s.event(), s.event()
		s.hook(r)
		other := storetest.NewEvent(t, s.store, 10) // of somebody else
		stop := s.start(r)
		for range 4 {
			s.register(e, 3)
			s.register(f, 1)
			storetest.MustApply(t, s.store, storetest.NewRequest(other.ID))
		}
		r.told(s.store, e.ID, 1)
		r.told(s.store, f.ID, 1)
		stop()
		// A backlog, in which one row has more than a call takes.
		s.register(e, 2*webhooks.MaxChanges+30)
		s.register(f, 5)
		s.start(r)
		r.told(s.store, e.ID, 1)
		r.told(s.store, f.ID, 1)
		for id, n := range r.seen {
			if strings.HasPrefix(id, other.ID.Hex()) {
				t.Errorf("%s is of somebody else's event", id)
			}
			if n != 1 {
				t.Errorf("%s came %d times, and nothing failed", id, n)
			}
		}
	})
}

// TestFailedCallsAreRepeated: the same changes come again under the same id, and what comes meanwhile
// waits behind them.
func TestFailedCallsAreRepeated(t *testing.T) {
	sites(t, func(t *testing.T, s *site) {
		r, e := newReceiver(t), s.event()
		w := s.hook(r)
		r.answers = func(n int, rw http.ResponseWriter) {
			switch n {
			case 1:
				rw.WriteHeader(http.StatusInternalServerError)
			case 2:
				http.Redirect(rw, &http.Request{}, r.URL+"/elsewhere", http.StatusTemporaryRedirect)
			case 3:
				panic(http.ErrAbortHandler)
			}
		}
		s.start(r)
		s.register(e, 2)
		r.told(s.store, e.ID, 1)
		s.becomes(w, "be well again", func(w store.Webhook) bool { return w.Failures == 0 && w.LastError == "" && r.count() >= 4 })
		for _, c := range r.calls[1:4] {
			if c.id != r.calls[0].id || !strings.HasPrefix(c.id, "msg_") {
				t.Errorf("the ids are %q and %q", r.calls[0].id, c.id)
			}
		}
		calls, err := s.store.WebhookCalls(t.Context(), w.ID)
		if err != nil || len(calls) != 4 || calls[0].Status != 200 || calls[1].Error == "" || calls[2].Status != 307 || calls[3].Status != 500 {
			t.Errorf("the calls are %+v, %v", calls, err)
		}
	})
}

// TestRetryAfterIsHonoured: and bounds nothing that is longer anyway.
func TestRetryAfterIsHonoured(t *testing.T) {
	sites(t, func(t *testing.T, s *site) {
		r, e := newReceiver(t), s.event()
		w := s.hook(r)
		r.answers = func(_ int, rw http.ResponseWriter) {
			rw.Header().Set("Retry-After", "3600")
			rw.WriteHeader(http.StatusTooManyRequests)
		}
		s.start(r)
		s.register(e, 1)
		now := s.becomes(w, "fail", func(w store.Webhook) bool { return w.Failures == 1 })
		if left := time.Until(now.NextAt); left < 59*time.Minute || left > 61*time.Minute {
			t.Errorf("it is called again in %v", left)
		}
	})
}

// TestADeadReceiverIsSwitchedOff: after GiveUp, or at once when it says that it is gone. Nothing is lost:
// when it is switched on again everything comes.
func TestADeadReceiverIsSwitchedOff(t *testing.T) {
	for name, status := range map[string]int{"it fails too long": http.StatusBadGateway, "it is gone": http.StatusGone} {
		t.Run(name, func(t *testing.T) {
			sites(t, func(t *testing.T, s *site) {
				if status != http.StatusGone {
					s.config.GiveUp = 300 * time.Millisecond
				}
				var told sync.Map
				var tries atomic.Int64
				s.config.SwitchOff = func(ctx context.Context, then store.Webhook) error {
					if tries.Add(1) == 1 {
						return errors.New("the owner cannot be told")
					}
					if now, err := s.store.Webhook(ctx, then.ID); err != nil || !now.Active || then.Active || then.OffSince.IsZero() {
						t.Errorf("it is switched off before its owner is told: %+v, %v", now, err)
					}
					told.Store(then.ID, then.OwnerID)
					return nil
				}
				r, e := newReceiver(t), s.event()
				w := s.hook(r)
				var heals sync.Map
				r.answers = func(_ int, rw http.ResponseWriter) {
					if _, healed := heals.Load(true); !healed {
						rw.WriteHeader(status)
					}
				}
				s.start(r)
				s.register(e, 1)
				off := s.becomes(w, "be switched off", func(w store.Webhook) bool { return !w.Active })
				if off.OffSince.IsZero() || off.LastError == "" || off.Failures == 0 {
					t.Errorf("it is %+v", off)
				}
				testenv.Eventually(t, limit, "tell the owner", func() error {
					if owner, _ := told.Load(w.ID); owner != s.owner || !strings.Contains(s.log.String(), "switched off") {
						return errors.New("nobody was told")
					}
					return nil
				})
				if strings.Contains(s.log.String(), r.URL) {
					t.Error("the log tells the URL")
				}
				s.register(e, 2)
				heals.Store(true, true)
				_, err := hooks.Edit(t.Context(), s.store, w.ID, func(w *store.Webhook) error {
					w.Active, w.OffSince, w.Failures, w.FailingSince = true, time.Time{}, 0, time.Time{}
					return nil
				})
				if err != nil {
					t.Fatal(err)
				}
				r.told(s.store, e.ID, 1)
			})
		})
	}
}

// TestASlowReceiverHoldsUpNobody: there are more of them than may be called at once, and none answers
// before the test ends. Their last calls have failed.
func TestASlowReceiverHoldsUpNobody(t *testing.T) {
	sites(t, func(t *testing.T, s *site) {
		e := s.event()
		slow, fast := newReceiver(t), newReceiver(t)
		release := make(chan struct{})
		defer close(release)
		slow.answers = func(int, http.ResponseWriter) {
			slow.mu.Unlock() // the others call it too
			<-release
			slow.mu.Lock()
		}
		s.config.Timeout = 4 * limit
		for range 3 * s.config.AtOnce {
			w := s.hook(slow)
			if _, err := hooks.Edit(t.Context(), s.store, w.ID, func(w *store.Webhook) error { w.Failures = 1; return nil }); err != nil {
				t.Fatal(err)
			}
		}
		s.start(slow, fast)
		s.register(e, 1)
		testenv.Eventually(t, limit, "call as many of them as may be called", func() error {
			if slow.count() < s.config.AtOnce/2 {
				return errors.New("they are not called")
			}
			return nil
		})
		s.hook(fast)
		s.register(e, 1)
		fast.told(s.store, e.ID, 2)
	})
}

// TestAProcessThatDiesIsReplaced: another process holds the lease of a webhook, and makes no call.
func TestAProcessThatDiesIsReplaced(t *testing.T) {
	sites(t, func(t *testing.T, s *site) {
		r, e := newReceiver(t), s.event()
		w := s.hook(r)
		name := store.WebhookConsumer(w.ID)
		err := s.store.CreateConsumer(t.Context(), name, "")
		if err == nil {
			_, err = s.store.TakeLease(t.Context(), name, "killed", 700*time.Millisecond)
		}
		if err != nil {
			t.Fatal(err)
		}
		s.start(r)
		s.register(e, 1)
		r.told(s.store, e.ID, 1)
	})
}

// TestProcessesShareWebhooks: nothing comes twice while nothing fails.
func TestProcessesShareWebhooks(t *testing.T) {
	sites(t, func(t *testing.T, s *site) {
		s.patient()
		r, e := newReceiver(t), s.event()
		s.hook(r)
		s.start(r)
		s.start(r)
		for range 10 {
			s.register(e, 2)
		}
		r.told(s.store, e.ID, 1)
		for id, n := range r.seen {
			if n != 1 {
				t.Errorf("%s came %d times", id, n)
			}
		}
	})
}

func TestReplayAndTestCalls(t *testing.T) {
	sites(t, func(t *testing.T, s *site) {
		r, e := newReceiver(t), s.event()
		w := s.hook(r)
		s.start(r)
		requests := storetest.NewRequests(e.ID, 6)
		for i := range requests {
			requests[i].At = storetest.Now().Add(time.Duration(i) * time.Minute)
			storetest.MustApply(t, s.store, requests[i])
		}
		r.told(s.store, e.ID, 1)
		s.ask(w, store.TestMark(), time.Time{})
		testenv.Eventually(t, limit, "make a test call", func() error {
			r.mu.Lock()
			defer r.mu.Unlock()
			if last := r.calls[len(r.calls)-1]; last.body.Type != wire.WebhookTest || len(last.body.Data.Changes) != 0 {
				return fmt.Errorf("the last is %+v", last)
			}
			return nil
		})
		rows := storetest.Collect(t, s.store.EventChanges(t.Context(), e.ID, 1, 0))
		since := rows[3].At
		s.ask(w, store.ReplayMark(), since)
		s.becomes(w, "have begun the replay", func(w store.Webhook) bool { return w.ReplayFrom.IsZero() })
		testenv.Eventually(t, limit, "tell again", func() error {
			r.mu.Lock()
			defer r.mu.Unlock()
			for i, row := range rows {
				id := wire.ChangeOf(row, changes.Items(row)[0]).ID
				want := 1
				if !row.At.Before(since) {
					want = 2
				}
				if r.seen[id] != want {
					return fmt.Errorf("row %d came %d times, want %d", i, r.seen[id], want)
				}
			}
			return nil
		})
	})
}

// askedMeanwhile is a store in which somebody asks a webhook for a replay while a caller is busy with it.
type askedMeanwhile struct {
	store.Store
	ask    func()
	asked  chan struct{} // closed after that
	noting bool          // just before it is noted that a replay has begun; else just before the marks are read
}

func (s *askedMeanwhile) DueMarks(ctx context.Context, webhook, after store.ID, limit int) ([]store.WebhookMark, error) {
	if !s.noting {
		s.ask()
	}
	return s.Store.DueMarks(ctx, webhook, after, limit)
}

func (s *askedMeanwhile) ToldWebhook(ctx context.Context, m store.WebhookMark, told int64) error {
	if s.noting && m.EventID == store.ReplayMark() {
		s.ask()
	}
	return s.Store.ToldWebhook(ctx, m, told)
}

// TestNoReplayIsForgotten: one that is asked for while the webhook is called, or a replay begins, begins too.
func TestNoReplayIsForgotten(t *testing.T) {
	for name, noting := range map[string]bool{"while another begins": true, "between its reads": false} {
		t.Run(name, func(t *testing.T) {
			sites(t, func(t *testing.T, s *site) {
				s.patient()
				r, e := newReceiver(t), s.event()
				w := s.hook(r)
				ask := func() { s.ask(w, store.ReplayMark(), storetest.Now().Add(-time.Hour)) }
				if noting {
					ask()
				}
				m := &askedMeanwhile{Store: s.store, asked: make(chan struct{}), noting: noting}
				m.ask = sync.OnceFunc(func() { ask(); close(m.asked) })
				s.store = m
				stop := s.start(r)
				s.register(e, 1)
				<-m.asked
				s.becomes(w, "have begun the replay", func(w store.Webhook) bool { return w.ReplayFrom.IsZero() })
				stop()
			})
		})
	}
}

// TestSecretsOverlap: during the exchange of a secret, each of the two verifies a call; one that has
// ended does not.
func TestSecretsOverlap(t *testing.T) {
	sites(t, func(t *testing.T, s *site) {
		r, e := newReceiver(t), s.event()
		w := s.hook(r)
		old, ended := w.Secrets[0], []byte("ended-ended-ended-ended-ended-00")
		fresh := []byte("fresh-fresh-fresh-fresh-fresh-00")
		_, err := hooks.Edit(t.Context(), s.store, w.ID, func(w *store.Webhook) error {
			old.EndsAt = time.Now().Add(time.Hour)
			w.Secrets = []store.WebhookSecret{{Key: fresh}, old, {Key: ended, EndsAt: time.Now().Add(-time.Hour)}}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		s.start(r)
		for _, key := range [][]byte{fresh, old.Key} {
			r.mu.Lock()
			r.keys = [][]byte{key}
			r.mu.Unlock()
			s.register(e, 1)
			r.told(s.store, e.ID, 1)
		}
		for _, c := range r.calls {
			if n := len(strings.Fields(c.signature)); n != 2 {
				t.Errorf("a call has %d signatures: %s", n, c.signature)
			}
		}
	})
}
