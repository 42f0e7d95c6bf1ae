package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alexedwards/argon2id"

	"github.com/eventio/eventio/api/problem"
	"github.com/eventio/eventio/internal/fairqueue"
	"github.com/eventio/eventio/internal/identity"
	"github.com/eventio/eventio/internal/passwords"
	"github.com/eventio/eventio/pkg/store"
)

func TestNewPasswords(t *testing.T) {
	eachStore(t, func(t *testing.T, s *site) {
		strict, lenient := s.start(t, identity.Keys{}), s.start(t, identity.Keys{}, trusted)
		ada := strict.newMember(t)
		for _, c := range []struct {
			name, password string
			strict, lax    int
		}{
			{"7 characters", "aB3$xyz", 400, 400},
			{"8 characters", "aB3$xyzw", 201, 201},
			{"7 characters of 14 bytes", "äöüßäöü", 400, 400},
			{"8 characters of 16 bytes", "äöüßäöüß", 201, 201},
			{"64 characters", strings.Repeat("a1b2", 16), 201, 201},
			{"256 bytes", strings.Repeat("a1b2", 64), 201, 201},
			{"128 characters of 256 bytes", strings.Repeat("ä", 128), 201, 201},
			{"129 characters of 258 bytes", strings.Repeat("ä", 129), 400, 400},
			{"257 bytes", strings.Repeat("a1b2", 64) + "c", 400, 400},
			{"blanks at both ends", "  x y z w  ", 201, 201},
			{"only blanks", "          ", 400, 400},
			{"a common one", "password1", 400, 201},
			{"a common one in other letters", "PassWord1", 400, 201},
			{"the address", "%s", 400, 201},
			{"the address in other letters", "%S", 400, 201},
			{"no composition rules", "aaaaaaaaaaaaaaaaaaaa", 201, 201},
		} {
			t.Run(c.name, func(t *testing.T) {
				for i, want := range map[*instance]int{strict: c.strict, lenient: c.lax} {
					email := store.NewID().Hex() + "@example.org"
					password := strings.NewReplacer("%s", email, "%S", strings.ToUpper(email)).Replace(c.password)
					r := i.ask(t, "POST", "/api/users", signUpBody(email, password))
					if r.status != want || want == 400 && !strings.Contains(r.body, `"field":"password"`) {
						t.Fatalf("strict is %v: %d %s, want %d", i == strict, r.status, r.body, want)
					}
					if want == 201 {
						i.ask(t, "POST", "/api/login", logInBody(email, password)).want(t, 200, "")
					}
				}
				if c.strict == 400 {
					password := strings.NewReplacer("%s", ada.email, "%S", strings.ToUpper(ada.email)).Replace(c.password)
					r := strict.ask(t, "POST", "/api/users/"+ada.id+"/password", changeBody(ada.password, password), bearer(ada.token)).want(t, 400, problem.Invalid)
					if !strings.Contains(r.body, `"field":"new_password"`) {
						t.Errorf("a change: %s", r.body)
					}
				}
			})
		}
	})
}

