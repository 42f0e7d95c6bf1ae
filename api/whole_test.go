package api

import (
	"strings"
	"testing"
	"time"

	"github.com/eventio/eventio/api/problem"
	"github.com/eventio/eventio/internal/identity"
	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/hooks"
)

// TestWhatWasReadIsAnEdit: users and webhooks go back as they were read, with what is to change changed.
// What no edit changes is refused by name when it is another. TestAWholeEventIsAnEdit is about events.
func TestWhatWasReadIsAnEdit(t *testing.T) {
	eachStore(t, func(t *testing.T, s *site) {
		i := s.start(t, identity.Keys{}, manyPasswords(0)).takesWebhooks()
		ada := i.newMember(t)
		if id, err := store.ParseID(ada.id); err != nil {
			t.Fatal(err)
		} else if u, err := s.st.User(t.Context(), id); err != nil {
			t.Fatal(err)
		} else if _, err := s.st.ProveEmail(t.Context(), id, u.Email, time.Now()); err != nil {
			t.Fatal(err)
		}
		hook, made := i.hooked(t, ada, hookBody)
		read := func(path string) string {
			t.Helper()
			return i.ask(t, "GET", path, "", bearer(ada.token)).want(t, 200, "").body
		}
		for path, c := range map[string]struct {
			edit    [2]string         // one field before, and after
			refused map[string]string // a member that is put before all others, in place of its own: the field that is named
		}{
			"/api/users/" + ada.id: {[2]string{`"name":"`, `"name":"Countess `}, map[string]string{
				`"id":"` + store.NewID().Hex() + `"`: "id", `"created_at":"2020-01-01T00:00:00Z"`: "created_at", `"created_at":null`: "created_at",
				`"email_proven_at":"2020-01-01T00:00:00Z"`: "email_proven_at", `"token":"x"`: "token", `"password_hash":"x"`: "password_hash", `"id":7`: "id",
			}},
			hook: {[2]string{`"active":true`, `"active":false`}, map[string]string{
				`"id":"` + store.NewID().Hex() + `"`: "id", `"owner_id":"` + store.NewID().Hex() + `"`: "owner_id", `"all_events":true`: "all_events",
				`"created_at":"2020-01-01T00:00:00Z"`: "created_at", `"secret":"whsec_AAAA"`: "secret", `"failures":"many"`: "failures", `"version":1`: "version",
			}},
		} {
			whole := read(path)
			if r := i.ask(t, "PATCH", path, whole, bearer(ada.token), with("Content-Type", "application/merge-patch+json"), with("Prefer", "handling=strict")).want(t, 200, ""); r.body != whole {
				t.Errorf("%s: unchanged it is\n%s, was\n%s", path, r.body, whole)
			}
			changed := strings.Replace(whole, c.edit[0], c.edit[1], 1)
			if r := i.ask(t, "PATCH", path, changed, bearer(ada.token)).want(t, 200, ""); r.body != changed || changed == whole {
				t.Errorf("%s: it is\n%s, want\n%s", path, r.body, changed)
			}
			for member, field := range c.refused {
				if r := i.ask(t, "PATCH", path, "{"+member+"}", bearer(ada.token)).want(t, 400, problem.Invalid); !strings.Contains(r.body, `"field":"`+field+`"`) {
					t.Errorf("%s: %s: %s", path, member, r.body)
				}
			}
			if now := read(path); now != changed {
				t.Errorf("%s: it was\n%s, is\n%s", path, changed, now)
			}
		}
		// As it was made, with its secret; and as it was read while its calls failed, which is over.
		i.ask(t, "PATCH", hook, `{"id":"`+made.ID.Hex()+`","secret":"`+made.Secret+`","active":true}`, bearer(ada.token)).want(t, 200, "")
		i.ask(t, "PATCH", hook, `{"failures":7,"last_error":"the answer is 502","failing_since":"2026-01-01T00:00:00Z"}`, bearer(ada.token)).want(t, 200, "")
		// What is not taken any more stays when it comes back as it is.
		if _, err := hooks.Edit(t.Context(), s.st, made.ID, func(w *store.Webhook) error { w.URL = "https://old.example.com/"; return nil }); err != nil {
			t.Fatal(err)
		}
		i.ask(t, "PATCH", hook, read(hook), bearer(ada.token)).want(t, 200, "")
	})
}
