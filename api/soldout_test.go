package api

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/eventio/eventio/api/problem"
	"github.com/eventio/eventio/internal/identity"
	"github.com/eventio/eventio/internal/testenv"
	"github.com/eventio/eventio/internal/testenv/system"
	"github.com/eventio/eventio/pkg/store"
)

// eachStoreWithLeases runs a test over every store, with a worker that grants leases.
func eachStoreWithLeases(t *testing.T, test func(*testing.T, *site)) {
	t.Helper()
	for _, kind := range system.Kinds {
		t.Run(kind, func(t *testing.T) { test(t, newSiteWithLeases(t, kind)) })
	}
}

func newSiteWithLeases(t testing.TB, kind string) *site {
	t.Helper()
	parts := system.New(t, kind, system.Config{SoldOutLease: time.Second / 2})
	parts.StartWorker(parts.Store)
	return &site{parts: parts, st: parts.Store, nats: parts.NATS, log: sharedLog{parts.Log}}
}

// fromMemory is how many were told from memory that an event is sold out.
func (i *instance) fromMemory(t testing.TB) int {
	t.Helper()
	all := prometheus.NewPedanticRegistry()
	all.MustRegister(i.Metrics())
	families, err := all.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == "eventio_sold_out_answers_total" && m.GetLabel()[0].GetValue() == "memory" {
				return int(m.GetCounter().GetValue())
			}
		}
	}
	t.Fatal("nothing counts what is answered from memory")
	return 0
}

// try registers somebody by POST, or by PUT.
func (i *instance) try(t testing.TB, method, event string, who member, options ...func(*http.Request)) reply {
	t.Helper()
	options = append(options, bearer(who.token))
	if method == http.MethodPut {
		return i.ask(t, method, event+"/registrations/"+who.id, "", options...)
	}
	return i.ask(t, method, event+"/registrations", "{}", options...)
}

// crowd has so many strangers come at once as surely make a rush, and returns what they are told, each with when they came.
func (i *instance) crowd(t testing.TB, method, event string) (asked []time.Time, told []reply) {
	t.Helper()
	const people = 40
	asked, told = make([]time.Time, people), make([]reply, people)
	var all sync.WaitGroup
	for n := range people {
		stranger := i.stranger(t)
		all.Go(func() {
			asked[n] = time.Now()
			told[n] = i.try(t, method, event, stranger)
		})
	}
	all.Wait()
	return asked, told
}

// rush has strangers come until one is refused from memory, and returns what that one is told.
func (i *instance) rush(t testing.TB, method, event string) (told reply) {
	t.Helper()
	testenv.Eventually(t, patience, "refuse from memory", func() error {
		before := i.fromMemory(t)
		told = i.try(t, method, event, i.stranger(t)).want(t, 409, problem.SoldOut)
		if i.fromMemory(t) > before {
			return nil
		}
		_, others := i.crowd(t, method, event)
		for _, r := range others {
			r.want(t, 409, problem.SoldOut)
		}
		return fmt.Errorf("a worker answers")
	})
	return told
}

// full is an event without a seat left: of olga, held by ada, after carl has cancelled what he had under a key.
type full struct {
	event           string
	olga, ada, carl member
}

const carlsKey = "the key of carl"

func (i *instance) newFull(t testing.TB) full {
	t.Helper()
	f := full{olga: i.newMember(t), ada: i.newMember(t), carl: i.newMember(t)}
	f.event = i.ask(t, "POST", "/api/events", strings.Replace(eventWith(""), `"capacity":5`, `"capacity":1`, 1), bearer(f.olga.token)).want(t, 201, "").header.Get("Location")
	i.try(t, "POST", f.event, f.carl, with("Idempotency-Key", carlsKey)).want(t, 201, "")
	i.ask(t, "DELETE", f.event+"/registrations/"+f.carl.id, "", bearer(f.carl.token)).want(t, 204, "")
	i.try(t, "POST", f.event, f.ada).want(t, 201, "")
	return f
}