// TestPasswordsAreTakenExactlyAsTyped: nothing is cut (bcrypt stops after byte 72), trimmed
// or folded. Of what other keyboards type for the same letters, see TestAPasswordIsOneOnEveryKeyboard.
func TestPasswordsAreTakenExactlyAsTyped(t *testing.T) {
	eachStore(t, func(t *testing.T, s *site) {
		i := s.start(t, identity.Keys{})
		long := strings.Repeat("x", 72)
		for name, pair := range map[string][2]string{
			"byte 73":              {long + "a", long + "b"},
			"byte 256":             {strings.Repeat("x", 255) + "a", strings.Repeat("x", 255) + "b"},
			"a trailing blank":     {"horse battery", "horse battery "},
			"a leading blank":      {"horse battery", " horse battery"},
			"upper case":           {"horse battery", "Horse battery"},
			"a look-alike":         {"horse battery", "h\u043erse battery"},
			"what follows its end": {"horse battery", "horse batter"},
		} {
			t.Run(name, func(t *testing.T) {
				m := i.signUp(t, store.NewID().Hex()+"@example.org", pair[0])
				i.ask(t, "POST", "/api/login", logInBody(m.email, pair[1])).want(t, 401, problem.Unauthenticated)
				i.ask(t, "POST", "/api/login", logInBody(m.email, pair[0])).want(t, 200, "")
				i.ask(t, "POST", "/api/users/"+m.id+"/password", changeBody(pair[1], goodPassword), bearer(m.token)).want(t, 401, problem.Unauthenticated)
				i.ask(t, "POST", "/api/users/"+m.id+"/password", changeBody(pair[0], pair[1]), bearer(m.token)).want(t, 204, "")
				i.ask(t, "POST", "/api/login", logInBody(m.email, pair[1])).want(t, 200, "")
			})
		}
		m := i.signUp(t, store.NewID().Hex()+"@example.org", "horse battery")
		for _, other := range []string{"horse battery\n", "horse\u200b battery", "horse\u00ad battery", "\ufeffhorse battery", "horse battery\u202e"} {
			i.ask(t, "POST", "/api/login", logInBody(m.email, other)).want(t, 401, problem.Unauthenticated)
			i.ask(t, "POST", "/api/users/"+m.id+"/password", changeBody("horse battery", other), bearer(m.token)).want(t, 400, problem.Invalid) // not every keyboard types it again
		}
	})
}

// TestHashes: current OWASP parameters, and a log-in brings weaker hashes up to them.
func TestHashes(t *testing.T) {
	eachStore(t, func(t *testing.T, s *site) {
		i := s.start(t, identity.Keys{})
		check := func(u store.User) {
			t.Helper()
			p, salt, _, err := argon2id.DecodeHash(u.PasswordHash)
			if err != nil || p.Memory < 19<<10 || p.Iterations < 2 || p.Parallelism != 1 || len(salt) < 16 || p.KeyLength < 32 {
				t.Errorf("%s: %+v, %v", u.PasswordHash, p, err)
			}
		}
		ada := i.newMember(t)
		u, err := s.st.UserByEmail(t.Context(), ada.email)
		if err != nil {
			t.Fatal(err)
		}
		check(u)
		weak, err := argon2id.CreateHash(ada.password, &argon2id.Params{Memory: 8 << 10, Iterations: 1, Parallelism: 1, SaltLength: 8, KeyLength: 16})
		if err != nil {
			t.Fatal(err)
		}
		old := u
		old.PasswordHash = weak
		if err := s.st.SetPassword(t.Context(), u, old); err != nil {
			t.Fatal(err)
		}
		i.ask(t, "POST", "/api/login", logInBody(ada.email, "wrong horse battery")).want(t, 401, problem.Unauthenticated)
		if got, err := s.st.User(t.Context(), u.ID); err != nil || got != old {
			t.Fatalf("a wrong password changed %+v, %v", got, err)
		}
		i.ask(t, "POST", "/api/login", logInBody(ada.email, ada.password)).want(t, 200, "")
		renewed, err := s.st.User(t.Context(), u.ID)
		if err != nil || renewed.PasswordVersion != 0 || renewed.PasswordHash == weak {
			t.Fatalf("got %+v, %v", renewed, err)
		}
		check(renewed)
		seats := i.organized(t, ada) + "/registrations" // the token from before still counts
		i.ask(t, "GET", seats, "", bearer(ada.token)).want(t, 200, "")
		// A renewal that fails is no failure of the log-in.
		if err := s.st.SetPassword(t.Context(), renewed, old); err != nil {
			t.Fatal(err)
		}
		i.core.Store = lostAnswer{s.st}
		i.ask(t, "POST", "/api/login", logInBody(ada.email, ada.password)).want(t, 200, "")
	})
}

func TestOf50SignUpsWithOneAddressExactlyOneSucceeds(t *testing.T) {
	eachStore(t, func(t *testing.T, s *site) {
		instances := []*instance{s.start(t, identity.Keys{}), s.start(t, identity.Keys{})}
		for _, i := range instances {
			i.core.Hashes = passwords.NewHasher(0, 100) // all of them, however slow the machine
			i.core.Config.RequestTimeout = patience
		}
		statuses := make([]int, 50)
		var wg sync.WaitGroup
		for n := range statuses {
			email := []string{"crowd@example.org", "Crowd@Example.org", " CROWD@EXAMPLE.ORG "}[n%3]
			wg.Go(func() {
				statuses[n] = instances[n%2].ask(t, "POST", "/api/users", signUpBody(email, goodPassword)).status
			})
		}
		wg.Wait()
		slices.Sort(statuses)
		if statuses[0] != 201 || statuses[1] != 409 || statuses[49] != 409 {
			t.Fatalf("statuses are %v", statuses)
		}
	})
}

