package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/eventio/eventio/api/gate"
	"github.com/eventio/eventio/api/problem"
	"github.com/eventio/eventio/api/serve"
	"github.com/eventio/eventio/internal/identity"
	"github.com/eventio/eventio/internal/testenv"
	"github.com/eventio/eventio/pkg/store"
)

// wantEnded fails unless a token ends on an instance within the promised time.
func wantEnded(t *testing.T, i *instance, m member, token string) {
	t.Helper()
	testenv.Eventually(t, promise, "the end of a token", func() error {
		if r := i.ask(t, "GET", "/api/users/"+m.id+"/registrations", "", bearer(token)); r.status != 401 {
			return fmt.Errorf("still answers %d", r.status)
		}
		return nil
	})
}

func (i *instance) logIn(t *testing.T, m member) string {
	t.Helper()
	return i.ask(t, "POST", "/api/login", logInBody(m.email, m.password)).want(t, 200, "").field(t, "token")
}

// TestLogOutEndsTheToken: and its copies, in the cookie and in the header, on every instance, and
// nobody else's.
func TestLogOutEndsTheToken(t *testing.T) {
	eachStore(t, func(t *testing.T, s *site) {
		a, b := s.start(t, identity.Keys{}), s.start(t, identity.Keys{})
		ada := a.newMember(t)
		inHeader, inCookie, stays := a.logIn(t, ada), b.logIn(t, ada), a.logIn(t, ada)
		a.ask(t, "POST", "/api/logout", "", bearer(inHeader)).want(t, 204, "")
		a.ask(t, "POST", "/api/logout", "", cookie("eventio_token", inCookie)).want(t, 204, "")
		for _, token := range []string{inHeader, inCookie} {
			a.ask(t, "GET", "/api/users/"+ada.id, "", bearer(token)).want(t, 401, problem.Unauthenticated)
			a.ask(t, "GET", "/api/users/"+ada.id, "", cookie("eventio_token", token)).want(t, 401, problem.Unauthenticated)
			wantEnded(t, b, ada, token)
			a.ask(t, "POST", "/api/logout", "", bearer(token)).want(t, 204, "") // again
		}
		late := s.start(t, identity.Keys{})
		late.ask(t, "GET", "/api/users/"+ada.id, "", bearer(inHeader)).want(t, 401, problem.Unauthenticated)
		for _, i := range []*instance{a, b, late} {
			i.ask(t, "GET", "/api/users/"+ada.id, "", bearer(stays)).want(t, 200, "")
		}
	})
}

func TestSessionsAreListedAndEnded(t *testing.T) {
	eachStore(t, func(t *testing.T, s *site) {
		a, b := s.start(t, identity.Keys{}), s.start(t, identity.Keys{})
		ada, eve := a.newMember(t), a.newMember(t)
		path := "/api/users/" + ada.id + "/sessions"
		agent := "Mozilla/5.0 \x01\x7f(" + strings.Repeat("ä", 300) + ")"
		second := a.ask(t, "POST", "/api/login", logInBody(ada.email, ada.password), with("User-Agent", agent)).want(t, 200, "").field(t, "token")
		list := func(i *instance, token string) []map[string]any {
			t.Helper()
			var all []map[string]any
			r := i.ask(t, "GET", path, "", bearer(token)).want(t, 200, "")
			if err := json.Unmarshal([]byte(r.body), &all); err != nil {
				t.Fatal(err)
			}
			return all
		}
		all := list(b, second)
		if len(all) != 2 || all[0]["current"] != true || all[1]["current"] != false {
			t.Fatalf("the list is %v", all)
		}
		if client := all[0]["client"].(string); len([]rune(client)) != 200 || strings.ContainsAny(client, "\x01\x7f") {
			t.Errorf("the client is %q", client)
		}
		first := all[1]["id"].(string)
		// Eve cannot end it, not through her own list either.
		a.ask(t, "DELETE", path+"/"+first, "", bearer(eve.token)).want(t, 403, problem.Forbidden)
		a.ask(t, "DELETE", "/api/users/"+eve.id+"/sessions/"+first, "", bearer(eve.token)).want(t, 204, "")
		if n := len(list(a, ada.token)); n != 2 {
			t.Fatalf("%d are left after Eve", n)
		}
		a.ask(t, "DELETE", path+"/"+first, "", bearer(second)).want(t, 204, "")
		a.ask(t, "GET", path, "", bearer(ada.token)).want(t, 401, problem.Unauthenticated)
		wantEnded(t, b, ada, ada.token)
		if n := len(list(a, second)); n != 1 {
			t.Fatalf("%d are left", n)
		}
		third := b.logIn(t, ada)
		b.ask(t, "DELETE", path, "", bearer(third)).want(t, 204, "")
		for _, token := range []string{second, third} {
			b.ask(t, "GET", path, "", bearer(token)).want(t, 401, problem.Unauthenticated)
			wantEnded(t, a, ada, token)
		}
		fresh := a.logIn(t, ada)
		if all := list(a, fresh); len(all) != 1 || all[0]["current"] != true {
			t.Errorf("afterwards the list is %v", all)
		}
		a.ask(t, "GET", "/api/users/"+eve.id, "", bearer(eve.token)).want(t, 200, "")
	})
}

