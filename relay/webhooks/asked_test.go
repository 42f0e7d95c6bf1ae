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
