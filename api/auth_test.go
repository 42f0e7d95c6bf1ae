package api

import (
	"cmp"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/eventio/eventio/api/gate"
	"github.com/eventio/eventio/api/problem"
	"github.com/eventio/eventio/internal/identity"
	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/outbox"
)

func TestSignUpAndLogInAnswerAToken(t *testing.T) {
	eachStore(t, func(t *testing.T, s *site) {
		for name, mode := range map[string]func(*gate.Config){"token": func(*gate.Config) {}, "trusted": trusted} {
			t.Run(name, func(t *testing.T) {
				i := s.start(t, identity.Keys{}, mode)
				email := store.NewID().Hex() + "@example.org"
				signed := i.ask(t, "POST", "/api/users", signUpBody(email, goodPassword)).want(t, 201, "")
				logged := i.ask(t, "POST", "/api/login", logInBody(" "+strings.ToUpper(email), goodPassword)).want(t, 200, "")
				for _, r := range []reply{signed, logged} {
					expires, err := time.Parse(time.RFC3339, r.field(t, "token_expires_at"))
					if in := time.Until(expires); err != nil || in < 59*time.Minute || in > time.Hour {
						t.Errorf("the token expires in %v, %v", in, err)
					}
					who, err := i.guard.Check(r.field(t, "token"))
					if err != nil || who.ID.Hex() != signed.field(t, "id") {
						t.Errorf("the token speaks for %v, %v", who, err)
					}
					for _, name := range []string{"id", "name", "email", "created_at"} {
						if r.field(t, name) != signed.field(t, name) {
							t.Errorf("%s differs", name)
						}
					}
					if n := strings.Count(r.body, `":`); n != 6 {
						t.Errorf("%d fields in %s", n, r.body)
					}
					if got := r.header.Get("Cache-Control"); got != "no-store" {
						t.Errorf("Cache-Control is %q", got)
					}
				}
			})
		}
	})
}

