package api_test

import (
	"context"
	"encoding/json"
	"net/url"
	"strings"
	"testing"

	"github.com/alexedwards/argon2id"
	"golang.org/x/text/unicode/norm"

	"github.com/eventio/eventio/internal/passwords"
	"github.com/eventio/eventio/internal/text"
	"github.com/eventio/eventio/pkg/store"
)

// TestAPasswordIsOneOnEveryKeyboard: macOS and iOS type letters and marks of their own, Windows
// composed ones; some keyboards have other blanks.
func TestAPasswordIsOneOnEveryKeyboard(t *testing.T) {
	forEachStore(t, func(t *testing.T, e *env) {
		const composed = "Canary-7Vq sch\u00f6n\u00e9 \u00dcbung"
		decomposed := norm.NFD.String(composed)
		otherBlanks := strings.ReplaceAll(composed, " ", "\u00a0")
		for name, c := range map[string]struct {
			set    string
			typed  []string
			others []string
		}{
			"composed":      {composed, []string{composed, decomposed, otherBlanks}, []string{strings.ToLower(composed), composed + " ", strings.ReplaceAll(composed, " ", "")}},
			"decomposed":    {decomposed, []string{decomposed, composed}, []string{"Canary-7Vq schone Ubung"}},
			"another blank": {otherBlanks, []string{composed, otherBlanks}, nil},
			"full width":    {"Canary-7Vq\uff21", []string{"Canary-7Vq\uff21"}, []string{"Canary-7VqA"}},
		} {
			t.Run(name, func(t *testing.T) {
				email := newUser() + "@example.org"
				e.post(t, users, userBody("email", quote(email), "password", quote(c.set))).object(t, 201, userFields)
				for _, typed := range c.typed {
					e.post(t, login, loginBody(email, typed)).object(t, 200, userFields)
				}
				for _, other := range c.others {
					e.post(t, login, loginBody(email, other)).problem(t, 401, "unauthenticated")
				}
			})
		}
		t.Run("a hash of before is accepted, and renewed", func(t *testing.T) {
			for _, before := range []string{decomposed, composed, otherBlanks} {
				params := passwords.Params()
				hash, err := argon2id.CreateHash(before, &params)
				must(t, err)
				u := store.User{ID: store.NewID(), Name: "Ada", Email: newUser() + "@example.org", PasswordHash: hash}
				must(t, e.store.CreateUser(context.Background(), u))
				e.post(t, login, loginBody(u.Email, before)).object(t, 200, userFields)
				renewed, err := e.store.User(context.Background(), u.ID)
				must(t, err)
				if same := renewed.PasswordHash == hash; same != (before == composed) {
					t.Errorf("%+q: the hash is the same: %v", before, same)
				}
				e.post(t, login, loginBody(u.Email, composed)).object(t, 200, userFields)
			}
		})
	})
}

// TestAnAddressIsOneAccount: however somebody types it, and whatever their browser makes of it.
func TestAnAddressIsOneAccount(t *testing.T) {
	forEachStore(t, func(t *testing.T, e *env) {
		for first, others := range map[string][]string{
			"jos\u00e9@example.org":    {"jose\u0301@example.org", "JOS\u00c9@Example.ORG", " jose\u0301@example.org\t", "jos\u00e9@\uff45xample.org"},
			"b@b\u00fccher.example":    {"b@xn--bcher-kva.example", "B@BU\u0308CHER.example", "b@XN--BCHER-KVA.EXAMPLE", "b@b\u00fccher\u3002example"},
			"c@xn--mnchen-3ya.example": {"c@m\u00fcnchen.example", "c@mu\u0308nchen.example"},
			"\uff44\uff20example.org":  {"d@example.org", "D@EXAMPLE.ORG"},
			"e@stra\u00dfe.example":    {"e@xn--strae-oqa.example"},
			"f@[IPv6:2001:DB8:0::1]":   {"f@[ipv6:2001:db8::1]"},
			"G@\uff25xample\u3002Org":  {"g@example.org"},
		} {
			t.Run(first, func(t *testing.T) {
				a := e.post(t, users, userBody("email", quote(first)))
				made := a.object(t, 201, userFields)
				id, err := store.ParseID(made.id(t, "id"))
				must(t, err)
				stored, err := e.store.User(context.Background(), id)
				must(t, err)
				if want, _, err := text.Address(first); err != nil || stored.Email != want || !strings.Contains(string(a.body), `"email":`+quote(want)) {
					t.Errorf("%+q is stored as %+q, want %+q, and answered as %s", first, stored.Email, want, a.body)
				}
				for _, other := range append(others, first) {
					e.post(t, users, userBody("email", quote(other))).problem(t, 409, "email_taken")
					if got := e.post(t, login, loginBody(other, password)).object(t, 200, userFields); got.id(t, "id") != made.id(t, "id") {
						t.Errorf("%+q is another account", other)
					}
				}
			})
		}
		// Two mailboxes are two accounts.
		for _, other := range []string{"strasse@example.org", "stra\u00dfe@example.org", "\u0131@example.org", "i@example.org", "e@strasse.example"} {
			e.post(t, users, userBody("email", quote(other))).object(t, 201, userFields)
		}
	})
}

// TestTextsHaveOneForm: names, titles, places and descriptions are stored in one normal form, by which
// searches find them too.
func TestTextsHaveOneForm(t *testing.T) {
	forEachStore(t, func(t *testing.T, e *env) {
		var event struct{ Title, Place, Description string }
		a := e.post(t, events, eventBody("title", quote(" Mu\u0308nchner Cafe\u0301\u3000"), "place", quote("Ko\u0308ln"), "description", quote("1\r\n\tu\u0308")))
		a.wantType(t, 201, jsonType)
		must(t, json.Unmarshal(a.body, &event))
		if event.Title != "M\u00fcnchner Caf\u00e9" || event.Place != "K\u00f6ln" || event.Description != "1\r\n\t\u00fc" {
			t.Errorf("it is %+q", event)
		}
		for _, q := range []string{"m\u00fcnchner", "mu\u0308nchner", "munchner", "\uff2d\u00fcnchner", "caf\u00e9", "cafe\u0301", "CAFE", "ko\u0308ln", "Mu\u0308n\u00adchner", "\u200eM\u00fcnchner", "\ufeffcafe\u2060"} {
			if list := decode[[]object](t, e.get(t, events+"?q="+url.QueryEscape(q)).body); len(list) != 1 {
				t.Errorf("%+q finds %d", q, len(list))
			}
		}
		for _, title := range []string{ // what people have in their names and titles stays
			"\U0001F469\u200d\U0001F469\u200d\U0001F467 Fest", "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645", "\u09b0\u200d\u09cd\u09af\u09be\u09ac", "Zoe\u0308 \u2764\ufe0f", "\U0001F3F4\U000E0067\U000E0062\U000E0065\U000E006E\U000E0067\U000E007F", "\uff33\uff30",
		} {
			a := e.post(t, events, eventBody("title", quote(title)))
			a.wantType(t, 201, jsonType)
			must(t, json.Unmarshal(a.body, &event))
			if event.Title != norm.NFC.String(title) {
				t.Errorf("%+q became %+q", title, event.Title)
			}
		}
		a = e.post(t, users, userBody("name", quote("Zoe\u0308")))
		a.object(t, 201, userFields)
		if !strings.Contains(string(a.body), "Zo\u00eb") {
			t.Errorf("the name is %s", a.body)
		}
	})
}
