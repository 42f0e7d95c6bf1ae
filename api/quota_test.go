package api

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/eventio/eventio/api/gate"
	"github.com/eventio/eventio/api/problem"
	"github.com/eventio/eventio/api/serve"
	"github.com/eventio/eventio/internal/identity"
	"github.com/eventio/eventio/pkg/store"
)

// wantQuota checks an answer that a quota has refused.
func (r reply) wantQuota(t testing.TB) {
	t.Helper()
	r.want(t, 429, problem.QuotaExceeded)
	midnight := time.Until(time.Now().UTC().Truncate(24 * time.Hour).Add(24 * time.Hour))
	after, err := strconv.Atoi(r.header.Get("Retry-After"))
	if least := int(midnight / time.Second); err != nil || after < least || after > 2*least+2 {
		t.Errorf("Retry-After is %q, and the next day begins in %v", r.header.Get("Retry-After"), midnight)
	}
}

// TestWhatAPersonMayStoreInADay: over all API processes together, whoever creates or edits, and nobody
// else pays for it.
func TestWhatAPersonMayStoreInADay(t *testing.T) {
	eachStore(t, func(t *testing.T, s *site) {
		one, two := s.start(t, identity.Keys{}, manyPasswords(0)), s.start(t, identity.Keys{}, manyPasswords(0))
		limit := func(q serve.Quotas) {
			one.core.Config.Quotas, two.core.Config.Quotas = q, q
		}
		create := func(i *instance, by member, options ...func(*http.Request)) reply {
			return i.ask(t, "POST", "/api/events", eventWith(`"description":`+jsonText(strings.Repeat("x", 1000))+`,`), append(options, bearer(by.token))...)
		}
		t.Run("events", func(t *testing.T) {
			limit(serve.Quotas{Events: 6})
			ada, bob := one.newMember(t), one.newMember(t)
			keyed := create(two, ada, with("Idempotency-Key", "first")).want(t, 201, "")
			var all sync.WaitGroup
			statuses := make([]int, 20)
			for n := range statuses {
				all.Go(func() {
					statuses[n] = create([]*instance{one, two}[n%2], ada, with("Idempotency-Key", strconv.Itoa(n)), from(fmt.Sprintf("10.0.%d.1:1", n))).status
				})
			}
			all.Wait()
			created := 0
			for _, status := range statuses {
				switch status {
				case 201:
					created++
				case 429:
				default:
					t.Errorf("statuses are %v", statuses)
				}
			}
			if created != 5 {
				t.Errorf("%d of 6 a day are created after the first", created)
			}
			create(one, ada).wantQuota(t)
			again := create(one, ada, with("Idempotency-Key", "first")).want(t, 201, "")
			if again.body != keyed.body {
				t.Errorf("a repetition is %s, was %s", again.body, keyed.body)
			}
			create(one, bob).want(t, 201, "")
			lines := s.log.With(`"quota_used_up"`)
			if n := len(lines); n == 0 || n > 2 { // once in each process
				t.Errorf("the log tells %q", lines)
			}
			for _, line := range lines {
				if !strings.Contains(line, ada.id) || !strings.Contains(line, `"reason":"events"`) {
					t.Errorf("the log tells %q", line)
				}
			}
		})
		t.Run("a refusal leaves the key free", func(t *testing.T) {
			limit(serve.Quotas{Events: 1})
			ada := one.newMember(t)
			create(one, ada).want(t, 201, "")
			create(one, ada, with("Idempotency-Key", "later")).wantQuota(t)
			limit(serve.Quotas{Events: 2})
			create(one, ada, with("Idempotency-Key", "later")).want(t, 201, "")
		})
		t.Run("bytes", func(t *testing.T) {
			limit(serve.Quotas{EventBytes: 4000})
			ada := one.newMember(t)
			create(one, ada).want(t, 201, "")
			path := "/api/events/" + create(one, ada).want(t, 201, "").field(t, "id")
			create(one, ada).wantQuota(t)
			edit := func(body string) reply {
				return two.ask(t, "PATCH", path, body, bearer(ada.token), with("If-Match", "*"))
			}
			edit(`{"description":` + jsonText(strings.Repeat("y", 1000)) + `}`).wantQuota(t)
			edit(`{"title":"Short"}`).want(t, 200, "")
			edit(`{"capacity":6}`).wantQuota(t)
			if got := one.ask(t, "GET", path, ""); !strings.Contains(got.body, `"capacity":5`) || !strings.Contains(got.body, "Short") {
				t.Errorf("the event is %s", got.body)
			}
			one.ask(t, "POST", path+"/cancel", "", bearer(ada.token)).want(t, 200, "") // whoever has used all up can still cancel
		})
		t.Run("any number", func(t *testing.T) {
			limit(serve.Quotas{Events: -1, EventBytes: -1})
			ada := one.newMember(t)
			for range 5 {
				create(one, ada).want(t, 201, "")
			}
		})
		t.Run("limits are off", func(t *testing.T) {
			off := s.start(t, identity.Keys{})
			off.core.Config.Quotas = serve.Quotas{Events: 1, SignUps: 1}
			for range 2 {
				create(off, off.newMember(t)).want(t, 201, "")
			}
		})
	})
}