// TestRightsByRole has a row for every operation of the OpenAPI document: what each of six roles is answered,
// and what the same people are whose proof is another one (an issuer's, keys of each scope), is none (an issuer that nobody knows, a gateway's
// header from a stranger), or has ended. An operation without a row fails, and a row
// without an operation.
func TestRightsByRole(t *testing.T) {
	type roles struct{ anonymous, forged, stranger, registered, organizer, owner int }
	rights := map[string]roles{
		"POST /api/users":                                   {201, 201, 201, 201, 201, 201},
		"POST /api/login":                                   {200, 200, 200, 200, 200, 200},
		"POST /api/password-resets":                         {202, 202, 202, 202, 202, 202},
		"POST /api/password-resets/confirm":                 {410, 410, 410, 410, 410, 410},
		"POST /api/users/{user_id}/email-proof":             {401, 401, 403, 403, 403, 202},
		"POST /api/users/{user_id}/email-proof/confirm":     {401, 401, 403, 403, 403, 410},
		"GET /api/mail-settings/{token}":                    {410, 410, 410, 410, 410, 410},
		"POST /api/mail-settings/{token}":                   {410, 410, 410, 410, 410, 410},
		"PUT /api/mail-settings/{token}":                    {410, 410, 410, 410, 410, 410},
		"POST /api/logout":                                  {204, 204, 204, 204, 204, 204},
		"POST /api/users/{user_id}/password":                {401, 401, 403, 403, 403, 204},
		"GET /api/users/{user_id}":                          {401, 401, 403, 403, 403, 200},
		"PATCH /api/users/{user_id}":                        {401, 401, 403, 403, 403, 200},
		"DELETE /api/users/{user_id}":                       {401, 401, 403, 403, 403, 204},
		"GET /api/users/{user_id}/export":                   {401, 401, 403, 403, 403, 200},
		"GET /api/users/{user_id}/sessions":                 {401, 401, 403, 403, 403, 200},
		"DELETE /api/users/{user_id}/sessions":              {401, 401, 403, 403, 403, 204},
		"DELETE /api/users/{user_id}/sessions/{session_id}": {401, 401, 403, 403, 403, 204},
		"POST /api/keys":                                    {401, 401, 201, 201, 201, 201},
		"GET /api/keys":                                     {401, 401, 200, 200, 200, 200},
		"DELETE /api/keys/{key_id}":                         {401, 401, 204, 204, 204, 204},
		"POST /api/events":                                  {401, 401, 403, 403, 201, 403},
		"GET /api/events":                                   {200, 200, 200, 200, 200, 200},
		"GET /api/events/{id}":                              {200, 200, 200, 200, 200, 200},
		"POST /api/events/{id}/registrations":               {401, 401, 403, 403, 403, 201},
		"GET /api/events/{id}/registrations":                {401, 401, 403, 403, 200, 403},
		"PUT /api/events/{id}/registrations/{user_id}":      {401, 401, 403, 403, 403, 201},
		"GET /api/events/{id}/registrations/{user_id}":      {401, 401, 403, 403, 404, 404},
		"DELETE /api/events/{id}/registrations/{user_id}":   {401, 401, 403, 403, 204, 204},
		"PATCH /api/events/{id}":                            {401, 401, 403, 403, 200, 403},
		"POST /api/events/{id}/cancel":                      {401, 401, 403, 403, 200, 403},
		"GET /api/users/{user_id}/registrations":            {401, 401, 403, 403, 403, 200},
		"GET /api/users/{user_id}/changes":                  {401, 401, 403, 403, 403, 200},
		"GET /api/events/{id}/changes":                      {401, 401, 403, 403, 200, 403},
		"GET /api/events/{id}/pace":                         {401, 401, 403, 403, 200, 403},
		"GET /api/events/{id}/live":                         {200, 200, 200, 200, 200, 200},
		"GET /api/users/{user_id}/live":                     {401, 401, 403, 403, 403, 200},
		"POST /api/webhooks":                                {401, 401, 403, 403, 201, 403},
		"GET /api/webhooks":                                 {401, 401, 200, 200, 200, 200},
		"GET /api/webhooks/{webhook_id}":                    {401, 401, 403, 403, 200, 403},
		"PATCH /api/webhooks/{webhook_id}":                  {401, 401, 403, 403, 200, 403},
		"DELETE /api/webhooks/{webhook_id}":                 {401, 401, 403, 403, 204, 403},
		"POST /api/webhooks/{webhook_id}/secret":            {401, 401, 403, 403, 200, 403},
		"GET /api/webhooks/{webhook_id}/calls":              {401, 401, 403, 403, 200, 403},
		"POST /api/webhooks/{webhook_id}/test":              {401, 401, 403, 403, 202, 403},
		"POST /api/webhooks/{webhook_id}/replay":            {401, 401, 403, 403, 202, 403},
		"GET /openapi.json":                                 {200, 200, 200, 200, 200, 200},
		"GET /docs":                                         {200, 200, 200, 200, 200, 200},
		"GET /docs/docs.css":                                {200, 200, 200, 200, 200, 200},
		"GET /livez":                                        {200, 200, 200, 200, 200, 200},
		"GET /readyz":                                       {200, 200, 200, 200, 200, 200},
		"GET /api/events/{id}/attendees":                    {401, 401, 403, 403, 200, 403},
		"GET /api/session":                                  {401, 401, 404, 200, 200, 200},
	}
	eachStore(t, func(t *testing.T, s *site) {
		i := s.start(t, identity.Keys{}, func(c *gate.Config) {
			c.Provers, c.Identity = []identity.Prover{wordOfOthers{}}, gate.IdentityHeaders{ID: "X-Remote-User"}
			c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")} // no client of this test
		}).takesWebhooks()
		access := make(map[string]gate.Access)
		for _, rt := range i.table() {
			access[rt.method+" "+rt.pattern] = rt.access
		}
		// What is answered instead of what a token of ours gets.
		byOthers := map[gate.Access]int{gate.LogIns: 403}
		byReading := map[gate.Access]int{gate.LogIns: 403, gate.Accounts: 403, gate.Registering: 403, gate.Organizing: 403}
		byRegistering := map[gate.Access]int{gate.LogIns: 403, gate.Accounts: 403, gate.Reading: 403, gate.Organizing: 403}
		byOrganizing := map[gate.Access]int{gate.LogIns: 403, gate.Accounts: 403, gate.Reading: 403, gate.Registering: 403}
		organizer, registered := i.newMember(t), i.newMember(t)
		_, hook := i.hooked(t, organizer, hookBody)
		lost := i.lostTokens(t, s)
		operations := i.operations(t)
		for name := range rights {
			if !slices.Contains(operations, name) {
				t.Errorf("%s is no operation", name)
			}
		}
		for _, name := range operations {
			method, pattern, _ := strings.Cut(name, " ")
			want, ok := rights[name]
			if !ok {
				t.Errorf("%s has no row", name)
				continue
			}
			t.Run(name, func(t *testing.T) {
				event := i.organized(t, organizer) // for each: one of them cancels it
				i.ask(t, "POST", event+"/registrations", `{}`, bearer(registered.token)).want(t, 201, "")
				somebody := i.newMember(t)
				// Whether something happens to the owner; a sign-up for each role of the other operations took half of the time.
				changes := strings.Contains(pattern, "{user_id}") || strings.HasSuffix(pattern, "/registrations") || pattern == "/api/login" || pattern == "/api/logout"
				for _, role := range []struct {
					name   string
					token  func(owner member) string
					status int
				}{
					{"anonymous", func(member) string { return "" }, want.anonymous},
					{"forged", func(m member) string { return m.token[:len(m.token)-4] + "AAAA" }, want.forged},
					{"stranger", func(member) string { return i.stranger(t).token }, want.stranger},
					{"registered", func(member) string { return registered.token }, want.registered},
					{"organizer", func(member) string { return organizer.token }, want.organizer},
					{"owner", func(m member) string { return m.token }, want.owner},
					{"owner, proven by an issuer", func(m member) string { return byIssuer + m.id }, cmp.Or(byOthers[access[name]], want.owner)},
					{"organizer, by a key that reads", func(member) string { return byReadingKey + organizer.id }, cmp.Or(byReading[access[name]], want.organizer)},
					{"owner, by a key that registers", func(m member) string { return byRegisteringKey + m.id }, cmp.Or(byRegistering[access[name]], want.owner)},
					{"organizer, by a key that organizes", func(member) string { return byOrganizingKey + organizer.id }, cmp.Or(byOrganizing[access[name]], want.organizer)},
					{"owner, by the issuer nobody knows", func(m member) string { return "somebody-else-writes:" + m.id }, want.forged},
					{strangersHeader, func(member) string { return "" }, want.anonymous},
					{"logged out", nil, want.forged},
					{"locked", nil, want.forged},
					{"erased", nil, want.forged},
				} {
					// owner is whom the request is about.
					owner := organizer
					if token := lost[role.name]; token != "" { // nothing is done in their names
						role.token = func(member) string { return token }
					} else if owner = somebody; changes {
						owner = i.newMember(t)
					}
					if pattern == "/api/logout" && lost[role.name] == "" { // which ends the token
						registered, organizer := i.newMember(t), i.newMember(t)
						role.token = map[string]func(member) string{
							"registered": func(member) string { return registered.token }, "organizer": func(member) string { return organizer.token },
						}[role.name]
						if role.token == nil {
							role.token = func(m member) string { return m.token }
						}
					}
					if method == http.MethodDelete && strings.Contains(pattern, "{webhook_id}") {
						_, hook = i.hooked(t, organizer, hookBody)
					}
					path := strings.NewReplacer("/replay", "/replay?since=2026-11-01T00:00:00Z", "{webhook_id}", hook.ID.Hex(), "/api/events/{id}", event, "{user_id}", owner.id, "{session_id}", store.NewID().Hex(), "{key_id}", store.NewID().Hex(), "{token}", outbox.NewToken()).Replace(pattern)
					body := map[string]string{
						"/api/users":                               signUpBody(store.NewID().Hex()+"@example.org", goodPassword),
						"/api/login":                               logInBody(owner.email, owner.password),
						"/api/users/{user_id}/password":            changeBody(owner.password, "another horse battery"),
						"/api/events":                              eventWith(`"organizer_id":"` + organizer.id + `",`),
						"/api/events/{id}/registrations":           `{"user_id":"` + owner.id + `"}`,
						"/api/events/{id}":                         `{"description":"Edited."}`,
						"/api/users/{user_id}":                     `{"name":"Countess"}`,
						"/api/webhooks":                            `{"url":"https://example.org/hook","owner_id":"` + organizer.id + `"}`,
						"/api/keys":                                `{"name":"shop","scopes":["read"]}`,
						"/api/webhooks/{webhook_id}":               `{"active":true}`,
						"/api/password-resets":                     `{"email":"` + owner.email + `"}`,
						"/api/password-resets/confirm":             `{"token":"` + outbox.NewToken() + `","password":"another horse battery"}`,
						"/api/users/{user_id}/email-proof":         `{}`,
						"/api/users/{user_id}/email-proof/confirm": `{"token":"` + outbox.NewToken() + `"}`,
						"/api/mail-settings/{token}":               `{"event_mail":true}`,
					}[pattern]
					if method == http.MethodGet || method == http.MethodDelete {
						body = ""
					}
					options := []func(*http.Request){with("If-Match", "*")}
					if role.name == strangersHeader {
						options = append(options, with("X-Remote-User", owner.id))
					}
					if token := role.token(owner); token != "" {
						options = append(options, bearer(token))
					}
					r := i.ask(t, method, path, body, options...)
					if r.status != role.status {
						t.Errorf("%s: %d %s, want %d", role.name, r.status, r.body, role.status)
					}
					code := map[int]problem.Code{401: problem.Unauthenticated, 403: problem.Forbidden}[role.status]
					if code != "" {
						r.want(t, role.status, code)
					}
				}
			})
		}
	})
}

