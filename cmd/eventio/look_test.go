package main

import (
	"strings"
	"testing"

	"github.com/eventio/eventio/internal/testenv"
	"github.com/eventio/eventio/pkg/store"
)

// TestOperatorsSignPeopleUp: whom an operator signs up logs in at once, under the rules that hold for everybody; and the
// words disable, enable and erase do what lock, unlock and delete do.
func TestOperatorsSignPeopleUp(t *testing.T) {
	data := t.TempDir()
	p := startProgram(t, data)
	create := func(password, name, email string, more ...string) (string, error) {
		return userTool(t, password+"\n", append([]string{"create", "--name", name, "--email", email, "--data", data}, more...)...)
	}
	login := func() int {
		t.Helper()
		return p.ask(t, "POST", "/api/login", `{"email":"eve@example.org","password":"correct horse battery"}`).status
	}
	out, err := create("correct horse battery", " Eve ", "EVE@example.org", "--proven")
	if err != nil || !strings.Contains(out, `"name":"Eve"`) || !strings.Contains(out, "email_proven_at") || strings.Contains(out, "argon2") {
		t.Fatalf("%v, it prints %s", err, out)
	}
	if status := login(); status != 200 {
		t.Errorf("to log in answers %d", status)
	}
	_, err = create("correct horse battery", "Eve", "eve@example.org")
	testenv.WantSentence(t, err, "another person", "--email")
	_, err = create("password", "Mallory", "mallory@example.org")
	testenv.WantSentence(t, err, "the password")
	_, err = create("correct horse battery", "Mallory", "nobody")
	testenv.WantSentence(t, err, "--email")
	_, err = create("correct horse battery", " ", "mallory@example.org")
	testenv.WantSentence(t, err, "--name")
	if out := mustUser(t, "", "list", "--json", "--data", data); strings.Count(out, "\n") != 1 || !strings.HasPrefix(out, `{"id":"`) {
		t.Errorf("the list is %s", out)
	}
	for _, c := range []struct {
		args []string
		want int
	}{{[]string{"disable"}, 403}, {[]string{"enable"}, 200}, {[]string{"erase", "--yes", "--wait", "0s"}, 401}} {
		mustUser(t, "", append(c.args, "eve@example.org", "--data", data)...)
		if status := login(); status != c.want {
			t.Errorf("after %s to log in answers %d", c.args[0], status)
		}
	}
}

// TestOperatorsCloseEvents: operators see events as their readers do, and close the registration of one: also of one that
// was to open later.
func TestOperatorsCloseEvents(t *testing.T) {
	data := t.TempDir()
	p := startProgram(t, data)
	organizer := store.NewID().Hex()
	create := func(more string) string {
		t.Helper()
		r := p.ask(t, "POST", "/api/events", `{"organizer_id":"`+organizer+`","title":"Opening","capacity":5,"starts_at":"2127-05-01T18:00:00Z","ends_at":"2127-05-01T20:00:00Z"`+more+`}`)
		if r.status != 201 {
			t.Fatal(r)
		}
		return r.body["id"].(string)
	}
	open, later := create(""), create(`,"registration_opens_at":"2127-01-01T00:00:00Z"`)
	register := func(event string) any {
		t.Helper()
		r := p.ask(t, "POST", "/api/events/"+event+"/registrations", `{"user_id":"`+store.NewID().Hex()+`"}`)
		if r.status == 201 {
			return "registered"
		}
		return r.body["code"]
	}
	if got := register(open); got != "registered" {
		t.Fatal(got)
	}
	for args, want := range map[string]int{"": 2, "--of " + organizer: 2, "--of " + store.NewID().Hex(): 0} {
		if out := printed(t, append([]string{"event", "list", "--json", "--data", data}, strings.Fields(args)...)...); strings.Count(out, "\n") != want {
			t.Errorf("the list with %q is %s", args, out)
		}
	}
	if out := printed(t, "event", "show", open, "--data", data); !strings.Contains(out, `"tickets_sold":1`) || !strings.Contains(out, `"registration_state":"open"`) {
		t.Errorf("it shows %s", out)
	}
	for _, event := range []string{open, later, open} { // the last one is closed already
		if out := printed(t, "event", "close", event, "--data", data); !strings.Contains(out, `"registration_state":"closed"`) {
			t.Errorf("it closes to %s", out)
		}
		if got := register(event); got != "registration_closed" {
			t.Errorf("who registers is told %v", got)
		}
	}
	if r := p.ask(t, "GET", "/api/events/"+open, ""); r.body["tickets_sold"] != 1.0 || r.body["registration_state"] != "closed" {
		t.Errorf("the event is %v", r)
	}
	for _, action := range []string{"show", "close"} {
		_, err := tool(t, "event", action, store.NewID().Hex(), "--data", data)
		testenv.WantSentence(t, err, "no event has the id")
		_, err = tool(t, "event", action, "x", "--data", data)
		testenv.WantSentence(t, err, "24 hexadecimal digits")
	}
}
