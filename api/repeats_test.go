package api

import (
	"strings"
	"testing"
	"time"

	"github.com/eventio/eventio/api/problem"
	"github.com/eventio/eventio/internal/identity"
)

// TestARepeatedPostIsToldOfTheFirst: within the time that the operator allows, without a key, and of the
// registration that there is now.
func TestARepeatedPostIsToldOfTheFirst(t *testing.T) {
	eachStore(t, func(t *testing.T, s *site) {
		i := s.start(t, identity.Keys{})
		organizer := i.newMember(t)
		post := func(event string, who member, headers ...string) reply {
			t.Helper()
			if len(headers) == 2 {
				return i.ask(t, "POST", event+"/registrations", "{}", bearer(who.token), with(headers[0], headers[1]))
			}
			return i.ask(t, "POST", event+"/registrations", "{}", bearer(who.token))
		}
		event, ada := i.organized(t, organizer), i.newMember(t)
		first := post(event, ada).want(t, 201, "")
		post(event, ada).want(t, 400, problem.AlreadyRegistered) // unless the operator says otherwise
		i.core.Config.RepeatsWithin = time.Minute
		again := post(event, ada).want(t, 201, "")
		if again.body != first.body || again.header.Get("Location") != first.header.Get("Location") {
			t.Errorf("the repetition is told\n%s, the first one\n%s", again.body, first.body)
		}
		post(event, ada, "Idempotency-Key", "another").want(t, 400, problem.AlreadyRegistered)
		i.ask(t, "DELETE", event+"/registrations/"+ada.id, "", bearer(ada.token)).want(t, 204, "")
		anew := post(event, ada).want(t, 201, "")
		if anew.body == first.body || anew.field(t, "registered_at") == first.field(t, "registered_at") {
			t.Errorf("who has registered anew is told of the first time: %s", anew.body)
		}
		if got := strings.TrimSpace(i.ask(t, "GET", event+"/registrations", "", bearer(organizer.token)).want(t, 200, "").body); got != `["`+ada.id+`"]` {
			t.Errorf("the roster is %s", got)
		}
		i.core.Config.RepeatsWithin = time.Nanosecond
		post(event, ada).want(t, 400, problem.AlreadyRegistered)
	})
}
