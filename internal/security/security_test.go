package security_test

import (
	"bytes"
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"github.com/eventio/eventio/internal/security"
	"github.com/eventio/eventio/pkg/store"
)

// TestTableIsTold: docs/security.md has the events of this package, each with its level, its meaning
// and its fields, and no others.
func TestTableIsTold(t *testing.T) {
	page, err := os.ReadFile("../../docs/security.md")
	if err != nil {
		t.Fatal(err)
	}
	told := make(map[string]string)
	for _, row := range regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\| (info|warn) \\| .*$").FindAllStringSubmatch(string(page), -1) {
		told[row[1]] = row[0]
	}
	for _, k := range security.Kinds() {
		level := "info"
		if k.Warns {
			level = "warn"
		}
		want := "| `" + string(k.Event) + "` | " + level + " | " + k.Meaning + " | `" + strings.Join(k.Fields, "`, `") + "` |"
		if len(k.Fields) == 0 {
			want = strings.TrimSuffix(want, "`` |") + "- |"
		}
		if got := told[string(k.Event)]; got != want {
			t.Errorf("docs/security.md has\n%s\nwant\n%s", got, want)
		}
		delete(told, string(k.Event))
	}
	for name := range told {
		t.Errorf("docs/security.md tells of %s, which is nowhere written", name)
	}
}

// TestLog: a message is written whatever the level of the log, with what is known and nothing else.
func TestLog(t *testing.T) {
	var out bytes.Buffer
	log := zerolog.New(&out).Level(zerolog.ErrorLevel)
	actor, user, event := store.NewID(), store.NewID(), store.NewID()
	security.Log(log, security.RegistrationRemoved,
		security.Actor{ID: actor, Kind: "organizer", TokenID: user, Address: "192.0.2.1", RequestID: "r"}, security.About{User: user, Event: event})
	security.Log(log, security.AccountLocked, security.Operator(), security.About{User: user})
	want := []string{
		`{"level":"info","security_event":"registration_removed","actor_id":"` + actor.Hex() + `","actor_kind":"organizer","token_id":"` + user.Hex() +
			`","client_address":"192.0.2.1","request_id":"r","event_id":"` + event.Hex() + `","user_id":"` + user.Hex() + `","message":"security: an organizer removed the registration of somebody else"}`,
		`{"level":"warn","security_event":"account_locked","actor_kind":"operator","user_id":"` + user.Hex() + `","message":"security: an operator locked an account"}`,
	}
	if got := strings.TrimSpace(out.String()); got != strings.Join(want, "\n") {
		t.Errorf("the log is\n%s\nwant\n%s", got, strings.Join(want, "\n"))
	}
	for line := range strings.Lines(out.String()) {
		if !json.Valid([]byte(line)) {
			t.Errorf("%s is no JSON", line)
		}
	}
}

// TestAnUnknownEvent: a name that is not in the table cannot be written.
func TestAnUnknownEvent(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("it was written")
		}
	}()
	security.Log(zerolog.Nop(), "something_new", security.Actor{}, security.About{})
}