// TestSignUpsOfANetworkInADay: however many addresses it has.
func TestSignUpsOfANetworkInADay(t *testing.T) {
	eachStore(t, func(t *testing.T, s *site) {
		i := s.start(t, identity.Keys{}, manyPasswords(0))
		i.core.Config.Quotas.SignUps = 3
		for name, network := range map[string]struct{ inside, outside string }{
			"IPv4": {"203.0.113.%d:1", "203.0.114.9:1"},
			"IPv6": {"[2001:db8:1:%d::1]:1", "[2001:db8:2::1]:1"},
		} {
			signUp := func(address string, options ...func(*http.Request)) reply {
				return i.ask(t, "POST", "/api/users", signUpBody(store.NewID().Hex()+"@nowhere.invalid", goodPassword), append(options, from(address))...)
			}
			body := signUpBody(name+"@example.org", goodPassword)
			i.ask(t, "POST", "/api/users", body, with("Idempotency-Key", name), from(fmt.Sprintf(network.inside, 1))).want(t, 201, "")
			signUp(fmt.Sprintf(network.inside, 2)).want(t, 201, "")
			i.ask(t, "POST", "/api/users", body, from(fmt.Sprintf(network.inside, 3))).want(t, 409, problem.EmailTaken) // counts: it tells who has an account
			signUp(fmt.Sprintf(network.inside, 4)).wantQuota(t)
			i.ask(t, "POST", "/api/users", body, with("Idempotency-Key", name), from(fmt.Sprintf(network.inside, 5))).want(t, 201, "")
			i.ask(t, "POST", "/api/login", logInBody(name+"@example.org", goodPassword), from(fmt.Sprintf(network.inside, 6))).want(t, 200, "")
			signUp(network.outside).want(t, 201, "")
		}
		for _, line := range s.log.With(`"quota_used_up"`) {
			if !strings.Contains(line, `"reason":"sign_ups"`) || !strings.Contains(line, "client_address") {
				t.Errorf("the log tells %q", line)
			}
		}
	})
}

// left is how many requests are left of the limit.
func (r reply) left(t testing.TB) int {
	t.Helper()
	_, rest, _ := strings.Cut(r.header.Get("RateLimit"), `"requests";r=`)
	text, _, _ := strings.Cut(rest, ";")
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("the headers are %v", r.header)
	}
	return n
}

// TestWhatAListCosts: what the store has to do counts, so that a few costly requests use up what many
// cheap ones would.
func TestWhatAListCosts(t *testing.T) {
	s := newSite(t, "sqlite")
	const requests = 400
	i := s.start(t, identity.Keys{}, func(a *gate.Config) {
		rates := gate.DefaultRates()
		rates.Requests = gate.Rate{Most: requests, Window: time.Minute}
		a.RateLimits, a.Rates = true, rates
	})
	ada := i.newMember(t)
	event := i.organized(t, ada)
	self := "/api/users/" + ada.id
	for range 3 {
		i.ask(t, "PUT", i.organized(t, ada)+"/registrations/"+ada.id, "", bearer(ada.token)).want(t, 201, "")
	}
	for n, c := range []struct {
		path string
		cost int
	}{
		{event, 1},
		{"/api/events?limit=1", 1},
		{"/api/events?limit=199", 1},
		{"/api/events?limit=1000", 10},
		{"/api/events", 20},
		{"/api/events?q=opening&limit=20", 5},
		{"/api/events?q=opening", 100},
		{event + "/registrations?limit=100", 1},
		{event + "/registrations?limit=1000", 10},
		{event + "/registrations", 20},
		{event + "/attendees", 20},
		{event + "/changes?limit=100", 1},
		{event + "/changes?limit=1000", 10},
		{event + "/changes", 20},
		{event + "/changes?after=1&wait=0s", 20},
		{event + "/pace?minutes=1", 1},
		{event + "/pace", 6},
		{event + "/pace?minutes=180", 18},
		{self + "/registrations", 1},
		{self + "/registrations?limit=1000", 10},
		{self + "/changes", 3},
		{self + "/changes?limit=1", 1},
		{self + "/export", 20},
	} {
		t.Run(c.path, func(t *testing.T) {
			who := i.stranger(t)
			before := requests
			if c.path != event && !strings.HasPrefix(c.path, "/api/events?") && c.path != "/api/events" {
				who = ada // counts by person
				r := i.ask(t, "GET", event+"/registrations?limit=1", "", bearer(ada.token)).want(t, 200, "")
				before = r.left(t)
			}
			r := i.ask(t, "GET", c.path, "", bearer(who.token), from(fmt.Sprintf("203.0.113.%d:1", n))).want(t, 200, "")
			if cost := before - r.left(t); cost != c.cost {
				t.Errorf("it costs %d, want %d", cost, c.cost)
			}
		})
	}
	t.Run("more than the limit has", func(t *testing.T) {
		few := s.start(t, identity.Keys{}, func(a *gate.Config) {
			rates := gate.DefaultRates()
			rates.Requests = gate.Rate{Most: 7, Window: time.Minute}
			a.RateLimits, a.Rates = true, rates
		})
		few.ask(t, "GET", "/api/events", "", from("203.0.113.200:1")).want(t, 200, "")
		few.ask(t, "GET", "/api/events?limit=1", "", from("203.0.113.200:1")).want(t, 429, problem.RateLimited)
	})
}
