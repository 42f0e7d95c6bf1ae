package api

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/eventio/eventio/api/problem"
	"github.com/eventio/eventio/internal/identity"
	"github.com/eventio/eventio/pkg/store"
)

func TestSession(t *testing.T) {
	eachStore(t, func(t *testing.T, s *site) {
		i := s.start(t, identity.Keys{})
		ada := i.newMember(t)
		t.Run("a cookie is renewed, and the answer has no token", func(t *testing.T) {
			r := i.ask(t, "GET", pathSession, "", cookie("eventio_token", ada.token)).want(t, 200, "")
			renewed := r.cookie(t)
			if person, err := i.guard.Check(renewed.Value); err != nil || person.ID.Hex() != ada.id {
				t.Errorf("the new cookie is of %v: %v", person.ID, err)
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
			r := i.ask(t, "GET", pathSession, "", bearer(ada.token)).want(t, 200, "")
			if r.header.Get("Set-Cookie") != "" || strings.Contains(r.body, "expires_at") {
				t.Errorf("%s %v", r.body, r.header)
			}
		})
		t.Run("a changed password ends it and what it has renewed", func(t *testing.T) {
			before := i.ask(t, "GET", pathSession, "", cookie("eventio_token", ada.token)).cookie(t).Value
			i.ask(t, "POST", "/api/users/"+ada.id+"/password", changeBody(ada.password, "another horse battery"), bearer(ada.token)).want(t, 204, "")
			for _, token := range []string{ada.token, before} {
				r := i.ask(t, "GET", pathSession, "", cookie("eventio_token", token)).want(t, 401, problem.Unauthenticated)
				if r.header.Get("Set-Cookie") != "" {
					t.Error("a session that is over was renewed")
				}
			}
		})
		t.Run("of nobody", func(t *testing.T) {
			i.ask(t, "GET", pathSession, "").want(t, 401, problem.Unauthenticated)
			s.start(t, identity.Keys{}, trusted).ask(t, "GET", pathSession, "").want(t, 401, problem.Unauthenticated)
			gone, _, err := i.guard.Sign(identity.Person{ID: store.NewID()})
			if err != nil {
				t.Fatal(err)
			}
			i.ask(t, "GET", pathSession, "", bearer(gone)).want(t, 404, problem.UserNotFound)
		})
	})
}

// The tag of an event changes when its states do, though nothing of it was written.
func TestEventTagFollowsTheClock(t *testing.T) {
	e := store.Event{Version: 3, Revision: 7, Capacity: 1, StartsAt: time.Now().Add(time.Hour), EndsAt: time.Now().Add(2 * time.Hour)}
	soon := e
	soon.OpensAt = time.Now().Add(time.Minute)
	if eventTag(e) != `"3.7.upcoming.open"` || eventTag(soon) != `"3.7.upcoming.opens_soon"` {
		t.Errorf("%s and %s", eventTag(e), eventTag(soon))
	}
	if n, ok := tagNumber(eventTag(soon)); !ok || n != 3 {
		t.Errorf("its version is %d", n)
	}
}
