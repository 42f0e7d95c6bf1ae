package api

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/eventio/eventio/api/gate"
	"github.com/eventio/eventio/api/problem"
	"github.com/eventio/eventio/api/wire"
	"github.com/eventio/eventio/internal/identity"
	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/hooks"
)

// takesWebhooks has an instance take URLs of example.org.
func (i *instance) takesWebhooks(operators ...store.ID) *instance {
	i.core.Config.Webhooks = Webhooks{Operators: operators, CheckURL: func(url string) error {
		if !strings.HasPrefix(url, "https://example.org/") {
			return errors.New("must lead to a public address")
		}
		return nil
	}}
	return i
}

const hookBody = `{"url":"https://example.org/hook"}`

// hooked makes a webhook, and returns its path and what was answered.
func (i *instance) hooked(t *testing.T, by member, body string) (path string, w wire.Webhook) {
	t.Helper()
	r := i.ask(t, "POST", "/api/webhooks", body, bearer(by.token)).want(t, 201, "")
	if err := json.Unmarshal([]byte(r.body), &w); err != nil {
		t.Fatal(err)
	}
	if path = "/api/webhooks/" + w.ID.Hex(); r.header.Get("Location") != path || r.header.Get("Cache-Control") != "no-store" {
		t.Errorf("the headers are %v", r.header)
	}
	return path, w
}

