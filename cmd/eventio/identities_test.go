package main

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/eventio/eventio/internal/testenv"
	"github.com/eventio/eventio/internal/testenv/issuer"
	"github.com/eventio/eventio/pkg/store/foreign"
)

// TestAllIdentitiesAtOnce: people whom Event.io, an issuer and a gateway have proven register for one event,
// while the issuer rotates its keys; what an operator does to them counts within 5 s; and the log says who it was, and how.
func TestAllIdentitiesAtOnce(t *testing.T) {
	others := issuer.Start(t)
	t.Setenv("EVENTIO_OIDC_ISSUER", others.URL)
	t.Setenv("EVENTIO_OIDC_AUDIENCE", "nobody, "+issuer.Audience)
	t.Setenv("EVENTIO_TRUSTED_PROXIES", "127.0.0.1")
	t.Setenv("EVENTIO_IDENTITY_HEADER", "x-remote-user")
	t.Setenv("EVENTIO_IDENTITY_NAME_HEADER", "X-Remote-Name")
	data := t.TempDir()
	p := startProgram(t, data)
	bearer := func(subject string) []string {
		t.Helper()
		token, err := others.Token(subject, map[string]any{"name": "Of " + subject, "email": subject + "@example.org", "email_verified": true})
		if err != nil {
			t.Fatal(err)
		}
		return []string{"Authorization", "Bearer " + token}
	}
	created := p.ask(t, "POST", "/api/events", `{"title":"T","description":"","capacity":100,"starts_at":"2030-01-01T00:00:00Z","ends_at":"2030-01-02T00:00:00Z"}`, bearer("olga")...)
	olga := foreign.ID(others.URL, "olga").Hex()
	if created.status != 201 || created.body["organizer_id"] != olga {
		t.Fatal(created)
	}
	path := "/api/events/" + created.body["id"].(string) + "/registrations"
	register := func(want string, headers ...string) {
		t.Helper()
		if r := p.ask(t, "POST", path, "{}", headers...); r.status != 201 || r.body["user_id"] != want {
			t.Fatalf("%v, want %s", r, want)
		}
	}
	local := p.ask(t, "POST", "/api/users", `{"name":"Ada","email":"ada@example.org","password":"correct horse battery"}`)
	ada := local.body["id"].(string)
	for round := range 5 {
		if err := others.Rotate(); err != nil {
			t.Fatal(err)
		}
		name := fmt.Sprint("somebody ", round)
		register(foreign.ID(others.URL, name).Hex(), bearer(name)...)
		register(foreign.ID(foreign.Gateway, name).Hex(), "X-Remote-User", name, "X-Remote-Name", "Of the gateway")
	}
	register(ada, "Authorization", "Bearer "+local.body["token"].(string))

	eve := foreign.ID(others.URL, "eve").Hex()
	register(eve, bearer("eve")...)
	session := func(headers []string) func() error {
		return func() error {
			if r := p.ask(t, "GET", "/api/session", "", headers...); r.status != 200 || r.body["id"] != eve || r.body["email"] != "eve@example.org" {
				return errors.New(r.String())
			}
			return nil
		}
	}
	testenv.Eventually(t, 5*time.Second, "she is noted", session(bearer("eve")))
	mustUser(t, "", "lock", eve, "--data", data)
	testenv.Eventually(t, 5*time.Second, "she is barred", func() error {
		if r := p.ask(t, "DELETE", path+"/"+eve, "", bearer("eve")...); r.status != 401 {
			return errors.New(r.String())
		}
		return nil
	})
	mustUser(t, "", "unlock", eve, "--data", data)
	testenv.Eventually(t, 5*time.Second, "she is back", session(bearer("eve")))

	for _, flags := range [][]string{{"--header", "a.l."}, {"--issuer", others.URL, "--subject", "ada"}} {
		if out := mustUser(t, "", append([]string{"link", "ada@example.org", "--data", data}, flags...)...); !strings.Contains(out, `"linked"`) {
			t.Errorf("linked: %s", out)
		}
	}
	for _, headers := range [][]string{{"X-Remote-User", "a.l."}, bearer("ada")} {
		testenv.Eventually(t, 5*time.Second, "they are Ada", func() error {
			if r := p.ask(t, "GET", "/api/session", "", headers...); r.status != 200 || r.body["id"] != ada {
				return errors.New(r.String())
			}
			return nil
		})
	}
	exports := []string{
		mustUser(t, "", "export", "ada@example.org", "--data", data),
		p.read(t, "/api/users/"+ada+"/export", local.body["token"].(string)),
	}
	for _, export := range exports {
		for _, who := range []string{foreign.ID(others.URL, "ada").Hex(), foreign.ID(foreign.Gateway, "a.l.").Hex()} {
			if _, linked, _ := strings.Cut(export, `"linked"`); !strings.Contains(linked, who) {
				t.Errorf("the export does not link %s: %s", who, export)
			}
		}
	}
	if _, err := userTool(t, "", "link", "eve@example.org", "--data", data, "--header", "x"); err == nil {
		t.Error("somebody is linked with whom another issuer has proven")
	}
	mustUser(t, "", "unlink", ada, "--data", data, "--header", "a.l.")
	testenv.Eventually(t, 5*time.Second, "the gateway's is nobody's any more", func() error {
		if r := p.ask(t, "GET", "/api/users/"+ada, "", "X-Remote-User", "a.l."); r.status != 403 {
			return errors.New(r.String())
		}
		return nil
	})

	if r := p.ask(t, "POST", "/api/users/"+eve+"/password", `{"old_password":"correct horse battery","new_password":"another horse battery"}`, bearer("eve")...); r.status != 403 {
		t.Errorf("a password of whom another issuer has proven: %v", r)
	}
	if r := p.ask(t, "DELETE", "/api/users/"+eve, "", bearer("eve")...); r.status != 403 || r.body["code"] != "login_too_old" {
		t.Errorf("erased without a fresh log-in: %v", r)
	}
	if r := p.ask(t, "POST", path, "{}", "X-Remote-User", "two\tones"); r.status != 401 {
		t.Errorf("a name with a control character: %v", r)
	}
}
