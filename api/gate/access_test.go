package gate

import (
	"errors"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"github.com/eventio/eventio/api/problem"
	"github.com/eventio/eventio/internal/identity"
	"github.com/eventio/eventio/pkg/store"
)

// wordProver believes the words that it has a person for, and owns what begins with its name.
type wordProver struct {
	name    string
	persons map[string]identity.Person
	err     error
}

func (p wordProver) Owns(token string) bool { return strings.HasPrefix(token, p.name) }

func (p wordProver) Check(token string) (identity.Person, error) {
	if p.err != nil {
		return identity.Person{}, p.err
	}
	who, ok := p.persons[token]
	if !ok {
		return identity.Person{}, identity.ErrInvalid
	}
	return who, nil
}

// TestEachWayHasItsColumn: the table of access, written again.
func TestEachWayHasItsColumn(t *testing.T) {
	id := store.NewID()
	guard := identity.Alone()
	token, _, err := guard.Sign(identity.Person{ID: id})
	if err != nil {
		t.Fatal(err)
	}
	persons := map[string]identity.Person{"w-oidc": {ID: id, Proof: store.ProofOIDC, Scopes: identity.OtherScopes}}
	for _, words := range []string{"read", "register", "organize", "read register organize"} {
		scopes, err := identity.ParseScopes(words)
		if err != nil || scopes.String() != words {
			t.Fatal(words, scopes, err)
		}
		persons["w-"+words] = identity.Person{ID: id, Proof: store.ProofKey, Scopes: scopes}
	}
	g := New(Config{Mode: Token, Guard: guard, Provers: []identity.Prover{wordProver{"w-", persons, nil}}}, zerolog.Nop())
	columns := []string{token, "w-oidc", "w-read", "w-register", "w-organize", "w-read register organize"}
	for access, row := range map[Access]string{
		Anybody:     "111111",
		Reading:     "111001",
		Registering: "110101",
		Organizing:  "110011",
		Accounts:    "110000",
		LogIns:      "100000",
	} {
		got := ""
		for _, sent := range columns {
			who, err := g.Admit(httptest.NewRecorder(), request(with("Authorization", "Bearer "+sent)), access, RequestsPerAddress)
			switch code(t, err) {
			case "":
				got += "1"
				if access != Anybody && (who.ID != id || !who.Proven) {
					t.Errorf("%d %s: %+v", access, sent, who)
				}
			case problem.Forbidden:
				got += "0"
			default:
				t.Errorf("%d %s: %v", access, sent, err)
			}
		}
		if got != row {
			t.Errorf("access %d: %s, want %s", access, got, row)
		}
	}
}

// TestWhatAProverSaysIsTold: a bad proof is 401, one that cannot be settled 503, and neither says why. A
// cookie has tokens of ours only.
func TestWhatAProverSaysIsTold(t *testing.T) {
	const word = "w-ada"
	for name, c := range map[string]struct {
		err  error
		want problem.Code
	}{
		"good":      {nil, ""},
		"bad":       {fmt.Errorf("%w: why", identity.ErrInvalid), problem.Unauthenticated},
		"expired":   {identity.ErrExpired, problem.Unauthenticated},
		"unsettled": {fmt.Errorf("%w: why", identity.ErrUnsettled), problem.Overloaded},
		"broken":    {errors.New("why"), problem.Unauthenticated},
	} {
		persons := map[string]identity.Person{word: {ID: store.NewID(), Scopes: identity.OtherScopes}}
		for _, mode := range []Mode{Trusted, Token} {
			g := New(Config{Mode: mode, Provers: []identity.Prover{wordProver{"w-", persons, c.err}}}, zerolog.Nop())
			who, err := g.Admit(httptest.NewRecorder(), request(with("Authorization", "Bearer "+word)), Reading, RequestsPerAddress)
			if code(t, err) != c.want || who.Proven != (c.want == "") {
				t.Errorf("%s, mode %d: %+v, %v", name, mode, who, err)
			}
			if p, ok := errors.AsType[*problem.Problem](err); ok && strings.Contains(p.Detail, "why") {
				t.Errorf("%s: a client is told %q", name, p.Detail)
			}
			if _, err := g.Admit(httptest.NewRecorder(), request(cookie(plainCookie, word)), Reading, RequestsPerAddress); code(t, err) != problem.Unauthenticated {
				t.Errorf("%s: in a cookie: %v", name, err)
			}
		}
	}
}

// TestLimitsCountThePerson: whatever proves it, and however often another proof is used.
func TestLimitsCountThePerson(t *testing.T) {
	guard := identity.Alone()
	id, token := sign(t, guard)
	persons := map[string]identity.Person{
		"w-oidc": {ID: id, Proof: store.ProofOIDC, Scopes: identity.OtherScopes}, "w-key": {ID: id, Proof: store.ProofKey, Scopes: identity.OtherScopes},
		"w-other": {ID: store.NewID(), Proof: store.ProofOIDC, Scopes: identity.OtherScopes},
	}
	g := New(Config{Mode: Token, Guard: guard, RateLimits: true, Provers: []identity.Prover{wordProver{"w-", persons, nil}}}, zerolog.Nop())
	ask := func(sent string) problem.Code {
		_, err := g.Admit(httptest.NewRecorder(), request(with("Authorization", "Bearer "+sent)), Registering, RegistrationsPerPerson)
		return code(t, err)
	}
	ways := []string{token, "w-oidc", "w-key"}
	for i := range DefaultRates().Registrations.Most {
		if got := ask(ways[i%3]); got != "" {
			t.Fatalf("request %d: %s", i, got)
		}
	}
	for _, way := range ways {
		if got := ask(way); got != problem.RateLimited {
			t.Errorf("%s goes on: %q", way, got)
		}
	}
	if got := ask("w-other"); got != "" {
		t.Errorf("somebody else: %s", got)
	}
}
