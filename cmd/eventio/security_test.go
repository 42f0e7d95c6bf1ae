package main

import (
	"bytes"
	"encoding/json"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/eventio/eventio/internal/process"
	"github.com/eventio/eventio/internal/testenv/system"
	"github.com/eventio/eventio/pkg/store"
)

// TestOperatorsAreTold: what operators do to people by a command is a message on its stderr, whatever
// --log-level says, and has no name, address, password or token.
func TestOperatorsAreTold(t *testing.T) {
	forBoth(t, func(t *testing.T, f *fixture) {
		st := f.open(t)
		closeAtEnd(t, st)
		ada := store.User{ID: store.NewID(), Name: "Canary", Email: "canary@example.org", PasswordHash: "x", CreatedAt: time.Now().UTC().Truncate(time.Millisecond)}
		if err := st.CreateUser(t.Context(), ada); err != nil {
			t.Fatal(err)
		}
		id := ada.ID.Hex()
		hers := store.Event{ID: store.NewID(), OrganizerID: ada.ID, Title: "Canary", Capacity: 3, Version: 1,
			StartsAt: time.Now().Add(time.Hour), EndsAt: time.Now().Add(2 * time.Hour), CreatedAt: ada.CreatedAt}
		if err := st.CreateEvent(t.Context(), hers); err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct {
			want  string
			user  string
			count int
			args  []string
		}{
			{"token_issued", id, 1, []string{"token", "--user", id}},
			{"token_issued", "", 3, []string{"token", "--count", "3"}},
			{"account_locked", id, 0, []string{"user", "lock", id}},
			{"account_unlocked", id, 0, []string{"user", "unlock", id}},
			{"sessions_ended", id, 0, []string{"user", "revoke", id}},
			{"password_changed", id, 0, []string{"user", "set-password", id}},
			{"email_changed", id, 0, []string{"user", "edit", id, "--email", "canary.other@example.org"}},
			{"email_freed", id, 0, []string{"user", "free", id}},
			{"email_proven", id, 0, []string{"user", "prove", id}},
			{"", "", 0, []string{"user", "free", id}}, // it is proven
			{"", "", 0, []string{"user", "edit", id, "--name", "Canary Other"}},
			{"", "", 0, []string{"user", "show", id}},
			{"account_exported", id, 0, []string{"user", "export", id}},
			{"account_erased", id, 0, []string{"user", "delete", id, "--yes", "--wait", "0s"}},
			{"", "", 0, []string{"user", "lock", store.NewID().Hex()}}, // nobody is there
		} {
			if c.want == "account_erased" && f.flags[0] == "--mongodb-uri" {
				continue // that needs workers: TestOperatorsOfMongoDB
			}
			var log system.Log
			_ = run(t.Context(), process.Env{Args: slices.Concat(c.args, f.flags, []string{"--log-level", "error"}),
				Stdin: strings.NewReader("Canary-of-a-password"), Stdout: io.Discard, Stderr: &log})
			var got []string
			for line := range bytes.Lines([]byte(log.String())) {
				var e struct {
					Event string `json:"security_event"`
					Kind  string `json:"actor_kind"`
					User  string `json:"user_id"`
					About string `json:"event_id"`
					Count int
				}
				if err := json.Unmarshal(line, &e); err != nil {
					t.Fatalf("%v in %s", err, line)
				}
				if e.Event == "" {
					continue
				}
				got = append(got, e.Event)
				if e.Event == "event_cancelled" && e.Kind == "operator" && e.About == hers.ID.Hex() && e.User == "" {
					continue
				}
				if e.Kind != "operator" || e.User != c.user || e.Count != c.count {
					t.Errorf("%v: %s", c.args, line)
				}
			}
			var want []string
			if c.want != "" {
				want = []string{c.want}
			}
			if c.want == "account_erased" {
				want = []string{"event_cancelled", c.want}
			}
			if !slices.Equal(got, want) {
				t.Errorf("%v tells %v, want %v:\n%s", c.args, got, want, log.String())
			}
			if text := log.String(); strings.Contains(strings.ToLower(text), "canary") || strings.Contains(text, "eyJ") {
				t.Errorf("%v tells what is private: %s", c.args, text)
			}
		}
	})
}
