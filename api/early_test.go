package api

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/eventio/eventio/api/problem"
	"github.com/eventio/eventio/internal/identity"
)

// TestEarlyTries: whoever tries before an event opens is told by the API alone how long it takes, and may try as often
// afterwards as who came on time.
func TestEarlyTries(t *testing.T) {
	eachStore(t, func(t *testing.T, s *site) {
		i, conn := s.open(t, identity.Keys{}, rateLimited)
		ada, bob, olga := i.newMember(t), i.newMember(t), i.newMember(t)
		opens := time.Now().Add(time.Hour).UTC().Truncate(time.Second)
		created := i.ask(t, "POST", "/api/events", eventWith(fmt.Sprintf(`"registration_opens_at":%q,`, opens.Format(time.RFC3339))), bearer(olga.token)).want(t, 201, "")
		event := created.header.Get("Location")
		edit := func(opens string) {
			t.Helper()
			i.ask(t, "PATCH", event, `{"registration_opens_at":`+opens+`}`, bearer(olga.token), with("If-Match", "*")).want(t, 200, "")
		}
		try := func(n int, who member) reply {
			if n%2 == 0 {
				return i.ask(t, "PUT", event+"/registrations/"+who.id, "", bearer(who.token))
			}
			return i.ask(t, "POST", event+"/registrations", "{}", bearer(who.token))
		}
		try(0, ada).want(t, 409, problem.RegistrationNotOpen)
		before := conn.Stats().OutMsgs
		const tries = 150
		for n := range tries {
			r := try(n, ada).want(t, 409, problem.RegistrationNotOpen)
			var seconds int
			if _, err := fmt.Sscan(r.header.Get("Retry-After"), &seconds); err != nil || seconds < 3500 || seconds > 3601 || !strings.Contains(r.body, opens.Format(time.RFC3339)) {
				t.Fatalf("it opens in an hour: Retry-After %q, %s", r.header.Get("Retry-After"), r.body)
			}
			if left := r.header.Get("RateLimit"); !strings.Contains(left, `"registrations";r=120;`) {
				t.Fatalf("try %d leaves %s", n, left)
			}
		}
		if sent := conn.Stats().OutMsgs - before; sent > tries/4 { // what finds workers is among them
			t.Errorf("%d messages were sent for %d tries", sent, tries)
		}
		edit(`"` + time.Now().Add(-time.Minute).UTC().Format(time.RFC3339) + `"`)
		for n := range 119 {
			if r := try(2*n, ada); r.status != 201 && r.status != 200 {
				t.Fatalf("try %d when it is open: %d %s", n, r.status, r.body)
			}
		}
		// Who is registered is told so, whatever the hours are now.
		edit(`"` + opens.Format(time.RFC3339) + `"`)
		try(1, bob).want(t, 409, problem.RegistrationNotOpen)
		try(1, ada).want(t, 400, problem.AlreadyRegistered)
		i.ask(t, "POST", event+"/cancel", "", bearer(olga.token)).want(t, 200, "")
		try(1, bob).want(t, 409, problem.EventCancelled)
		try(1, olga).want(t, 409, problem.EventCancelled)
	})
}
