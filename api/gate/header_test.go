package gate

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"github.com/eventio/eventio/api/problem"
	"github.com/eventio/eventio/internal/identity"
	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/foreign"
)

// TestAGatewaySaysWhoItIs: a trusted proxy's word counts, everybody else's does not, and what it cannot have
// meant is refused. Nothing behind the gate sees the headers.
func TestAGatewaySaysWhoItIs(t *testing.T) {
	guard := identity.Alone()
	eve, token := sign(t, guard)
	ada := foreign.ID("gateway", "ada")
	const proxy, stranger = "10.0.0.1:1", "203.0.113.9:1"
	headers := func(values ...string) []func(*http.Request) {
		var all []func(*http.Request)
		for _, v := range values {
			all = append(all, func(r *http.Request) { r.Header["X-Remote-User"] = append(r.Header["X-Remote-User"], v) })
		}
		return all
	}
	for name, c := range map[string]struct {
		from    string
		options []func(*http.Request)
		want    problem.Code
		id      store.ID // zero: a token's, eve
		proof   store.Proof
	}{
		"the gateway":                       {proxy, headers("ada"), "", ada, store.ProofHeader},
		"a stranger":                        {stranger, headers("ada"), problem.Unauthenticated, store.ID{}, ""},
		"a stranger with a token":           {stranger, append(headers("ada"), with("Authorization", "Bearer "+token)), "", eve, ""},
		"a stranger through the gateway":    {proxy, []func(*http.Request){with("X-Forwarded-For", "203.0.113.9")}, problem.Unauthenticated, store.ID{}, ""},
		"the gateway, and a token":          {proxy, append(headers("ada"), with("Authorization", "Bearer "+token)), "", ada, store.ProofHeader},
		"the gateway, and a bad token":      {proxy, append(headers("ada"), with("Authorization", "Bearer x")), "", ada, store.ProofHeader},
		"the gateway knows nobody":          {proxy, headers(""), problem.Unauthenticated, store.ID{}, ""},
		"it knows nobody, and a token":      {proxy, append(headers(""), with("Authorization", "Bearer "+token)), "", eve, ""},
		"twice":                             {proxy, headers("ada", "eve"), problem.Unauthenticated, store.ID{}, ""},
		"twice the same":                    {proxy, headers("ada", "ada"), problem.Unauthenticated, store.ID{}, ""},
		"twice, and a token":                {proxy, append(headers("ada", "eve"), with("Authorization", "Bearer "+token)), problem.Unauthenticated, store.ID{}, ""},
		"empty and not":                     {proxy, headers("", "ada"), problem.Unauthenticated, store.ID{}, ""},
		"a control character":               {proxy, headers("a\x00da"), problem.Unauthenticated, store.ID{}, ""},
		"a line end":                        {proxy, headers("ada\nadmin"), problem.Unauthenticated, store.ID{}, ""},
		"no UTF-8":                          {proxy, headers("ad\xe4"), problem.Unauthenticated, store.ID{}, ""},
		"of other letters":                  {proxy, headers("ädä"), "", foreign.ID("gateway", "ädä"), store.ProofHeader},
		"another case is another person":    {proxy, headers("Ada"), "", foreign.ID("gateway", "Ada"), store.ProofHeader},
		"as long as may be":                 {proxy, headers(strings.Repeat("a", 255)), "", foreign.ID("gateway", strings.Repeat("a", 255)), store.ProofHeader},
		"too long":                          {proxy, headers(strings.Repeat("a", 256)), problem.Unauthenticated, store.ID{}, ""},
		"a name and an address, and nobody": {proxy, []func(*http.Request){with("X-Remote-Name", "Ada"), with("X-Remote-Email", "ada@example.org")}, problem.Unauthenticated, store.ID{}, ""},
		"an id of ours is a name like any":  {proxy, headers(eve.Hex()), "", foreign.ID("gateway", eve.Hex()), store.ProofHeader},
	} {
		t.Run(name, func(t *testing.T) {
			g := New(Config{
				Mode: Token, Guard: guard, TrustedProxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")},
				Identity: IdentityHeaders{ID: "X-Remote-User", Email: "X-Remote-Email", Name: "X-Remote-Name"},
			}, zerolog.Nop())
			var who Caller
			var err error
			h := g.BrowserRules(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				who, err = g.Admit(w, r, Reading, RequestsPerPerson)
				for header := range r.Header {
					if strings.HasPrefix(header, "X-Remote-") {
						t.Errorf("%s is behind the gate", header)
					}
				}
				if err == nil && g.Recheck(r) != nil {
					t.Error("a stream of theirs ends")
				}
			}), nil, refuse)
			h.ServeHTTP(httptest.NewRecorder(), request(append(c.options, from(c.from))...))
			if got := code(t, err); got != c.want {
				t.Fatalf("%q, want %q", got, c.want)
			}
			if c.want == "" && (who.ID != c.id || who.Proof != c.proof || !who.Proven) {
				t.Errorf("the caller is %+v", who)
			}
		})
	}
}

// TestAStrangerWithAnIdentityIsLoggedOnce: and what they say they are is not in the log.
func TestAStrangerWithAnIdentityIsLoggedOnce(t *testing.T) {
	var log strings.Builder
	g := New(Config{
		Mode: Token, TrustedProxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}, Identity: IdentityHeaders{ID: "X-Remote-User"},
	}, zerolog.New(&log))
	h := g.BrowserRules(http.NotFoundHandler(), nil, refuse)
	for range 3 {
		h.ServeHTTP(httptest.NewRecorder(), request(with("X-Remote-User", "ada@example.org")))
	}
	if text := log.String(); strings.Count(text, "\n") != 1 || !strings.Contains(text, "203.0.113.9") || strings.Contains(text, "ada") {
		t.Errorf("the log has %s", text)
	}
}