// strangersHeader is a gateway's header from whom nobody has called a gateway.
const strangersHeader = "owner, by a gateway's header from a stranger"

// Words that wordOfOthers believes, each before an id.
const (
	byIssuer     = "an-issuer-says:"
	byReadingKey = "a-key-says:"
	// Keys with one other scope.
	byRegisteringKey = "a-registering-key-says:"
	byOrganizingKey  = "an-organizing-key-says:"
)

// wordOfOthers stands for proofs that are no tokens of ours.
type wordOfOthers struct{}

func (wordOfOthers) Owns(token string) bool { return strings.Contains(token, "-says:") }

func (wordOfOthers) Check(token string) (identity.Person, error) {
	how, hex, _ := strings.Cut(token, ":")
	id, err := store.ParseID(hex)
	if err != nil {
		return identity.Person{}, identity.ErrInvalid
	}
	scopes := map[string]identity.Scopes{
		byReadingKey: identity.ScopeRead, byRegisteringKey: identity.ScopeRegister, byOrganizingKey: identity.ScopeOrganize,
	}
	if scope := scopes[how+":"]; scope != 0 {
		return identity.Person{ID: id, Proof: store.ProofKey, Scopes: scope}, nil
	}
	return identity.Person{ID: id, Proof: store.ProofOIDC, Scopes: identity.OtherScopes, LoginAt: time.Now()}, nil
}