// TestWhatIsToldFromMemory makes requests for an event that is refused from memory: who has no row is told the same, to the
// byte, as by a worker, and everything else is looked at before, or by a worker.
func TestWhatIsToldFromMemory(t *testing.T) {
	eachStoreWithLeases(t, func(t *testing.T, s *site) {
		i := s.start(t, identity.Keys{}, rateLimited)
		f := i.newFull(t)
		for _, method := range []string{"POST", "PUT"} {
			by := i.try(t, method, f.event, i.stranger(t))
			memory := i.rush(t, method, f.event)
			for _, r := range []reply{by, memory} {
				r.header.Del("Ratelimit")
				r.header.Del("Date")
			}
			if by.body != memory.body || fmt.Sprint(by.header) != fmt.Sprint(memory.header) {
				t.Errorf("%s: a worker says %v %s\nmemory says %v %s", method, by.header, by.body, memory.header, memory.body)
			}
		}
		ivan := i.stranger(t)
		unknown := "/api/events/" + store.NewID().Hex()
		key := with("Idempotency-Key", carlsKey)
		for name, c := range map[string]struct {
			ask    func() reply
			status int
			code   problem.Code
		}{
			"who has a seat, by POST":                 {func() reply { return i.try(t, "POST", f.event, f.ada) }, 400, problem.AlreadyRegistered},
			"who has a seat, by PUT":                  {func() reply { return i.try(t, "PUT", f.event, f.ada) }, 200, ""},
			"a key whose seat was cancelled, by POST": {func() reply { return i.try(t, "POST", f.event, f.carl, key) }, 409, problem.RegistrationCancelled},
			"a key whose seat was cancelled, by PUT":  {func() reply { return i.try(t, "PUT", f.event, f.carl, key) }, 409, problem.RegistrationCancelled},
			"who has cancelled, anew":                 {func() reply { return i.try(t, "POST", f.event, f.carl) }, 409, problem.SoldOut},
			"an unknown event":                        {func() reply { return i.try(t, "POST", unknown, ivan) }, 404, problem.EventNotFound},
			"an unknown event, for somebody else":     {func() reply { return i.ask(t, "PUT", unknown+"/registrations/"+f.ada.id, "", bearer(ivan.token)) }, 404, problem.EventNotFound},
			"for somebody else":                       {func() reply { return i.ask(t, "PUT", f.event+"/registrations/"+f.ada.id, "", bearer(ivan.token)) }, 403, problem.Forbidden},
			"nobody":                                  {func() reply { return i.ask(t, "POST", f.event+"/registrations", "{}") }, 401, problem.Unauthenticated},
			"a body that is none":                     {func() reply { return i.ask(t, "POST", f.event+"/registrations", "{", bearer(ivan.token)) }, 400, problem.Invalid},
			"a body of another type": {func() reply {
				return i.ask(t, "POST", f.event+"/registrations", "{}", bearer(ivan.token), func(r *http.Request) { r.Header.Set("Content-Type", "application/json; charset=latin1") })
			}, 415, problem.UnsupportedMediaType},
			"a key that is none":                       {func() reply { return i.try(t, "POST", f.event, ivan, with("Idempotency-Key", "")) }, 400, problem.Invalid},
			"a condition that does not belong there":   {func() reply { return i.try(t, "PUT", f.event, ivan, with("If-Match", `"1"`)) }, 400, problem.Invalid},
			"a cancellation of who has none":           {func() reply { return i.ask(t, "DELETE", f.event+"/registrations/"+ivan.id, "", bearer(ivan.token)) }, 204, ""},
			"a read of the seat of who has none":       {func() reply { return i.ask(t, "GET", f.event+"/registrations/"+ivan.id, "", bearer(ivan.token)) }, 404, problem.RegistrationNotFound},
			"who comes too often, whatever they would": {func() reply { return i.tooOften(t, f.event) }, 429, problem.RateLimited},
		} {
			for range 3 { // a lease lasts for more than one of them
				i.rush(t, "POST", f.event)
				before := i.fromMemory(t)
				if c.code == problem.RateLimited {
					c.ask().want(t, c.status, c.code)
					break
				}
				if c.ask().want(t, c.status, c.code); i.fromMemory(t) != before {
					t.Fatalf("%s is answered from memory", name)
				}
			}
		}
	})
}

// tooOften is what a stranger is told at last who never stops.
func (i *instance) tooOften(t testing.TB, event string) (r reply) {
	t.Helper()
	ivan := i.stranger(t)
	for range 1000 {
		if r = i.try(t, "POST", event, ivan); r.status != 409 {
			break
		}
	}
	return r
}

