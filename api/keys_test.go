package api

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/rs/zerolog"

	"github.com/eventio/eventio/api/gate"
	"github.com/eventio/eventio/api/problem"
	"github.com/eventio/eventio/api/serve"
	"github.com/eventio/eventio/api/wire"
	"github.com/eventio/eventio/internal/identity"
	"github.com/eventio/eventio/internal/testenv"
	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/apikeys"
)

// withKeys starts an API process that believes keys of programs, by what the store tells.
func (s *site) withKeys(t *testing.T) (*instance, *identity.APIKeys) {
	t.Helper()
	keys, err := identity.OpenAPIKeys(t.Context(), s.st.(apikeys.Store), identity.Config{Log: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(keys.Close)
	return s.start(t, identity.Keys{}, func(c *gate.Config) { c.APIKeys = keys }), keys
}

func (i *instance) newKey(t *testing.T, owner member, body string) (k wire.APIKey) {
	t.Helper()
	r := i.ask(t, "POST", serve.PathKeys, body, bearer(owner.token)).want(t, 201, "")
	if err := json.Unmarshal([]byte(r.body), &k); err != nil {
		t.Fatal(err)
	}
	return k
}

func (i *instance) keysOf(t *testing.T, owner member) (all []wire.APIKey) {
	t.Helper()
	r := i.ask(t, "GET", serve.PathKeys, "", bearer(owner.token)).want(t, 200, "")
	if err := json.Unmarshal([]byte(r.body), &all); err != nil {
		t.Fatal(err)
	}
	return all
}

// TestKeysOfPrograms: a key acts for its owner as far as its scopes go, at every process at once, until it is ended, and then
// nowhere.
func TestKeysOfPrograms(t *testing.T) {
	eachStore(t, func(t *testing.T, s *site) {
		a, keys := s.withKeys(t)
		b, _ := s.withKeys(t)
		ada, eve := a.newMember(t), a.newMember(t)
		shop := a.newKey(t, ada, `{"name":" box office ","scopes":["organize","read"]}`)
		if shop.Name != "box office" || !slices.Equal(shop.Scopes, []string{"read", "organize"}) || !strings.HasPrefix(shop.Key, "eventio_") ||
			shop.ExpiresAt.Sub(shop.CreatedAt) != 90*24*time.Hour {
			t.Fatalf("the key is %+v", shop)
		}
		event := b.ask(t, "POST", serve.PathEvents, eventWith(""), bearer(shop.Key)).want(t, 201, "").header.Get("Location")
		b.ask(t, "GET", event+"/registrations", "", bearer(shop.Key)).want(t, 200, "")
		b.ask(t, "POST", event+"/registrations", `{}`, bearer(shop.Key)).want(t, 403, problem.Forbidden)
		b.ask(t, "GET", "/api/users/"+eve.id, "", bearer(shop.Key)).want(t, 403, problem.Forbidden)
		for _, r := range [][2]string{{"GET", serve.PathKeys}, {"POST", serve.PathKeys}, {"DELETE", serve.PathKeys + "/" + shop.ID.Hex()}, {"DELETE", "/api/users/" + ada.id}} {
			a.ask(t, r[0], r[1], "", bearer(shop.Key)).want(t, 403, problem.Forbidden)
		}
		buyer := a.newKey(t, eve, `{"name":"buyer","scopes":["register"],"expires_at":"`+time.Now().Add(time.Hour).UTC().Format(time.RFC3339)+`"}`)
		a.ask(t, "POST", event+"/registrations", `{}`, bearer(buyer.Key)).want(t, 201, "")
		a.ask(t, "GET", event+"/registrations/"+eve.id, "", bearer(buyer.Key)).want(t, 403, problem.Forbidden)
		if r := a.ask(t, "GET", event+"/changes", "", bearer(shop.Key)).want(t, 200, ""); !strings.Contains(r.body, `"proof":"key/`+buyer.ID.Hex()+`"`) {
			t.Errorf("the record does not tell of the key: %s", r.body)
		}

		for what, key := range map[string]string{
			"mistyped": shop.Key[:len(shop.Key)-1] + "!", "short": shop.Key[:20], "prefix": "eventio_", "nobody's": func() string { k, _ := identity.NewAPIKey(); return k }(),
		} {
			if r := a.ask(t, "GET", event+"/registrations", "", bearer(key)); r.status != http.StatusUnauthorized {
				t.Errorf("%s: %d %s", what, r.status, r.body)
			}
		}
		if all := a.keysOf(t, ada); len(all) != 1 || all[0].Key != "" || all[0].ID != shop.ID {
			t.Errorf("there are %+v", all)
		}
		a.ask(t, "DELETE", serve.PathKeys+"/"+shop.ID.Hex(), "", bearer(eve.token)).want(t, 204, "") // not hers, so nothing happens
		a.ask(t, "GET", event+"/registrations", "", bearer(shop.Key)).want(t, 200, "")

		for range 2 {
			a.ask(t, "DELETE", serve.PathKeys+"/"+shop.ID.Hex(), "", bearer(ada.token)).want(t, 204, "")
		}
		ended := time.Now()
		a.ask(t, "GET", event+"/registrations", "", bearer(shop.Key)).want(t, 401, problem.Unauthenticated)
		testenv.Eventually(t, patience, "its end at the other process", func() error {
			if r := b.ask(t, "GET", event+"/registrations", "", bearer(shop.Key)); r.status != http.StatusUnauthorized {
				return fmt.Errorf("%d", r.status)
			}
			return nil
		})
		if took := time.Since(ended); took > 5*time.Second {
			t.Errorf("it ended after %v", took)
		}
		if all := a.keysOf(t, ada); len(all) != 0 {
			t.Errorf("there are %+v", all)
		}
		if lines := s.log.With(`"key_id":"` + shop.ID.Hex() + `"`); len(lines) < 4 {
			t.Errorf("the log tells of the key %d times", len(lines))
		}
		for _, event := range []string{"key_created", "key_ended"} {
			if lines := s.log.With(`"security_event":"` + event + `"`); len(lines) == 0 || !strings.Contains(lines[0], `"user_id":"`+ada.id+`"`) {
				t.Errorf("%s: %v", event, lines)
			}
		}
		for _, secret := range []string{shop.Key, buyer.Key} {
			if lines := s.log.With(secret); len(lines) > 0 {
				t.Errorf("the log has a key: %s", lines[0])
			}
		}
		keys.Close()
		if all := a.keysOf(t, eve); len(all) != 1 || time.Since(all[0].LastUsedAt) > 2*time.Minute {
			t.Errorf("it was used %+v", all)
		}
	})
}

// TestWhoMakesKeys: wrong ones, too many, after an old log-in, and by whom an issuer has proven.
func TestWhoMakesKeys(t *testing.T) {
	s := newSite(t, "sqlite")
	i := s.start(t, identity.Keys{}, func(c *gate.Config) { c.Provers = []identity.Prover{wordOfOthers{}} })
	ada := i.newMember(t)
	const body = `{"name":"shop","scopes":["read"]}`
	id, err := store.ParseID(ada.id)
	if err != nil {
		t.Fatal(err)
	}
	old, _, err := i.guard.Renew(identity.Person{ID: id, LoginAt: time.Now().Add(-time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	i.ask(t, "POST", serve.PathKeys, body, bearer(old)).want(t, 403, problem.LoginTooOld)
	i.ask(t, "POST", serve.PathKeys, body, bearer(byIssuer+store.NewID().Hex())).want(t, 201, "")
	for range 20 {
		i.newKey(t, ada, body)
	}
	i.ask(t, "POST", serve.PathKeys, body, bearer(ada.token)).want(t, 403, problem.Forbidden)
	i.ask(t, "DELETE", serve.PathKeys+"/"+i.keysOf(t, ada)[0].ID.Hex(), "", bearer(ada.token)).want(t, 204, "")
	i.newKey(t, ada, body)
	i.core.Config.Quotas, i.core.Config.Access.RateLimits = Quotas{Keys: 2}, true
	eve := i.newMember(t)
	for range 2 {
		i.newKey(t, eve, body)
		i.ask(t, "DELETE", serve.PathKeys+"/"+i.keysOf(t, eve)[0].ID.Hex(), "", bearer(eve.token)).want(t, 204, "")
	}
	i.ask(t, "POST", serve.PathKeys, body, bearer(eve.token)).wantQuota(t)
}