// operations returns the method and the path of every operation of the OpenAPI document that is served.
func (i *instance) operations(t *testing.T) (names []string) {
	t.Helper()
	var document struct {
		Paths map[string]map[string]jsontext.Value `json:"paths"`
	}
	if err := json.Unmarshal([]byte(i.ask(t, "GET", "/openapi.json", "").want(t, 200, "").body), &document); err != nil {
		t.Fatal(err)
	}
	for path, item := range document.Paths {
		for method := range item {
			names = append(names, strings.ToUpper(method)+" "+path)
		}
	}
	return names
}

// lostTokens returns a token of somebody who has logged out, of somebody whom an operator has locked, and of
// somebody who was erased.
func (i *instance) lostTokens(t *testing.T, s *site) map[string]string {
	t.Helper()
	out, locked, erased := i.newMember(t), i.newMember(t), i.newMember(t)
	i.ask(t, "POST", "/api/logout", "", bearer(out.token)).want(t, 204, "")
	id, err := store.ParseID(locked.id)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.st.LockUser(t.Context(), id, time.Now()); err != nil {
		t.Fatal(err)
	}
	i.ask(t, "DELETE", "/api/users/"+erased.id, "", bearer(erased.token)).want(t, 204, "")
	for _, m := range []member{out, locked, erased} {
		wantEnded(t, i, m, m.token)
	}
	return map[string]string{"logged out": out.token, "locked": locked.token, "erased": erased.token}
}