// TestALogInNeedsNoWrites: a store that cannot be written to keeps nobody from reading.
func TestALogInNeedsNoWrites(t *testing.T) {
	s := newSite(t, "sqlite")
	i := s.start(t, identity.Keys{})
	ada := i.newMember(t)
	i.core.Store = noSessions{s.st}
	token := i.logIn(t, ada)
	i.core.Store = s.st
	i.ask(t, "GET", "/api/users/"+ada.id, "", bearer(token)).want(t, 200, "")
	// It is in no list, and can be ended all the same.
	i.ask(t, "POST", "/api/logout", "", bearer(token)).want(t, 204, "")
	wantEnded(t, s.start(t, identity.Keys{}), ada, token)
}

func TestAnAccountIsReadAndChangedByItsPersonOnly(t *testing.T) {
	eachStore(t, func(t *testing.T, s *site) {
		i := s.start(t, identity.Keys{})
		ada, eve := i.newMember(t), i.newMember(t)
		path := "/api/users/" + ada.id
		got := i.ask(t, "GET", path, "", bearer(ada.token)).want(t, 200, "")
		if got.field(t, "email") != ada.email || got.field(t, "id") != ada.id || strings.Contains(got.body, "argon2") || strings.Count(got.body, `":`) != 4 ||
			got.header.Get("Cache-Control") != "no-store" {
			t.Errorf("it is %s %v", got.body, got.header)
		}
		edited := i.ask(t, "PATCH", path, `{"name":" Countess "}`, bearer(ada.token)).want(t, 200, "")
		if edited.field(t, "name") != "Countess" || edited.field(t, "email") != ada.email {
			t.Errorf("it is %s", edited.body)
		}
		i.ask(t, "PATCH", path, `{"email":`+jsonText(strings.ToUpper(eve.email))+`}`, bearer(ada.token)).want(t, 409, problem.EmailTaken)
		for _, body := range []string{`{"name":null}`, `{"name":" "}`, `{"email":"x"}`, `{"id":"` + eve.id + `"}`, `{"password":"x"}`, `{"password_hash":"x"}`, `[]`} {
			i.ask(t, "PATCH", path, body, bearer(ada.token)).want(t, 400, problem.Invalid)
		}
		moved := "new-" + ada.email
		i.ask(t, "PATCH", path, `{"email":`+jsonText(moved)+`}`, bearer(ada.token)).want(t, 200, "")
		i.ask(t, "POST", "/api/login", logInBody(ada.email, ada.password)).want(t, 401, problem.Unauthenticated)
		i.ask(t, "POST", "/api/login", logInBody(moved, ada.password)).want(t, 200, "")
	})
}

