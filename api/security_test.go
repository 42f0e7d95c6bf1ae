package api

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/eventio/eventio/api/gate"
	"github.com/eventio/eventio/api/problem"
	"github.com/eventio/eventio/api/serve"
	"github.com/eventio/eventio/internal/identity"
	"github.com/eventio/eventio/internal/security"
	"github.com/eventio/eventio/pkg/store"
)

// entry is a line of the log.
type entry struct {
	Level     string `json:"level"`
	Security  string `json:"security_event"`
	Actor     string `json:"actor_id"`
	ActorKind string `json:"actor_kind"`
	TokenID   string `json:"token_id"`
	Address   string `json:"client_address"`
	RequestID string `json:"request_id"`
	Route     string `json:"route"`
	Reason    string `json:"reason"`
	EventID   string `json:"event_id"`
	UserID    string `json:"user_id"`
	Session   string `json:"session_id"`
	Message   string `json:"message"`
}

// since returns the lines of the log after its first n bytes: those with a security event, and those
// of requests.
func (l sharedLog) since(t testing.TB, n int) (events, requests []entry) {
	t.Helper()
	for line := range strings.Lines(l.text()[n:]) {
		var e entry
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("%v in %s", err, line)
		}
		switch {
		case e.Security != "":
			events = append(events, e)
		case e.Message == "request":
			requests = append(requests, e)
		}
	}
	return events, requests
}

// tokenID is the id of a token that the test knows to be good.
func (i *instance) tokenID(t testing.TB, token string) string {
	t.Helper()
	p, err := i.guard.Check(token)
	if err != nil {
		t.Fatal(err)
	}
	return p.SessionID.Hex()
}

