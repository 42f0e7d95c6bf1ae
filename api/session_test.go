package api

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/eventio/eventio/api/problem"
	"github.com/eventio/eventio/api/serve"
	"github.com/eventio/eventio/internal/identity"
	"github.com/eventio/eventio/pkg/store"
)

func TestSession(t *testing.T) {
	eachStore(t, func(t *testing.T, s *site) {
		i := s.start(t, identity.Keys{})
		ada := i.newMember(t)
		keys, err := identity.SharedKeys(t.Context(), s.st)
		if err != nil {
			t.Fatal(err)
		}
		// aged is a token of a session as it was signed some time ago.
		aged := func(t *testing.T, token string, age time.Duration) string {
			t.Helper()
			p, err := i.guard.Check(token)
			if err != nil {
				t.Fatal(err)
			}
			old, _, err := keys.Mint(p, time.Now().Add(-age), time.Hour)
			if err != nil {
				t.Fatal(err)
			}
			return old
		}
		t.Run("a young cookie stays as it is", func(t *testing.T) {
			r := i.ask(t, "GET", serve.PathSession, "", cookie("eventio_token", ada.token)).want(t, 200, "")
			if r.header.Get("Set-Cookie") != "" || r.field(t, "session_expires_at") == "" {
				t.Errorf("%s %v", r.body, r.header)
			}
		})
		t.Run("an older cookie is renewed, and the answer has no token", func(t *testing.T) {
			old := aged(t, ada.token, 40*time.Minute)
			before, err := i.guard.Check(old)
			if err != nil {
				t.Fatal(err)
			}
			r := i.ask(t, "GET", serve.PathSession, "", cookie("eventio_token", old)).want(t, 200, "")
			renewed := r.cookie(t)
			person, err := i.guard.Check(renewed.Value)
			if err != nil || person.ID.Hex() != ada.id || person.SessionID != before.SessionID || time.Until(person.ExpiresAt) < 50*time.Minute {
				t.Errorf("the new cookie is of %+v: %v", person, err)
			}
			// It is no new proof of the password: what needs one is refused, also after a second renewal.
			if !person.LoginAt.Equal(before.LoginAt) {
				t.Errorf("the password was proven at %v, and then at %v", before.LoginAt, person.LoginAt)
			}
			i.ask(t, "DELETE", "/api/users/"+ada.id, "", cookie("eventio_token", renewed.Value)).want(t, 403, problem.LoginTooOld)
			list := i.ask(t, "GET", "/api/users/"+ada.id+"/sessions", "", cookie("eventio_token", renewed.Value)).want(t, 200, "")
			if end := person.ExpiresAt.Format("2006-01-02T15:04:05Z"); strings.Count(list.body, `"id"`) != 1 || !strings.Contains(list.body, end) {
				t.Errorf("the list has not the end %s: %s", end, list.body)
			}
			if renewed.MaxAge <= 0 || !renewed.HttpOnly || renewed.SameSite != http.SameSiteLaxMode {
				t.Errorf("the new cookie is %v", renewed)
			}
			if r.field(t, "id") != ada.id || r.field(t, "email") != ada.email || r.header.Get("Cache-Control") != "no-store" {
				t.Errorf("%s %v", r.body, r.header)
			}
			if strings.Contains(r.body, "\"token") || r.field(t, "session_expires_at") == "" {
				t.Errorf("%s", r.body)
			}
		})
		t.Run("a header is not made a cookie", func(t *testing.T) {
			r := i.ask(t, "GET", serve.PathSession, "", bearer(ada.token)).want(t, 200, "")
			if r.header.Get("Set-Cookie") != "" || strings.Contains(r.body, "expires_at") {
				t.Errorf("%s %v", r.body, r.header)
			}
		})
		t.Run("a changed password ends it and what it has renewed", func(t *testing.T) {
			before := i.ask(t, "GET", serve.PathSession, "", cookie("eventio_token", aged(t, ada.token, 40*time.Minute))).cookie(t).Value
			i.ask(t, "POST", "/api/users/"+ada.id+"/password", changeBody(ada.password, "another horse battery"), bearer(ada.token)).want(t, 204, "")
			for _, token := range []string{ada.token, before} {
				r := i.ask(t, "GET", serve.PathSession, "", cookie("eventio_token", token)).want(t, 401, problem.Unauthenticated)
				if r.header.Get("Set-Cookie") != "" {
					t.Error("a session that is over was renewed")
				}
			}
		})
		t.Run("a log-out ends what it has renewed", func(t *testing.T) {
			bob := i.newMember(t)
			old := aged(t, bob.token, 40*time.Minute)
			renewed := i.ask(t, "GET", serve.PathSession, "", cookie("eventio_token", old)).cookie(t).Value
			i.ask(t, "POST", "/api/logout", "", cookie("eventio_token", old)).want(t, 204, "")
			i.ask(t, "GET", serve.PathSession, "", cookie("eventio_token", renewed)).want(t, 401, problem.Unauthenticated)
			for e, err := range s.st.EndedSessions(t.Context(), time.Now().Add(-time.Minute)) {
				if err != nil || time.Until(e.ExpiresAt) < identity.MaxLifetime-time.Minute {
					t.Errorf("the end is remembered until %v only: %v", e.ExpiresAt, err)
				}
			}
			// Another process, which has not learned of it yet, renews nothing either.
			deaf := s.start(t, identity.Keys{})
			deaf.guard.Close()
			eve := i.newMember(t)
			old = aged(t, eve.token, 40*time.Minute)
			i.ask(t, "POST", "/api/logout", "", cookie("eventio_token", old)).want(t, 204, "")
			r := deaf.ask(t, "GET", serve.PathSession, "", cookie("eventio_token", old)).want(t, 401, problem.Unauthenticated)
			if r.header.Get("Set-Cookie") != "" {
				t.Error("a session that was ended was renewed")
			}
		})
		t.Run("of nobody", func(t *testing.T) {
			i.ask(t, "GET", serve.PathSession, "").want(t, 401, problem.Unauthenticated)
			s.start(t, identity.Keys{}, trusted).ask(t, "GET", serve.PathSession, "").want(t, 401, problem.Unauthenticated)
			gone, _, err := i.guard.Sign(identity.Person{ID: store.NewID()})
			if err != nil {
				t.Fatal(err)
			}
			i.ask(t, "GET", serve.PathSession, "", bearer(gone)).want(t, 404, problem.UserNotFound)
		})
	})
}