func TestWhatIsLeftOutIsTheTokensUser(t *testing.T) {
	eachStore(t, func(t *testing.T, s *site) {
		i := s.start(t, identity.Keys{})
		ada := i.newMember(t)
		created := i.ask(t, "POST", "/api/events", eventWith(""), bearer(ada.token)).want(t, 201, "")
		if got := created.field(t, "organizer_id"); got != ada.id {
			t.Errorf("organizer_id is %s, want %s", got, ada.id)
		}
		path := "/api/events/" + created.field(t, "id") + "/registrations"
		for _, body := range []string{`{}`, `{"user_id":null}`, `{"user_id":"` + ada.id + `"}`, `{"user_id":"` + strings.ToUpper(ada.id) + `"}`} {
			who := i.stranger(t)
			r := i.ask(t, "POST", path, strings.ReplaceAll(strings.ReplaceAll(body, ada.id, who.id), strings.ToUpper(ada.id), strings.ToUpper(who.id)), bearer(who.token))
			if i := r.want(t, 201, "").field(t, "user_id"); i != who.id {
				t.Errorf("%s: user_id is %s, want %s", body, i, who.id)
			}
		}
		// An empty id is none, not one that was left out.
		i.ask(t, "POST", path, `{"user_id":""}`, bearer(i.stranger(t).token)).want(t, 400, problem.Invalid)
		i.ask(t, "POST", "/api/events", eventWith(`"organizer_id":"",`), bearer(ada.token)).want(t, 400, problem.Invalid)
	})
}

func TestTrustedModeBelievesIdsButChecksTokens(t *testing.T) {
	eachStore(t, func(t *testing.T, s *site) {
		i := s.start(t, identity.Keys{}, trusted)
		ada, bob := i.newMember(t), i.newMember(t)
		event := "/api/events/" + i.ask(t, "POST", "/api/events", eventWith(`"organizer_id":"`+ada.id+`",`)).want(t, 201, "").field(t, "id")
		seats := event + "/registrations"
		i.ask(t, "POST", "/api/events", eventWith("")).want(t, 400, problem.Invalid)
		i.ask(t, "POST", seats, `{}`).want(t, 400, problem.Invalid)
		i.ask(t, "POST", seats, `{"user_id":"`+bob.id+`"}`).want(t, 201, "")
		i.ask(t, "GET", seats, "").want(t, 200, "")

		i.ask(t, "POST", seats, `{"user_id":"`+bob.id+`"}`, bearer("forged")).want(t, 401, problem.Unauthenticated)
		i.ask(t, "POST", seats, `{"user_id":"`+bob.id+`"}`, cookie("eventio_token", "forged")).want(t, 401, problem.Unauthenticated)
		i.ask(t, "POST", seats, `{"user_id":"`+bob.id+`"}`, bearer(ada.token)).want(t, 403, problem.Forbidden)
		i.ask(t, "POST", seats, `{}`, bearer(ada.token)).want(t, 201, "")
		i.ask(t, "GET", seats, "", bearer(bob.token)).want(t, 403, problem.Forbidden)
		i.ask(t, "GET", seats, "", bearer(ada.token)).want(t, 200, "")
		// What the gateway itself was sent is not a token of ours.
		i.ask(t, "GET", seats, "", with("Authorization", "Basic YTpi")).want(t, 200, "")

		i.ask(t, "POST", "/api/users/"+bob.id+"/password", changeBody(goodPassword, "another horse battery")).want(t, 204, "")
		i.ask(t, "POST", "/api/users/"+store.NewID().Hex()+"/password", changeBody(goodPassword, "another horse battery")).want(t, 404, problem.UserNotFound)
	})
}

