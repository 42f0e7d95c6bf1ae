package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/eventio/eventio/internal/process"
	"github.com/eventio/eventio/internal/testenv"
	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/mongostore"
	"github.com/eventio/eventio/pkg/store/storetest"
)

// userTool runs eventio user with a standard input, and returns what it prints.
func userTool(t *testing.T, stdin string, args ...string) (string, error) {
	t.Helper()
	var out, log bytes.Buffer
	err := run(t.Context(), process.Env{Args: append([]string{"user"}, args...), Stdin: strings.NewReader(stdin), Stdout: &out, Stderr: &log})
	if strings.Contains(out.String()+log.String()+fmt.Sprint(err), "battery") {
		t.Errorf("%v tells a password: %s %s %v", args, out.String(), log.String(), err)
	}
	return out.String(), err
}

// mustUser is userTool that succeeds.
func mustUser(t *testing.T, stdin string, args ...string) string {
	t.Helper()
	out, err := userTool(t, stdin, args...)
	if err != nil {
		t.Fatalf("%v: %v", args, err)
	}
	return out
}

// TestOperatorsOfAServedFolder: while a process serves the folder, what an operator does counts for
// its people within 5 s.
func TestOperatorsOfAServedFolder(t *testing.T) {
	data := t.TempDir()
	p := startProgram(t, data)
	signUp := func(name string) (id, token string) {
		t.Helper()
		r := p.ask(t, "POST", "/api/users", `{"name":"Ada","email":"`+name+`@example.org","password":"correct horse battery"}`)
		if r.status != 201 {
			t.Fatal(r)
		}
		return r.body["id"].(string), r.body["token"].(string)
	}
	login := func(name, password string) reply {
		return p.ask(t, "POST", "/api/login", `{"email":"`+name+`@example.org","password":"`+password+`"}`)
	}
	wantEnded := func(id, token string) {
		t.Helper()
		testenv.Eventually(t, 5*time.Second, "the end of a token", func() error {
			if r := p.ask(t, "GET", "/api/users/"+id, "", "Authorization", "Bearer "+token); r.status != 401 {
				return fmt.Errorf("it answers %v", r)
			}
			return nil
		})
	}
	id, token := signUp("ada")
	if out := mustUser(t, "", "list", "--data", data); !strings.Contains(out, id) || !strings.Contains(out, "ada@example.org") || strings.Contains(out, "argon2") {
		t.Errorf("the list is %s", out)
	}
	if out := mustUser(t, "", "show", "ADA@example.org", "--data", data); !strings.Contains(out, `"client":"Go-http-client/1.1"`) {
		t.Errorf("it shows %s", out)
	}
	if out := mustUser(t, "", "export", id, "--data", data); strings.Count(out, "\n") != 2 || !strings.Contains(out, `"type":"session"`) || strings.Contains(out, "argon2") {
		t.Errorf("it exports %s", out)
	}
	if out := mustUser(t, "", "edit", id, "--name", "Countess", "--data", data); !strings.Contains(out, `"name":"Countess"`) || !strings.Contains(out, "ada@example.org") {
		t.Errorf("it edits to %s", out)
	}
	mustUser(t, "", "lock", id, "--data", data)
	wantEnded(id, token)
	if r := login("ada", "correct horse battery"); r.status != 403 || r.body["code"] != "account_locked" {
		t.Errorf("a locked person logs in: %v", r)
	}
	if r := login("ada", "wrong horse battery"); r.status != 401 {
		t.Errorf("somebody without the password learns of the lock: %v", r)
	}
	if out := mustUser(t, "", "list", "--data", data); !strings.Contains(out, "locked_at") {
		t.Errorf("the list does not tell of the lock: %s", out)
	}
	mustUser(t, "", "unlock", id, "--data", data)
	second := login("ada", "correct horse battery")
	mustUser(t, "", "revoke", id, "--data", data)
	wantEnded(id, second.body["token"].(string))
	third := login("ada", "correct horse battery")
	mustUser(t, "another horse battery\n", "set-password", id, "--data", data)
	wantEnded(id, third.body["token"].(string))
	if r := login("ada", "another horse battery"); r.status != 200 {
		t.Errorf("the new password is refused: %v", r)
	}
	for _, wrong := range []string{"", "short\n", "password\n"} {
		if out, err := userTool(t, wrong, "set-password", id, "--data", data); err == nil {
			t.Errorf("the password %q is taken: %s", wrong, out)
		}
	}

	// Ada has a seat of Bob's event and an event of her own.
	bob, _ := signUp("bob")
	event := func(organizer string) string {
		t.Helper()
		r := p.ask(t, "POST", "/api/events", `{"organizer_id":"`+organizer+`","title":"Opening","capacity":5,"starts_at":"2127-05-01T18:00:00Z","ends_at":"2127-05-01T20:00:00Z"}`)
		if r.status != 201 {
			t.Fatal(r)
		}
		return "/api/events/" + r.body["id"].(string)
	}
	his, hers := event(bob), event(id)
	for _, user := range []string{id, bob} {
		if r := p.ask(t, "POST", his+"/registrations", `{"user_id":"`+user+`"}`); r.status != 201 {
			t.Fatal(r)
		}
	}
	fourth := login("ada", "another horse battery").body["token"].(string)
	if out, err := userTool(t, "", "delete", id, "--data", data); err == nil || !strings.Contains(err.Error(), "--yes") {
		t.Errorf("without --yes: %s, %v", out, err)
	}
	mustUser(t, "", "delete", id, "--yes", "--wait=100ms", "--data", data)
	mustUser(t, "", "delete", id, "--yes", "--wait=0s", "--data", data) // an interrupted one is repeated
	wantEnded(id, fourth)
	if r := p.ask(t, "GET", his, ""); r.body["tickets_sold"] != 1.0 {
		t.Errorf("her seat is not free: %v", r)
	}
	if r := p.ask(t, "GET", hers, ""); r.body["cancelled_at"] == nil {
		t.Errorf("her event goes on: %v", r)
	}
	if _, err := userTool(t, "", "show", id, "--data", data); err == nil || !strings.Contains(err.Error(), "erased") {
		t.Errorf("it shows somebody who is erased: %v", err)
	}
	if out, err := tool(t, "verify", "--data", data); err != nil {
		t.Errorf("the database is not clean after it: %v\n%s", err, out)
	} else if strings.Contains(out, "unknown organizer") {
		t.Errorf("an erased organizer counts as unknown: %s", out)
	}
	if r := p.ask(t, "POST", "/api/users", `{"name":"Ada","email":"ada@example.org","password":"correct horse battery"}`); r.status != 201 || r.body["id"] == id {
		t.Errorf("the address is not free: %v", r)
	}
}

