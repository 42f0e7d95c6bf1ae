package api

import (
	"net/http"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/eventio/eventio/api/gate"
	"github.com/eventio/eventio/internal/identity"
	"github.com/eventio/eventio/pkg/messages"
	"github.com/eventio/eventio/pkg/store"
)

// TestWorkersAreToldWhoActs: each request to a worker says who made it, as far as that is proven.
func TestWorkersAreToldWhoActs(t *testing.T) {
	s := newSite(t, "sqlite")
	heard := make(chan messages.SeatRequest, 100) // what workers are sent
	conn := s.connect(t)
	for _, subject := range []string{s.link(conn).Namespace.Seats(), s.link(conn).Namespace.Worker("*")} {
		_, err := conn.Subscribe(subject, func(m *nats.Msg) {
			all, err := messages.DecodeRequests(m.Data)
			if err != nil {
				t.Error(err)
			}
			for _, r := range all {
				heard <- r
			}
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := conn.FlushTimeout(patience); err != nil {
		t.Fatal(err)
	}
	strict, open := s.start(t, testKeys(t, "k"), func(c *gate.Config) { c.Provers = []identity.Prover{wordOfOthers{}} }), s.start(t, testKeys(t, "k"), trusted)
	organizer, ada, bob := strict.newMember(t), strict.newMember(t), strict.newMember(t)
	path := strict.organized(t, organizer)
	seat := func(of member) string { return path + "/registrations/" + of.id }
	for _, c := range []struct {
		name         string
		api          *instance
		by           member // whose token is sent, if any
		method, path string
		body         string
		want         messages.ActorKind
		id           string
	}{
		{"POST", strict, ada, "POST", path + "/registrations", "{}", messages.ActorPerson, ada.id},
		{"DELETE of one's own", strict, ada, "DELETE", seat(ada), "", messages.ActorPerson, ada.id},
		{"PUT", strict, bob, "PUT", seat(bob), "", messages.ActorPerson, bob.id},
		{"DELETE by the organizer", strict, organizer, "DELETE", seat(bob), "", messages.ActorOrganizer, organizer.id},
		{"the organizer's own", strict, organizer, "PUT", seat(organizer), "", messages.ActorPerson, organizer.id},
		{"the organizer leaves", strict, organizer, "DELETE", seat(organizer), "", messages.ActorPerson, organizer.id},
		{"POST without a token", open, member{}, "POST", path + "/registrations", `{"user_id":"` + ada.id + `"}`, messages.ActorUnproven, ada.id},
		{"PUT without a token", open, member{}, "PUT", seat(bob), "", messages.ActorUnproven, bob.id},
		{"DELETE without a token", open, member{}, "DELETE", seat(ada), "", messages.ActorUnproven, ada.id},
		{"DELETE with a token", open, organizer, "DELETE", seat(bob), "", messages.ActorOrganizer, organizer.id},
		{"an edit without a token", open, member{}, "PATCH", path, `{"capacity":6}`, messages.ActorUnproven, store.ID{}.Hex()},
		{"an edit", strict, organizer, "PATCH", path, `{"capacity":7}`, messages.ActorOrganizer, organizer.id},
		{"by the word of an issuer", strict, member{token: byIssuer + ada.id}, "PUT", seat(ada), "", messages.ActorPerson, ada.id},
		{"by an organizer of an issuer", strict, member{token: byIssuer + organizer.id}, "DELETE", seat(ada), "", messages.ActorOrganizer, organizer.id},
		{"a cancellation of the event", strict, organizer, "POST", path + "/cancel", "", messages.ActorOrganizer, organizer.id},
	} {
		var options []func(*http.Request)
		if c.by.token != "" {
			options = append(options, bearer(c.by.token))
		}
		if c.method == "PATCH" {
			options = append(options, with("If-Match", "*"))
		}
		if r := c.api.ask(t, c.method, c.path, c.body, options...); r.status >= 300 {
			t.Fatalf("%s: %d %s", c.name, r.status, r.body)
		}
		got := <-heard
		if !strings.HasSuffix(c.path, got.EventID.Hex()) && !strings.Contains(c.path, got.EventID.Hex()+"/") {
			t.Fatalf("%s: the worker was sent %+v", c.name, got)
		}
		if got.Actor.Kind != c.want || got.Actor.ID.Hex() != c.id || (got.Actor.Proof == store.ProofOIDC) != strings.HasPrefix(c.by.token, byIssuer) {
			t.Errorf("%s: the actor is %+v, want %s %s", c.name, got.Actor, c.want, c.id)
		}
	}
	var told [2]bool
	for _, line := range s.parts.Log.With(`"actor_kind":"organizer"`) { // of a worker, and of a change that was removed
		told[0] = told[0] || strings.Contains(line, `"actor_proof":"oidc"`) && strings.Contains(line, `"message":"seat"`)
		told[1] = told[1] || strings.Contains(line, `"actor_proof":"oidc"`) && strings.Contains(line, `"security_event":"registration_removed"`)
	}
	if told != [2]bool{true, true} {
		t.Errorf("the log tells how an organizer was proven: %v", told)
	}
}