func TestTheLifeOfAWebhook(t *testing.T) {
	eachStore(t, func(t *testing.T, s *site) {
		i := s.start(t, identity.Keys{}, manyPasswords(0)).takesWebhooks()
		ada := i.newMember(t)
		path, made := i.hooked(t, ada, hookBody)
		key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(made.Secret, "whsec_"))
		if err != nil || !strings.HasPrefix(made.Secret, "whsec_") || len(key) < 24 || !made.Active || made.OwnerID.Hex() != ada.id {
			t.Fatalf("made is %+v", made)
		}
		get := func(path string) reply { return i.ask(t, "GET", path, "", bearer(ada.token)).want(t, 200, "") }
		for _, r := range []reply{get(path), get("/api/webhooks"), get("/api/webhooks?owner_id=" + ada.id)} {
			if !strings.Contains(r.body, made.ID.Hex()) || strings.Contains(r.body, "secret") || strings.Contains(r.body, "whsec") {
				t.Errorf("it is told as %s", r.body)
			}
		}
		t.Run("it is edited", func(t *testing.T) {
			off := i.ask(t, "PATCH", path, `{"active":false}`, bearer(ada.token)).want(t, 200, "")
			if !strings.Contains(off.body, `"active":false`) || off.field(t, "url") != made.URL {
				t.Errorf("it is %s", off.body)
			}
			for _, what := range []string{"/test", "/replay?since=2026-01-01T00:00:00Z"} {
				i.ask(t, "POST", path+what, "", bearer(ada.token)).want(t, 409, problem.WebhookOff)
			}
			for body, field := range map[string]string{
				`{"url":"https://10.0.0.1/"}`: "url", `{"url":null}`: "url", `{"secret":"mine"}`: "secret", `{"owner_id":"` + store.NewID().Hex() + `"}`: "owner_id", `{"all_events":true}`: "all_events",
			} {
				if r := i.ask(t, "PATCH", path, body, bearer(ada.token)).want(t, 400, problem.Invalid); !strings.Contains(r.body, field) {
					t.Errorf("%s: %s", body, r.body)
				}
			}
			i.ask(t, "PATCH", path, `{"active":true,"url":"https://example.org/other"}`, bearer(ada.token)).want(t, 200, "")
		})
		t.Run("what failed is told, and forgotten when it is switched on", func(t *testing.T) {
			now := time.Now().UTC().Truncate(time.Millisecond)
			_, err := hooks.Edit(t.Context(), s.st, made.ID, func(w *store.Webhook) error {
				w.Active, w.OffSince, w.Failures, w.FailingSince, w.LastError = false, now, 7, now.Add(-72*time.Hour), "the answer is 502"
				return nil
			})
			if err == nil {
				err = s.st.KeepWebhookCall(t.Context(), made.ID, store.WebhookCall{At: now, MessageID: "msg_1", Status: 502, Millis: 12, Answer: "<bad gateway>", Error: "the answer is 502"})
			}
			if err != nil {
				t.Fatal(err)
			}
			r := get(path)
			if !strings.Contains(r.body, `"failures":7`) || r.field(t, "last_error") != "the answer is 502" || !strings.Contains(r.body, `"active":false`) || !strings.Contains(r.body, `"switched_off_at":`) {
				t.Errorf("it is %s", r.body)
			}
			if r := get(path + "/calls"); !strings.Contains(r.body, `"ms":12`) || !strings.Contains(r.body, `bad gateway`) || !strings.Contains(r.body, `"status":502`) {
				t.Errorf("the calls are %s", r.body)
			}
			r = i.ask(t, "PATCH", path, `{"active":true}`, bearer(ada.token)).want(t, 200, "")
			for _, gone := range []string{"failures", "last_error", "switched_off_at", "failing_since"} {
				if strings.Contains(r.body, gone) {
					t.Errorf("it is %s", r.body)
				}
			}
		})
		t.Run("its secret is exchanged", func(t *testing.T) {
			seen := map[string]bool{made.Secret: true}
			for range 5 {
				r := i.ask(t, "POST", path+"/secret", "", bearer(ada.token)).want(t, 200, "")
				secret := r.field(t, "secret")
				if !strings.HasPrefix(secret, "whsec_") || seen[secret] {
					t.Fatalf("the secret is %s", secret)
				}
				seen[secret] = true
			}
			w, err := s.st.Webhook(t.Context(), made.ID)
			if err != nil || len(w.Secrets) != 3 || !w.Secrets[0].EndsAt.IsZero() || time.Until(w.Secrets[1].EndsAt) < 23*time.Hour {
				t.Errorf("the secrets are %+v, %v", w.Secrets, err)
			}
		})
		t.Run("a test and a replay are asked for", func(t *testing.T) {
			i.ask(t, "POST", path+"/test", "", bearer(ada.token)).want(t, 202, "")
			i.ask(t, "POST", path+"/replay?since=2026-11-01T10:00:00%2B01:00", "", bearer(ada.token)).want(t, 202, "")
			i.ask(t, "POST", path+"/replay?since=2026-11-20T10:00:00Z", "", bearer(ada.token)).want(t, 202, "") // the earlier one stands
			marks, err := s.st.DueMarks(t.Context(), made.ID, store.ID{}, 10)
			w, readErr := s.st.Webhook(t.Context(), made.ID)
			if err != nil || readErr != nil || len(marks) != 2 || marks[0].EventID != store.TestMark() || marks[1].EventID != store.ReplayMark() ||
				!w.ReplayFrom.Equal(time.Date(2026, 11, 1, 9, 0, 0, 0, time.UTC)) {
				t.Errorf("%+v %v, from %v", marks, err, w.ReplayFrom)
			}
			for _, since := range []string{"", "yesterday", time.Now().Add(time.Hour).Format(time.RFC3339)} {
				i.ask(t, "POST", path+"/replay?since="+strings.ReplaceAll(since, "+", "%2B"), "", bearer(ada.token)).want(t, 400, problem.Invalid)
			}
		})
		t.Run("it is deleted", func(t *testing.T) {
			if err := s.st.CreateConsumer(t.Context(), store.WebhookConsumer(made.ID), ""); err != nil {
				t.Fatal(err)
			}
			i.ask(t, "DELETE", path, "", bearer(ada.token)).want(t, 204, "")
			i.ask(t, "GET", path, "", bearer(ada.token)).want(t, 404, problem.WebhookNotFound)
			i.ask(t, "DELETE", path, "", bearer(ada.token)).want(t, 404, problem.WebhookNotFound)
			if _, err := s.st.TakeLease(t.Context(), store.WebhookConsumer(made.ID), "a", time.Second); !errors.Is(err, store.ErrConsumerNotFound) {
				t.Errorf("its lease: %v", err)
			}
		})
		for _, reason := range []string{"created", "edited", "secret", "deleted"} {
			if lines := s.log.With(`"reason":"` + reason + `"`); len(lines) == 0 || !strings.Contains(lines[0], ada.id) || !strings.Contains(lines[0], "webhook_changed") {
				t.Errorf("the log tells of %s %q", reason, lines)
			}
		}
		if lines := s.log.With("example.org/"); len(lines) > 0 {
			t.Errorf("the log tells a URL: %q", lines)
		}
		if lines := s.log.With("whsec"); len(lines) > 0 {
			t.Errorf("the log tells a secret: %q", lines)
		}
	})
}