// TestWhatCannotBeUndoneNeedsAFreshLogIn: a token that was stolen, or left in a browser, is not
// enough; in trusted mode nobody is believed.
func TestWhatCannotBeUndoneNeedsAFreshLogIn(t *testing.T) {
	s := newSite(t, "sqlite")
	keys := testKeys(t, "k1")
	i, trusting := s.start(t, keys), s.start(t, keys, trusted)
	ada := i.newMember(t)
	path := "/api/users/" + ada.id
	id, _ := store.ParseID(ada.id)
	old, _, err := keys.Mint(identity.Person{ID: id}, time.Now().Add(-gate.FreshFor-2*time.Second), time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	for name, ask := range map[string]func(method, body string) reply{
		"an old token":         func(method, body string) reply { return i.ask(t, method, path, body, bearer(old)) },
		"an old, trusted":      func(method, body string) reply { return trusting.ask(t, method, path, body, bearer(old)) },
		"without one, trusted": func(method, body string) reply { return trusting.ask(t, method, path, body) },
	} {
		if r := ask("DELETE", ""); r.status != 403 || !strings.Contains(r.body, string(problem.LoginTooOld)) {
			t.Errorf("%s: DELETE is %d %s", name, r.status, r.body)
		}
		if r := ask("PATCH", `{"email":"thief@example.org"}`); r.status != 403 || !strings.Contains(r.body, string(problem.LoginTooOld)) {
			t.Errorf("%s: PATCH is %d %s", name, r.status, r.body)
		}
		ask("PATCH", `{"name":"Ada"}`).want(t, 200, "")
	}
	i.ask(t, "DELETE", path, "", bearer(i.logIn(t, ada))).want(t, 204, "")
}

// TestErasing gives up what is to come, and leaves what is over, under an id that means nobody.
func TestErasing(t *testing.T) {
	eachStore(t, func(t *testing.T, s *site) {
		a, b := s.start(t, identity.Keys{}), s.start(t, identity.Keys{})
		ada, bob := a.newMember(t), a.newMember(t)
		seat := func(event string, m member) {
			t.Helper()
			a.ask(t, "POST", event+"/registrations", `{}`, bearer(m.token)).want(t, 201, "")
		}
		upcoming, over, hers := a.organized(t, bob), a.organized(t, bob), a.organized(t, ada)
		seat(upcoming, ada)
		seat(over, ada)
		seat(hers, bob)
		a.ask(t, "PATCH", over, `{"starts_at":"2020-05-01T18:00:00Z","ends_at":"2020-05-01T20:00:00Z"}`, bearer(bob.token), with("If-Match", "*")).want(t, 200, "")

		var records []map[string]any
		export := a.ask(t, "GET", "/api/users/"+ada.id+"/export", "", bearer(ada.token)).want(t, 200, "")
		if err := json.Unmarshal([]byte(export.body), &records); err != nil {
			t.Fatal(err)
		}
		counts := make(map[any]int)
		for _, r := range records {
			counts[r["type"]]++
		}
		if fmt.Sprint(counts) != "map[event:1 registration:2 session:1 user:1]" || strings.Contains(export.body, bob.id+`","client`) || strings.Contains(export.body, bob.email) {
			t.Errorf("the export is %s", export.body)
		}

		a.ask(t, "DELETE", "/api/users/"+ada.id, "", bearer(ada.token)).want(t, 204, "")
		a.ask(t, "GET", "/api/users/"+ada.id, "", bearer(ada.token)).want(t, 401, problem.Unauthenticated)
		wantEnded(t, b, ada, ada.token)
		a.ask(t, "POST", "/api/login", logInBody(ada.email, ada.password)).want(t, 401, problem.Unauthenticated)
		if r := a.ask(t, "GET", upcoming, ""); !strings.Contains(r.body, `"tickets_sold":0`) {
			t.Errorf("her seat is not free: %s", r.body)
		}
		if r := a.ask(t, "GET", over, ""); !strings.Contains(r.body, `"tickets_sold":1`) {
			t.Errorf("what is over has changed: %s", r.body)
		}
		if r := a.ask(t, "GET", hers, ""); !strings.Contains(r.body, `"cancelled_at"`) {
			t.Errorf("her event goes on: %s", r.body)
		}
		if r := a.ask(t, "GET", over+"/registrations", "", bearer(bob.token)); !strings.Contains(r.body, ada.id) {
			t.Errorf("the roster of what is over is %s", r.body)
		}
		again := a.signUp(t, ada.email, goodPassword)
		if again.id == ada.id {
			t.Error("the id comes back")
		}
	})
}

// TestKeysOfSignUpsAreOfTheirAddress: strangers choose equal keys, the one in the README above all.
func TestKeysOfSignUpsAreOfTheirAddress(t *testing.T) {
	eachStore(t, func(t *testing.T, s *site) {
		i := s.start(t, identity.Keys{})
		key := with("Idempotency-Key", "sign-up-1")
		ids := make(map[string]bool)
		for range 3 {
			email := store.NewID().Hex() + "@example.org"
			first := i.ask(t, "POST", "/api/users", signUpBody(email, goodPassword), key).want(t, 201, "")
			again := i.ask(t, "POST", "/api/users", signUpBody(strings.ToUpper(email[:3])+email[3:], goodPassword), key)
			if again.status != 201 && again.status != 422 { // another spelling is another content
				t.Fatalf("%d %s", again.status, again.body)
			}
			same := i.ask(t, "POST", "/api/users", signUpBody(email, goodPassword), key).want(t, 201, "")
			if same.field(t, "id") != first.field(t, "id") || same.header.Get("Idempotency-Replayed") != "true" {
				t.Errorf("the repetition is %s", same.body)
			}
			i.ask(t, "POST", "/api/users", signUpBody(email, "another horse battery"), key).want(t, 422, problem.KeyReused)
			ids[first.field(t, "id")] = true
		}
		if len(ids) != 3 {
			t.Errorf("%d people", len(ids))
		}
	})
}

// TestARepeatedSignUpIsOfTheUserAsTheyAre: the token of a repetition counts when earlier ones have
// ended, and there is none for who is locked or erased.
func TestARepeatedSignUpIsOfTheUserAsTheyAre(t *testing.T) {
	eachStore(t, func(t *testing.T, s *site) {
		i := s.start(t, identity.Keys{})
		email := store.NewID().Hex() + "@example.org"
		again := func() reply {
			return i.ask(t, "POST", "/api/users", signUpBody(email, goodPassword), with("Idempotency-Key", "sign-up-1"))
		}
		first := again().want(t, 201, "")
		id, err := store.ParseID(first.field(t, "id"))
		if err != nil {
			t.Fatal(err)
		}
		path := "/api/users/" + id.Hex()
		i.ask(t, "DELETE", path+"/sessions", "", bearer(first.field(t, "token"))).want(t, 204, "")
		i.ask(t, "GET", path, "", bearer(first.field(t, "token"))).want(t, 401, problem.Unauthenticated)
		i.ask(t, "GET", path, "", bearer(again().want(t, 201, "").field(t, "token"))).want(t, 200, "")
		if _, err := s.st.LockUser(t.Context(), id, time.Now()); err != nil {
			t.Fatal(err)
		}
		if r := again().want(t, 403, problem.AccountLocked); r.header.Get("Set-Cookie") != "" || strings.Contains(r.body, "token\"") {
			t.Errorf("who is locked gets %s", r.body)
		}
		if _, err := s.st.UnlockUser(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		i.ask(t, "DELETE", path, "", bearer(again().want(t, 201, "").field(t, "token"))).want(t, 204, "")
		again().want(t, 422, problem.KeyReused)
	})
}

// TestWhatIsTakenFromAPersonWhileTheyAreErased is given up as well: another process believes their
// tokens for a moment, and its requests may still be under way.
func TestWhatIsTakenFromAPersonWhileTheyAreErased(t *testing.T) {
	eachStore(t, func(t *testing.T, s *site) {
		i := s.start(t, identity.Keys{})
		ada, bob := i.newMember(t), i.newMember(t)
		event := i.organized(t, bob)
		eventID, _ := store.ParseID(event[strings.LastIndex(event, "/")+1:])
		adaID, _ := store.ParseID(ada.id)
		i.ask(t, "DELETE", "/api/users/"+ada.id, "", bearer(ada.token)).want(t, 204, "")
		results, err := s.st.Apply(t.Context(), []store.SeatRequest{
			{Kind: store.Register, EventID: eventID, UserID: adaID, RequestID: "late", At: time.Now()},
		})
		if err != nil || results[0].Outcome != store.Registered {
			t.Fatalf("%v, %v", results, err)
		}
		i.Wait() // not for the time until it would be done by itself
		if r := i.ask(t, "GET", event, ""); !strings.Contains(r.body, `"tickets_sold":0`) {
			t.Errorf("nobody holds a seat: %s", r.body)
		}
		for r, err := range s.st.UserRegistrations(t.Context(), adaID, store.ID{}, 0) {
			t.Errorf("it is still there: %+v, %v", r, err)
		}
	})
}

var errNoWrites = errors.New("no writes")

// noSessions cannot store sessions.
type noSessions struct{ serve.Store }

func (noSessions) CreateSession(context.Context, store.Session) error { return errNoWrites }