// TestAChangeEndsWhatIsToldFromMemory has an event that two API processes refuse from memory change by one of them: the next
// who asks the other one is told what counts then.
func TestAChangeEndsWhatIsToldFromMemory(t *testing.T) {
	eachStoreWithLeases(t, func(t *testing.T, s *site) {
		keys := testKeys(t, "k")
		changing, asked := s.start(t, keys), s.start(t, keys)
		edit := func(fields string) func(full) reply {
			return func(f full) reply {
				return changing.ask(t, "PATCH", f.event, fields, bearer(f.olga.token), with("If-Match", "*"))
			}
		}
		leave := func(by func(full) member) func(full) reply {
			return func(f full) reply {
				return changing.ask(t, "DELETE", f.event+"/registrations/"+f.ada.id, "", bearer(by(f).token))
			}
		}
		at := func(after time.Duration) string { return time.Now().Add(after).UTC().Format(time.RFC3339) }
		for name, c := range map[string]struct {
			change func(full) reply
			status int
			code   problem.Code
		}{
			"somebody leaves":          {leave(func(f full) member { return f.ada }), 201, ""},
			"somebody is taken out":    {leave(func(f full) member { return f.olga }), 201, ""},
			"there is one more seat":   {edit(`{"capacity":2}`), 201, ""},
			"there is a waiting list":  {edit(`{"waitlist":true}`), 202, ""},
			"registration closes":      {edit(`{"registration_closes_at":"` + at(-time.Minute) + `"}`), 409, problem.RegistrationClosed},
			"registration opens later": {edit(`{"registration_opens_at":"` + at(time.Hour) + `"}`), 409, problem.RegistrationNotOpen},
			"addresses must be proven": {edit(`{"requires_proven_email":true}`), 403, problem.EmailUnproven},
			"the title is another one": {edit(`{"title":"Closing"}`), 409, problem.SoldOut},
			"the event is cancelled": {func(f full) reply {
				return changing.ask(t, "POST", f.event+"/cancel", "", bearer(f.olga.token))
			}, 409, problem.EventCancelled},
		} {
			f := changing.newFull(t)
			for _, i := range []*instance{changing, asked, changing, asked} {
				i.rush(t, "POST", f.event)
			}
			if r := c.change(f); r.status >= 300 {
				t.Fatalf("%s: %d %s", name, r.status, r.body)
			}
			if r := asked.try(t, "POST", f.event, asked.stranger(t)); r.status != c.status || !strings.Contains(r.body, string(c.code)) {
				t.Errorf("%s: who comes then is told %d %s", name, r.status, r.body)
			}
		}
	})
}

// TestAnErasureInARush erases who holds the only seat: the rush gets it soon, once.
func TestAnErasureInARush(t *testing.T) {
	eachStoreWithLeases(t, func(t *testing.T, s *site) {
		i := s.start(t, identity.Keys{})
		f := i.newFull(t)
		i.rush(t, "PUT", f.event)
		i.ask(t, "DELETE", "/api/users/"+f.ada.id, "", bearer(f.ada.token)).want(t, 204, "")
		testenv.Eventually(t, patience, "sell the seat", func() error {
			if r := i.try(t, "PUT", f.event, i.stranger(t)); r.status != 201 {
				return fmt.Errorf("%d %s", r.status, r.body)
			}
			return nil
		})
		i.rush(t, "PUT", f.event)
	})
}

// TestRegistrationClosesDuringALease: a lease does not outlast the hour at which registration closes.
func TestRegistrationClosesDuringALease(t *testing.T) {
	eachStoreWithLeases(t, func(t *testing.T, s *site) {
		i := s.start(t, identity.Keys{})
		f := i.newFull(t)
		closes := time.Now().Add(5 * time.Second).Truncate(time.Second)
		i.ask(t, "PATCH", f.event, `{"registration_closes_at":"`+closes.UTC().Format(time.RFC3339)+`"}`, bearer(f.olga.token), with("If-Match", "*")).want(t, 200, "")
		for over := false; !over; {
			asked, told := i.crowd(t, "POST", f.event)
			for n, r := range told {
				over = r.status == 409 && strings.Contains(r.body, string(problem.RegistrationClosed))
				if !over && (r.status != 409 || !strings.Contains(r.body, string(problem.SoldOut)) || !asked[n].Before(closes)) {
					t.Fatalf("%v before the hour: %d %s", closes.Sub(asked[n]), r.status, r.body)
				}
			}
		}
		if i.fromMemory(t) == 0 {
			t.Error("nobody was refused from memory")
		}
	})
}