// TestWebhooksThatAreRefused: those of others, those of everybody's events, addresses that may not be
// called, and too many.
func TestWebhooksThatAreRefused(t *testing.T) {
	eachStore(t, func(t *testing.T, s *site) {
		i := s.start(t, identity.Keys{}, manyPasswords(0))
		ada, bob := i.newMember(t), i.newMember(t)
		i.ask(t, "POST", "/api/webhooks", hookBody, bearer(ada.token)).want(t, 400, problem.Invalid) // nobody calls any
		operator, err := store.ParseID(ada.id)
		if err != nil {
			t.Fatal(err)
		}
		i.takesWebhooks(operator)
		for body, want := range map[string]struct {
			status int
			code   problem.Code
		}{
			`{"url":"http://example.org/"}`: {400, problem.Invalid},
			`{"url":""}`:                    {400, problem.Invalid},
			`{}`:                            {400, problem.Invalid},
			`{"url":"https://example.org/","owner_id":"` + bob.id + `"}`:         {403, problem.Forbidden},
			`{"url":"https://example.org/","owner_id":"x"}`:                      {400, problem.Invalid},
			`{"url":"https://example.org/","all_events":true}`:                   {201, ""},
			`{"url":"https://example.org/","all_events":null,"owner_id":null}`:   {201, ""},
			`{"url":"https://example.org/` + strings.Repeat("a", 70_000) + `"}`:  {413, problem.TooLarge},
			`{"url":"https://example.org/","secret":"whsec_mine","active":true}`: {201, ""}, // what is not known is ignored
		} {
			r := i.ask(t, "POST", "/api/webhooks", body, bearer(ada.token)).want(t, want.status, want.code)
			if strings.Contains(r.body, "whsec_mine") {
				t.Errorf("a client has chosen the secret: %s", r.body)
			}
		}
		i.ask(t, "POST", "/api/webhooks", `{"url":"https://example.org/","all_events":true}`, bearer(bob.token)).want(t, 403, problem.Forbidden)
		i.ask(t, "GET", "/api/webhooks?owner_id="+ada.id, "", bearer(bob.token)).want(t, 403, problem.Forbidden)
		i.ask(t, "GET", "/api/webhooks/none", "", bearer(bob.token)).want(t, 400, problem.Invalid)
		for range 20 { // as many as docs/api.md says
			i.hooked(t, bob, hookBody)
		}
		i.ask(t, "POST", "/api/webhooks", hookBody, bearer(bob.token)).want(t, 403, problem.Forbidden)
		i.core.Config.Quotas = Quotas{Webhooks: 2}
		carol := i.newMember(t)
		for n := range 3 {
			r := i.ask(t, "POST", "/api/webhooks", hookBody, bearer(carol.token))
			if n < 2 {
				r.want(t, 201, "")
				i.ask(t, "DELETE", r.header.Get("Location"), "", bearer(carol.token)).want(t, 204, "")
			} else {
				r.wantQuota(t)
			}
		}
	})
}

// TestWebhooksInTrustedMode: whose they are is believed.
func TestWebhooksInTrustedMode(t *testing.T) {
	eachStore(t, func(t *testing.T, s *site) {
		i := s.start(t, identity.Keys{}, func(c *gate.Config) { c.Mode = gate.Trusted }).takesWebhooks()
		owner := store.NewID().Hex()
		local := func(r *http.Request) { r.RemoteAddr, r.Host = "127.0.0.1:1", "localhost" }
		i.ask(t, "POST", "/api/webhooks", hookBody, local).want(t, 400, problem.Invalid)
		i.ask(t, "GET", "/api/webhooks", "", local).want(t, 400, problem.Invalid)
		r := i.ask(t, "POST", "/api/webhooks", fmt.Sprintf(`{"url":"https://example.org/hook","owner_id":%q}`, owner), local).want(t, 201, "")
		if list := i.ask(t, "GET", "/api/webhooks?owner_id="+owner, "", local).want(t, 200, ""); !strings.Contains(list.body, r.field(t, "id")) {
			t.Errorf("the list is %s", list.body)
		}
		i.ask(t, "POST", "/api/webhooks", fmt.Sprintf(`{"url":"https://example.org/hook","owner_id":%q,"all_events":true}`, owner), local).want(t, 403, problem.Forbidden)
	})
}

// TestErasedPeopleHaveNoWebhooks: nobody is told for somebody who is erased.
func TestErasedPeopleHaveNoWebhooks(t *testing.T) {
	eachStore(t, func(t *testing.T, s *site) {
		i := s.start(t, identity.Keys{}, manyPasswords(0)).takesWebhooks()
		ada := i.newMember(t)
		_, made := i.hooked(t, ada, hookBody)
		export := i.ask(t, "GET", "/api/users/"+ada.id+"/export", "", bearer(ada.token)).want(t, 200, "")
		if !strings.Contains(export.body, made.URL) || strings.Contains(export.body, "whsec") {
			t.Errorf("the export is %s", export.body)
		}
		i.ask(t, "DELETE", "/api/users/"+ada.id, "", bearer(ada.token)).want(t, 204, "")
		if _, err := s.st.Webhook(t.Context(), made.ID); !errors.Is(err, store.ErrWebhookNotFound) {
			t.Errorf("it is still there: %v", err)
		}
	})
}