// TestOrderOfChecks: 401, then what is malformed, then 404, then 403, then the seat.
func TestOrderOfChecks(t *testing.T) {
	eachStore(t, func(t *testing.T, s *site) {
		i := s.start(t, identity.Keys{})
		ada, bob := i.newMember(t), i.newMember(t)
		seats := i.organized(t, ada) + "/registrations"
		unknown := "/api/events/" + store.NewID().Hex() + "/registrations"
		foreign := `{"user_id":"` + bob.id + `"}`
		for _, c := range []struct {
			name, method, path, body string
			status                   int
			code                     problem.Code
			options                  []func(*http.Request)
		}{
			{"401 before a malformed body", "POST", seats, `{`, 401, problem.Unauthenticated, nil},
			{"401 before a malformed id", "GET", "/api/events/zz/registrations", "", 401, problem.Unauthenticated, nil},
			{"401 before an unknown event", "GET", unknown, "", 401, problem.Unauthenticated, nil},
			{"400 before 404", "POST", unknown, `{"user_id":"zz"}`, 400, problem.Invalid, []func(*http.Request){bearer(ada.token)}},
			{"404 before 403 for a seat", "POST", unknown, foreign, 404, problem.EventNotFound, []func(*http.Request){bearer(ada.token)}},
			{"404 before 403 for a roster", "GET", unknown, "", 404, problem.EventNotFound, []func(*http.Request){bearer(bob.token)}},
			{"403 before the seat", "POST", seats, foreign, 403, problem.Forbidden, []func(*http.Request){bearer(ada.token)}},
		} {
			t.Run(c.name, func(t *testing.T) {
				i.ask(t, c.method, c.path, c.body, c.options...).want(t, c.status, c.code)
			})
		}
		if got := i.ask(t, "GET", seats, "", bearer(ada.token)).want(t, 200, "").body; got != "[]" {
			t.Errorf("somebody was registered: %s", got)
		}
	})
}

// TestMassAssignment: fields that are not a client's to set have no effect.
func TestMassAssignment(t *testing.T) {
	eachStore(t, func(t *testing.T, s *site) {
		i := s.start(t, identity.Keys{})
		ada := i.newMember(t)
		const forged = `"id":"000000000000000000000001","created_at":"1999-01-01T00:00:00Z","tickets_sold":4,"password_hash":"x",` +
			`"PasswordHash":"x","password_version":7,"token":"x","registered_at":"1999-01-01T00:00:00Z","request_id":"x","number":9,"last_number":9,`
		event := i.ask(t, "POST", "/api/events", eventWith(forged), bearer(ada.token)).want(t, 201, "")
		u := i.ask(t, "POST", "/api/users", `{`+forged+`"name":"Eve","email":"eve@example.org","password":"`+goodPassword+`"}`).want(t, 201, "")
		seat := i.ask(t, "POST", "/api/events/"+event.field(t, "id")+"/registrations", `{`+forged+`"event_id":"x"}`, bearer(ada.token)).want(t, 201, "")
		for _, r := range []reply{event, u, seat} {
			for _, bad := range []string{"000000000000000000000001", "1999", `"x"`, `"tickets_sold":4`} {
				if strings.Contains(r.body, bad) {
					t.Errorf("%s got through: %s", bad, r.body)
				}
			}
		}
		stored, err := s.st.UserByEmail(t.Context(), "eve@example.org")
		if err != nil || stored.PasswordVersion != 0 || !strings.HasPrefix(stored.PasswordHash, "$argon2id$") {
			t.Errorf("stored %+v, %v", stored, err)
		}
		i.ask(t, "POST", "/api/login", logInBody("eve@example.org", goodPassword)).want(t, 200, "")
		i.ask(t, "POST", "/api/users/"+ada.id+"/password", `{"password_version":9,"old_password":"`+goodPassword+`","new_password":"another horse battery"}`,
			bearer(ada.token)).want(t, 400, problem.Invalid) // a new route knows its fields
	})
}