// TestOperatorsOfMongoDB does the same through the store of the production processes.
func TestOperatorsOfMongoDB(t *testing.T) {
	uri := testenv.MongoDB(t)
	st, err := mongostore.Open(t.Context(), uri, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	closeAtEnd(t, st)
	ada := store.User{ID: store.NewID(), Name: "Ada", Email: "ada@example.org", PasswordHash: "$argon2id$x", CreatedAt: time.Now()}
	if err := st.CreateUser(t.Context(), ada); err != nil {
		t.Fatal(err)
	}
	event := storetest.NewEvent(t, st, 3)
	far := time.Now().Add(1000 * time.Hour)
	if _, err := st.Apply(t.Context(), []store.SeatRequest{
		{Kind: store.EditEvent, EventID: event.ID, RequestID: "later", At: time.Now(), Edit: &store.Edit{Version: store.AnyVersion, EndsAt: &far}},
		{Kind: store.Register, EventID: event.ID, UserID: ada.ID, RequestID: "hers", At: time.Now()},
	}); err != nil {
		t.Fatal(err)
	}
	flag := []string{"--mongodb-uri", uri}
	version := func(want int64, locked bool) {
		t.Helper()
		u, err := st.User(t.Context(), ada.ID)
		if err != nil || u.PasswordVersion != want || u.LockedAt.IsZero() == locked {
			t.Fatalf("she is %+v, %v, want version %d", u, err, want)
		}
	}
	mustUser(t, "", append(flag, "lock", ada.Email)...)
	version(1, true)
	mustUser(t, "", append(flag, "unlock", ada.Email)...)
	version(1, false)
	mustUser(t, "", append(flag, "revoke", ada.ID.Hex())...)
	version(2, false)
	mustUser(t, "correct horse battery", append(flag, "set-password", ada.ID.Hex())...)
	version(3, false)
	for _, action := range []string{"list", "show"} {
		args := append(flag, action)
		if action == "show" {
			args = append(args, ada.ID.Hex())
		}
		var p struct{ ID, Email string }
		if err := json.Unmarshal([]byte(mustUser(t, "", args...)), &p); err != nil || p.ID != ada.ID.Hex() || p.Email != ada.Email {
			t.Errorf("%s prints %+v, %v", action, p, err)
		}
	}
	mustUser(t, "", append(flag, "edit", "--name", "Countess", "--email", "countess@example.org", ada.ID.Hex())...)
	if u, err := st.User(t.Context(), ada.ID); err != nil || u.Name != "Countess" || u.Email != "countess@example.org" || u.PasswordVersion != 3 {
		t.Errorf("she is %+v, %v", u, err)
	}
	types := make(map[string]int)
	for line := range strings.Lines(mustUser(t, "", append(flag, "export", ada.ID.Hex())...)) {
		var record struct {
			Type         string
			Registration struct {
				RequestIDs []string `json:"request_ids"`
			}
		}
		if err := json.Unmarshal([]byte(line), &record); err != nil {
			t.Fatal(err)
		}
		types[record.Type]++
		if record.Type == "registration" && !slices.Equal(record.Registration.RequestIDs, []string{"hers"}) {
			t.Errorf("the record is %s", line)
		}
	}
	if want := map[string]int{"user": 1, "registration": 1}; !maps.Equal(types, want) {
		t.Errorf("the export has %v", types)
	}
	mustUser(t, "", append(flag, "delete", "--yes", "--wait=0s", ada.ID.Hex())...)
	if at, err := st.ErasedAt(t.Context(), ada.ID); err != nil || at.IsZero() {
		t.Errorf("erased at %v, %v", at, err)
	}
	if e, err := st.Event(t.Context(), event.ID); err != nil || e.TicketsSold != 0 {
		t.Errorf("the event is %+v, %v", e, err)
	}
	for _, who := range []string{"nobody@example.org", store.NewID().Hex(), "x", ""} {
		if out, err := userTool(t, "", append(flag, "lock", who)...); err == nil {
			t.Errorf("%q: %s", who, out)
		}
	}
}
