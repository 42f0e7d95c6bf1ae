package api

import (
	"net/http"
	"testing"
	"time"

	"github.com/eventio/eventio/api/gate"
	"github.com/eventio/eventio/api/problem"
	"github.com/eventio/eventio/internal/identity"
	"github.com/eventio/eventio/pkg/store"
)

// TestRegistrationsNeedAnAdmission: where a gateway admits people, a registration needs one for its
// event, by every route that makes one, in either mode; nothing else does.
func TestRegistrationsNeedAnAdmission(t *testing.T) {
	s := newSite(t, "sqlite")
	keys := testKeys(t, "gate")
	admits := func(a *gate.Config) { a.Admissions = identity.NewAdmissions(keys, time.Now) }
	for name, i := range map[string]*instance{"token": s.start(t, identity.Keys{}, admits), "trusted": s.start(t, identity.Keys{}, admits, trusted)} {
		t.Run(name, func(t *testing.T) {
			ada, bob := i.newMember(t), i.newMember(t)
			event, other := i.organized(t, ada), i.organized(t, ada)
			admission := func(event string, user string) func(*http.Request) {
				id, err := store.ParseID(event[len("/api/events/"):])
				if err != nil {
					t.Fatal(err)
				}
				var person store.ID
				if user != "" {
					if person, err = store.ParseID(user); err != nil {
						t.Fatal(err)
					}
				}
				token, err := keys.MintAdmission(id, person, time.Now(), time.Minute)
				if err != nil {
					t.Fatal(err)
				}
				return with(gate.HeaderAdmission, token)
			}
			for _, route := range []struct{ method, path, body string }{
				{"POST", "/registrations", `{"user_id":"` + bob.id + `"}`}, {"PUT", "/registrations/" + bob.id, ""},
			} {
				ask := func(options ...func(*http.Request)) reply {
					return i.ask(t, route.method, event+route.path, route.body, append(options, bearer(bob.token))...)
				}
				ask().want(t, 403, problem.NotAdmitted)
				ask(admission(other, "")).want(t, 403, problem.NotAdmitted)
				ask(admission(event, ada.id)).want(t, 403, problem.NotAdmitted)
				ask(admission(event, ""), admission(event, "")).want(t, 403, problem.NotAdmitted)
				ask(with(gate.HeaderAdmission, bob.token)).want(t, 403, problem.NotAdmitted)
				ask(admission(event, bob.id)).want(t, 201, "")
				i.ask(t, "GET", event+"/registrations/"+bob.id, "", bearer(bob.token)).want(t, 200, "")
				i.ask(t, "DELETE", event+"/registrations/"+bob.id, "", bearer(bob.token)).want(t, 204, "")
				i.ask(t, route.method, "/api/events/"+store.NewID().Hex()+route.path, route.body, bearer(bob.token)).want(t, 404, problem.EventNotFound)
			}
		})
	}
	// Without a gateway nobody looks.
	i := s.start(t, identity.Keys{})
	ada := i.newMember(t)
	i.ask(t, "POST", i.organized(t, ada)+"/registrations", `{}`, bearer(ada.token), with(gate.HeaderAdmission, "x")).want(t, 201, "")
}

// TestAnEventForProvenAddresses: who has not proven theirs is told so, over HTTP and the queue.
func TestAnEventForProvenAddresses(t *testing.T) {
	eachStore(t, func(t *testing.T, s *site) {
		i := s.start(t, identity.Keys{})
		ada, bob := i.newMember(t), i.newMember(t)
		r := i.ask(t, "POST", "/api/events", eventWith(`"requires_proven_email":true,`), bearer(ada.token)).want(t, 201, "")
		event := "/api/events/" + r.field(t, "id")
		seats := event + "/registrations"
		i.ask(t, "POST", seats, `{}`, bearer(bob.token)).want(t, 403, problem.EmailUnproven)
		i.ask(t, "PUT", seats+"/"+bob.id, "", bearer(bob.token)).want(t, 403, problem.EmailUnproven)
		i.ask(t, "POST", seats, `{}`, bearer(i.stranger(t).token)).want(t, 403, problem.EmailUnproven)
		id, err := store.ParseID(bob.id)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.st.ProveEmail(t.Context(), id, bob.email, time.Now()); err != nil {
			t.Fatal(err)
		}
		i.ask(t, "POST", seats, `{}`, bearer(bob.token)).want(t, 201, "")
		if got := i.ask(t, "GET", "/api/users/"+bob.id, "", bearer(bob.token)).want(t, 200, ""); got.field(t, "email_proven_at") == "" {
			t.Errorf("the account is %s", got.body)
		}
		i.ask(t, "PATCH", event, `{"requires_proven_email":false}`, bearer(ada.token), with("If-Match", "*")).want(t, 200, "")
		i.ask(t, "POST", seats, `{}`, bearer(ada.token)).want(t, 201, "")
	})
}