// TestSecurityEvents makes each security event of the API happen, against a real store and worker: one
// message each, which says who did it, from where, and to what.
func TestSecurityEvents(t *testing.T) {
	eachStore(t, func(t *testing.T, s *site) {
		i := s.start(t, testKeys(t, "k"), func(a *gate.Config) {
			a.RateLimits = true
			a.Rates = gate.Rates{Requests: perMinute(1000), Registrations: perMinute(1), Passwords: perMinute(1000), PasswordsPerAccount: perMinute(1000)}
		})
		ada, bob, locked, gone := i.newMember(t), i.newMember(t), i.newMember(t), i.newMember(t)
		path := i.organized(t, ada)
		event := strings.TrimPrefix(path, "/api/events/")
		i.ask(t, "PUT", path+"/registrations/"+bob.id, "", bearer(bob.token)).want(t, 201, "")
		lockedID, err := store.ParseID(locked.id)
		if err == nil {
			_, err = s.st.LockUser(t.Context(), lockedID, time.Now().UTC().Truncate(time.Millisecond))
		}
		if err != nil {
			t.Fatal(err)
		}
		sign := func(keys identity.Keys, of member, at time.Time) string {
			id, err := store.ParseID(of.id)
			if err != nil {
				t.Fatal(err)
			}
			token, _, err := keys.Mint(identity.Person{ID: id}, at, time.Minute)
			if err != nil {
				t.Fatal(err)
			}
			return token
		}
		expired, forged := sign(testKeys(t, "k"), ada, time.Now().Add(-time.Hour)), sign(testKeys(t, "other"), ada, time.Now())
		leaving, twice := i.logIn(t, bob), i.logIn(t, bob)
		old := i.tokenID(t, twice)
		self := "/api/users/" + ada.id
		seen := make(map[security.Event]bool)
		for _, c := range []struct {
			name         string
			by           string // the token; empty: none
			method, path string
			body         string
			change       func(*http.Request)
			status       int
			want         entry // without what all have
		}{
			{"a log-in", "", "POST", "/api/login", logInBody(ada.email, ada.password), nil, 200,
				entry{Security: "login_succeeded", Level: "info", Actor: ada.id, ActorKind: "person", UserID: ada.id}},
			{"a wrong password", "", "POST", "/api/login", logInBody(ada.email, "Canary-wrong-one"), nil, 401,
				entry{Security: "login_failed", Level: "warn", ActorKind: "unproven", UserID: ada.id, Reason: "login"}},
			{"an address that nobody has", "", "POST", "/api/login", logInBody("nobody@example.org", "Canary-wrong-one"), nil, 401,
				entry{Security: "login_failed", Level: "warn", ActorKind: "unproven", Reason: "login"}},
			{"a locked account", "", "POST", "/api/login", logInBody(locked.email, locked.password), nil, 403,
				entry{Security: "login_refused", Level: "warn", ActorKind: "unproven", UserID: locked.id}},
			{"a log-out", leaving, "POST", "/api/logout", "", nil, 204,
				entry{Security: "logged_out", Level: "info", Actor: bob.id, ActorKind: "person", UserID: bob.id}},
			{"a token that was ended", leaving, "GET", path + "/registrations", "", nil, 401,
				entry{Security: "token_refused", Level: "warn", Route: "GET /api/events/{id}/registrations", Reason: "ended", EventID: event}},
			{"a token that has expired", expired, "GET", path + "/registrations", "", nil, 401,
				entry{Security: "token_refused", Level: "warn", Route: "GET /api/events/{id}/registrations", Reason: "expired", EventID: event}},
			{"a forged token", forged, "POST", "/api/events", eventWith(""), nil, 401,
				entry{Security: "token_refused", Level: "warn", Route: "POST /api/events", Reason: "invalid"}},
			{"no token but something", "x", "GET", self, "", nil, 401,
				entry{Security: "token_refused", Level: "warn", Route: "GET /api/users/{user_id}", Reason: "invalid", UserID: ada.id}},
			{"two tokens", ada.token, "GET", self, "", bearer(bob.token), 401,
				entry{Security: "token_refused", Level: "warn", Route: "GET /api/users/{user_id}", Reason: "unclear", UserID: ada.id}},
			{"somebody else's list", bob.token, "GET", path + "/registrations", "", nil, 403,
				entry{Security: "access_denied", Level: "warn", Actor: bob.id, ActorKind: "person", Route: "GET /api/events/{id}/registrations", Reason: "forbidden", EventID: event}},
			{"a page of another origin", "", "POST", "/api/login", logInBody(ada.email, ada.password), with("Sec-Fetch-Site", "cross-site"), 403,
				entry{Security: "access_denied", Level: "warn", Route: "POST ", Reason: "forbidden"}},
			{"a wrong old password", ada.token, "POST", self + "/password", changeBody("Canary-wrong-one", "Canary-other-one"), nil, 401,
				entry{Security: "login_failed", Level: "warn", Actor: ada.id, ActorKind: "person", UserID: ada.id, Reason: "old_password"}},
			{"too many", bob.token, "PUT", path + "/registrations/" + bob.id, "", nil, 429,
				entry{Security: "rate_limited", Level: "warn", Actor: bob.id, ActorKind: "person", Route: "PUT /api/events/{id}/registrations/{user_id}", Reason: "rate_limited", EventID: event, UserID: bob.id}},
			{"somebody else's registration", ada.token, "DELETE", path + "/registrations/" + bob.id, "", nil, 204,
				entry{Security: "registration_removed", Level: "info", Actor: ada.id, ActorKind: "organizer", EventID: event, UserID: bob.id}},
			{"the end of an event", ada.token, "POST", path + "/cancel", "", nil, 200,
				entry{Security: "event_cancelled", Level: "info", Actor: ada.id, ActorKind: "organizer", EventID: event}},
			{"an export", ada.token, "GET", self + "/export", "", nil, 200,
				entry{Security: "account_exported", Level: "info", Actor: ada.id, ActorKind: "person", UserID: ada.id}},
			{"another address", ada.token, "PATCH", self, `{"email":"canary.other@example.org"}`, nil, 200,
				entry{Security: "email_changed", Level: "info", Actor: ada.id, ActorKind: "person", UserID: ada.id}},
			{"one log-in is ended", bob.token, "DELETE", "/api/users/" + bob.id + "/sessions/" + old, "", nil, 204,
				entry{Security: "sessions_ended", Level: "info", Actor: bob.id, ActorKind: "person", UserID: bob.id, Reason: "one", Session: old}},
			{"all log-ins are ended", bob.token, "DELETE", "/api/users/" + bob.id + "/sessions", "", nil, 204,
				entry{Security: "sessions_ended", Level: "info", Actor: bob.id, ActorKind: "person", UserID: bob.id, Reason: "all"}},
			{"a forgotten password", "", "POST", serve.PathResets, resetBody("canary.other@example.org"), nil, 202,
				entry{Security: "password_reset_asked", Level: "info", ActorKind: "unproven"}},
			{"a proof of an address", ada.token, "POST", self + "/email-proof", "{}", nil, 202,
				entry{Security: "email_proof_asked", Level: "info", Actor: ada.id, ActorKind: "person", UserID: ada.id}},
			{"another password", ada.token, "POST", self + "/password", changeBody(ada.password, "Canary-other-one"), nil, 204,
				entry{Security: "password_changed", Level: "info", Actor: ada.id, ActorKind: "person", UserID: ada.id}},
			{"an account is erased", gone.token, "DELETE", "/api/users/" + gone.id, "", nil, 204,
				entry{Security: "account_erased", Level: "warn", Actor: gone.id, ActorKind: "person", UserID: gone.id}},
		} {
			t.Run(c.name, func(t *testing.T) {
				if c.want.Actor != "" && c.by != "" {
					c.want.TokenID = i.tokenID(t, c.by)
				}
				before := len(s.log.text())
				options := []func(*http.Request){from("203.0.113.9:1234")}
				if c.by != "" {
					options = append(options, bearer(c.by))
				}
				if c.change != nil {
					options = append(options, c.change)
				}
				r := i.ask(t, c.method, c.path, c.body, options...).want(t, c.status, "")
				if c.want.Security == "login_succeeded" {
					c.want.TokenID = i.tokenID(t, r.field(t, "token"))
				}
				events, requests := s.log.since(t, before)
				c.want.Address, c.want.RequestID = "203.0.113.9", "test"
				if len(events) != 1 || len(requests) != 1 {
					t.Fatalf("%d messages and %d lines of requests: %+v", len(events), len(requests), events)
				}
				c.want.Message = events[0].Message
				if events[0] != c.want {
					t.Errorf("the message is\n%+v, want\n%+v", events[0], c.want)
				}
				line := requests[0]
				if line.Actor != c.want.Actor || line.TokenID != c.want.TokenID || line.Address != "203.0.113.9" {
					t.Errorf("the request's line is %+v", line)
				}
				seen[security.Event(events[0].Security)] = true
			})
		}
		t.Run("an account with events is erased", func(t *testing.T) {
			host := i.newMember(t)
			first, second := strings.TrimPrefix(i.organized(t, host), "/api/events/"), strings.TrimPrefix(i.organized(t, host), "/api/events/")
			by := entry{Level: "info", Actor: host.id, ActorKind: "organizer", TokenID: i.tokenID(t, host.token), Address: "203.0.113.9", RequestID: "test", Security: "event_cancelled"}
			before := len(s.log.text())
			i.ask(t, "DELETE", "/api/users/"+host.id, "", bearer(host.token), from("203.0.113.9:1234")).want(t, 204, "")
			told := make(map[string]int)
			events, _ := s.log.since(t, before)
			for _, e := range events {
				want := by
				if want.Message, want.EventID = e.Message, e.EventID; e.Security == "event_cancelled" && e != want {
					t.Errorf("the message is\n%+v, want\n%+v", e, want)
				}
				told[e.Security+" "+e.EventID]++
			}
			if len(events) != 3 || told["event_cancelled "+first] != 1 || told["event_cancelled "+second] != 1 || told["account_erased "] != 1 {
				t.Errorf("it is told %v", told)
			}
		})
		before := len(s.log.text())
		new := i.newMember(t)
		if events, _ := s.log.since(t, before); len(events) != 1 || events[0].Security != "account_created" || events[0].UserID != new.id || events[0].Actor != new.id {
			t.Errorf("a sign-up is %+v", events)
		}
		seen[security.AccountCreated] = true
		for _, k := range security.Kinds() {
			switch k.Event {
			case security.TokenIssued, security.AccountLocked, security.AccountUnlocked, security.EmailProven, security.EmailFreed: // by commands: TestOperatorsAreTold
			case security.IdentityLinked, security.IdentityUnlinked: // by commands: TestAllIdentitiesAtOnce
			case security.EventDeleted: // TestEventsAreDeletedWhileTheyAreServed, of commands too
			case security.KeyCreated, security.KeyEnded: // TestKeysOfPrograms
			case security.WebhookChanged: // TestTheLifeOfAWebhook
			case security.PasswordGuessing, security.QuotaUsedUp: // TestGuessingFromManyAddresses, TestWhatAPersonMayStoreInADay
			default:
				if !seen[k.Event] {
					t.Errorf("%s never happens", k.Event)
				}
			}
		}
		edit := s.log.With(`"actor_kind":"organizer","actor_id":"` + ada.id + `","kind":"edit_event"`)
		if len(edit) != 1 || len(s.log.With(store.ID{}.Hex())) > 0 {
			t.Errorf("the worker tells of the cancelled event %q, or somebody's id is zeros", edit)
		}
		for _, private := range []string{"Canary", "example.org", "eyJ", goodPassword, `"Ada"`} {
			if strings.Contains(s.log.text(), private) {
				t.Errorf("the log tells %q", private)
			}
		}
	})
}

