package contracttest

import (
	"fmt"
	"testing"

	"github.com/eventio/eventio/pkg/store"
)

// TestALateRepetitionChangesNothing: what succeeded under a key and comes again, at another
// process and after the state has changed, also when there was nothing to do the first time.
func TestALateRepetitionChangesNothing(t *testing.T) {
	forEachStore(t, options{}, func(t *testing.T, s *site) {
		roster := s.newEvent("9")
		seat := roster + "/" + store.NewID().Hex()
		s.do(0, "DELETE", seat, "", key, "early").want(t, 204) // who was never there
		s.do(1, "PUT", seat, "", key, "first").want(t, 201)
		s.do(1, "DELETE", seat, "", key, "early").want(t, 204)
		s.do(0, "PUT", seat, "", key, "first").want(t, 201)
		s.get(seat).want(t, 200)
		s.do(0, "PUT", seat, "", key, "second").want(t, 200) // who is there already
		s.do(0, "DELETE", seat, "", key, "leave").want(t, 204)
		s.do(0, "DELETE", seat, "", key, "leave again").want(t, 204) // who has left
		for _, late := range []string{"first", "second"} {
			s.do(1, "PUT", seat, "", key, late).want(t, 409, "registration_cancelled")
			s.get(seat).want(t, 404)
		}
		s.do(0, "PUT", seat, "").want(t, 201)
		for _, late := range []string{"early", "leave", "leave again"} {
			s.do(1, "DELETE", seat, "", key, late).want(t, 204)
			s.get(seat).want(t, 200)
		}
		s.do(0, "DELETE", seat, "").want(t, 204)
		s.get(seat).want(t, 404)
	})
}

// TestARefusalMayBeRepeated: under its key, and then it may succeed.
func TestARefusalMayBeRepeated(t *testing.T) {
	forEachStore(t, options{}, func(t *testing.T, s *site) {
		roster := s.newEvent("1")
		ada, bob := store.NewID().Hex(), store.NewID().Hex()
		s.do(0, "POST", roster, registrationBody(ada)).want(t, 201)
		s.do(0, "POST", roster, registrationBody(ada), key, "again").want(t, 400, "already_registered")
		s.do(0, "POST", roster, registrationBody(bob), key, "k").want(t, 409, "sold_out")
		s.do(0, "DELETE", roster+"/"+ada, "").want(t, 204)
		s.do(1, "POST", roster, registrationBody(bob), key, "k").want(t, 201)
		s.do(1, "DELETE", roster+"/"+bob, "").want(t, 204)
		s.do(1, "POST", roster, registrationBody(ada), key, "again").want(t, 201)
	})
}

// TestAsManyKeysAsArePromised: 32 that are over, and that of the registration which lives.
func TestAsManyKeysAsArePromised(t *testing.T) {
	forEachStore(t, options{}, func(t *testing.T, s *site) {
		seat := s.newEvent("1") + "/" + store.NewID().Hex()
		over := func(i int) string { return fmt.Sprint("over ", i) }
		for i := range 32 {
			s.do(0, "DELETE", seat, "", key, over(i)).want(t, 204)
		}
		s.do(0, "PUT", seat, "", key, "lives").want(t, 201)
		for i := range 32 {
			s.do(1, "DELETE", seat, "", key, over(i)).want(t, 204)
			s.get(seat).want(t, 200)
		}
		for i := range 32 {
			s.do(0, "PUT", seat, "", key, fmt.Sprint("there ", i)).want(t, 200)
		}
		s.do(1, "PUT", seat, "", key, "lives").want(t, 201)
		s.do(0, "DELETE", seat, "", key, over(31)).want(t, 204) // forgotten, and so a new request
		s.get(seat).want(t, 404)
	})
}

// TestAnETagSaysWhichRegistrationIsMeant: by its number, whatever has become of its position.
func TestAnETagSaysWhichRegistrationIsMeant(t *testing.T) {
	forEachStore(t, options{}, func(t *testing.T, s *site) {
		_, location := s.created(events, `{"waitlist":true,`+eventBody("Opening", "1", "2027-05-01T18:00:00Z")[1:])
		roster := location + "/registrations"
		seats := make([]string, 3)
		tags := make([]string, len(seats))
		for i, status := range []int{201, 202, 202} {
			seats[i] = roster + "/" + store.NewID().Hex()
			s.do(0, "PUT", seats[i], "").want(t, status)
			tags[i] = s.get(seats[i]).header.Get("ETag")
			s.get(seats[i], "If-None-Match", tags[i]).want(t, 304)
		}
		s.do(0, "DELETE", seats[0], "", "If-Match", tags[1]).want(t, 412, "registration_changed")
		s.do(0, "DELETE", seats[2], "", "If-Match", tags[1], key, "k").want(t, 412, "registration_changed")
		s.get(seats[0], "If-None-Match", tags[0]).want(t, 304)
		// They move up: the representation is another one, the registration is not.
		s.do(1, "DELETE", seats[0], "", "If-Match", tags[0]).want(t, 204)
		for i := range seats[1:] {
			if now := s.get(seats[i+1], "If-None-Match", tags[i+1]).want(t, 200).header.Get("ETag"); now == tags[i+1] {
				t.Errorf("the ETag is %s before and after it moved up", now)
			}
		}
		s.do(0, "DELETE", seats[1], "", "If-Match", tags[1], key, "leave").want(t, 204)
		s.do(0, "DELETE", seats[2], "", "If-Match", "*").want(t, 204)
		s.do(0, "DELETE", seats[2], "", "If-Match", "*").want(t, 204)
		// It is over, however often it is said.
		s.do(1, "DELETE", seats[1], "", "If-Match", tags[1]).want(t, 204)
		s.do(1, "PUT", seats[1], "").want(t, 201)
		s.do(1, "DELETE", seats[1], "", "If-Match", tags[1], key, "leave").want(t, 204)
		s.do(1, "DELETE", seats[1], "", "If-Match", tags[1]).want(t, 412, "registration_changed")
		s.do(1, "DELETE", seats[1], "", "If-Match", tags[1], key, "another").want(t, 412, "registration_changed")
		s.get(seats[1]).want(t, 200)
		s.do(1, "DELETE", events+"/"+store.NewID().Hex()+"/registrations/"+store.NewID().Hex(), "", "If-Match", tags[1]).want(t, 404, "event_not_found")
	})
}
