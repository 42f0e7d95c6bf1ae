package webhooks_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/eventio/eventio/api/wire"
	"github.com/eventio/eventio/internal/testenv"
	"github.com/eventio/eventio/pkg/store"
)

// TestTheIDOfARepetition: one with more changes has another id, since it is another message; docs/api.md says so.
func TestTheIDOfARepetition(t *testing.T) {
	sites(t, func(t *testing.T, s *site) {
		s.patient()
		r, e := newReceiver(t), s.event()
		w := s.hook(r)
		failing := true
		r.answers = func(_ int, rw http.ResponseWriter) {
			if failing {
				rw.WriteHeader(http.StatusInternalServerError)
			}
		}
		s.start(r)
		s.register(e, 1)
		s.becomes(w, "fail", func(w store.Webhook) bool { return w.Failures > 1 })
		s.register(e, 1)
		testenv.Eventually(t, limit, "tell of both at once", func() error {
			r.mu.Lock()
			defer r.mu.Unlock()
			first, last := r.calls[0], r.calls[len(r.calls)-1]
			if len(last.body.Data.Changes) <= len(first.body.Data.Changes) {
				return fmt.Errorf("the last tells of %d changes", len(last.body.Data.Changes))
			}
			if last.id == first.id || r.calls[1].id != first.id || last.body.Data.Changes[0].ID != first.body.Data.Changes[0].ID {
				t.Errorf("the calls are %+v, %+v and %+v", first, r.calls[1], last)
			}
			failing = false
			return nil
		})
		s.becomes(w, "be well again", func(w store.Webhook) bool { return w.Failures == 0 })
	})
}

// TestATestCallIsMadeOnce: also while every call fails, and changes wait.
func TestATestCallIsMadeOnce(t *testing.T) {
	sites(t, func(t *testing.T, s *site) {
		s.patient()
		r, e := newReceiver(t), s.event()
		w := s.hook(r)
		r.answers = func(_ int, rw http.ResponseWriter) { rw.WriteHeader(http.StatusInternalServerError) }
		s.start(r)
		s.register(e, 2)
		s.becomes(w, "fail", func(w store.Webhook) bool { return w.Failures > 0 })
		s.ask(w, store.TestMark(), time.Time{})
		testenv.Eventually(t, limit, "make a test call, and repeat those that fail", func() error {
			r.mu.Lock()
			defer r.mu.Unlock()
			tests, after := 0, 0
			for _, c := range r.calls {
				switch {
				case c.body.Type == wire.WebhookTest:
					tests++
				case tests > 0:
					after++
				}
			}
			if tests > 1 {
				t.Fatalf("%d test calls were made", tests)
			}
			if after < 4 {
				return fmt.Errorf("%d test calls and %d calls after that", tests, after)
			}
			return nil
		})
	})
}