func perMinute(most int) gate.Rate { return gate.Rate{Most: most, Window: time.Minute} }

// TestEverydayIsNoSecurityEvent: who just shows no token, or asks for what is not there, is in the line
// of the request only.
func TestEverydayIsNoSecurityEvent(t *testing.T) {
	s := newSite(t, "sqlite")
	i := s.start(t, testKeys(t, "k"))
	ada := i.newMember(t)
	path := i.organized(t, ada)
	before := len(s.log.text())
	i.ask(t, "GET", path+"/registrations", "").want(t, 401, problem.Unauthenticated)
	i.ask(t, "GET", path+"/registrations", "", bearer(ada.token)).want(t, 200, "")
	i.ask(t, "GET", path, "", bearer("x")).want(t, 200, "")
	i.ask(t, "GET", "/api/events/"+ada.id, "").want(t, 404, problem.EventNotFound)
	i.ask(t, "POST", "/api/logout", "").want(t, 204, "")
	i.ask(t, "PUT", path+"/registrations/"+ada.id, "", bearer(ada.token)).want(t, 201, "")
	i.ask(t, "DELETE", path+"/registrations/"+ada.id, "", bearer(ada.token)).want(t, 204, "")
	if events, requests := s.log.since(t, before); len(events) != 0 || len(requests) != 7 {
		t.Errorf("messages %+v, and %d lines", events, len(requests))
	}
}