// TestLogInFailuresLookAndTakeAlike: interleaved pairs of an unknown address and a wrong
// password; their medians are close.
func TestLogInFailuresLookAndTakeAlike(t *testing.T) {
	s := newSite(t, "sqlite")
	i := s.start(t, identity.Keys{})
	ada := i.newMember(t)
	const pairs = 60
	var unknown, wrong []time.Duration
	measure := func(email string) (reply, time.Duration) {
		began := time.Now()
		r := i.ask(t, "POST", "/api/login", logInBody(email, "wrong horse battery")).want(t, 401, problem.Unauthenticated)
		return r, time.Since(began)
	}
	for n := range pairs {
		a, took := measure(fmt.Sprintf("nobody%018d@example.org", n)) // as long as Ada's
		unknown = append(unknown, took)
		b, took := measure(ada.email)
		wrong = append(wrong, took)
		if a.body != b.body || fmt.Sprint(a.header) != fmt.Sprint(b.header) {
			t.Fatalf("the answers differ: %v %s, %v %s", a.header, a.body, b.header, b.body)
		}
	}
	// What an attacker can use is the typical difference of a pair; the machine's noise is
	// in both halves.
	slices.Sort(unknown)
	slices.Sort(wrong)
	a, b := unknown[pairs/2], wrong[pairs/2]
	if ratio := float64(a) / float64(b); ratio < 0.8 || ratio > 1.25 {
		t.Errorf("medians are %v for an unknown address and %v for a wrong password", a, b)
	}
	t.Logf("medians are %v and %v", a, b)
}

// TestALogInFloodIsShed: no more than a few hash at once and a bounded number waits; the
// rest is told 503 at once, and registrations go on.
func TestALogInFloodIsShed(t *testing.T) {
	s := newSite(t, "sqlite")
	i := s.start(t, identity.Keys{})
	ada := i.newMember(t)
	seats := i.organized(t, ada) + "/registrations"
	const waiting = 32
	i.core.Hashes = passwords.NewHasher(1, 2*waiting)                     // half of them from one network
	release, err := i.core.Hashes.Acquire(t.Context(), fairqueue.Party{}) // hashing takes for ever now
	if err != nil {
		t.Fatal(err)
	}
	flood, end := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for range waiting {
		wg.Go(func() {
			r := i.ask(t, "POST", "/api/login", logInBody(ada.email, ada.password), func(r *http.Request) { *r = *r.WithContext(flood) })
			if r.status != 503 || r.header.Get("Retry-After") == "" {
				t.Errorf("one that waited in vain: %d %s", r.status, r.body)
			}
		})
	}
	for i.core.Hashes.Waiting() < waiting {
		time.Sleep(time.Millisecond)
	}
	began := time.Now()
	for _, call := range [][2]string{
		{"/api/login", logInBody(ada.email, ada.password)},
		{"/api/users", signUpBody("late@example.org", goodPassword)},
	} {
		r := i.ask(t, "POST", call[0], call[1], bearer(ada.token)).want(t, 503, problem.Overloaded)
		if r.header.Get("Retry-After") == "" {
			t.Errorf("%s: no Retry-After", call[0])
		}
	}
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("shedding takes %v", took)
	}
	i.ask(t, "POST", seats, `{}`, bearer(ada.token)).want(t, 201, "")
	end()
	wg.Wait()
	release()
	i.ask(t, "POST", "/api/login", logInBody(ada.email, ada.password)).want(t, 200, "")
	if _, err := s.st.UserByEmail(t.Context(), "late@example.org"); !errors.Is(err, store.ErrUserNotFound) {
		t.Errorf("a sign-up that was shed left %v", err)
	}
}
