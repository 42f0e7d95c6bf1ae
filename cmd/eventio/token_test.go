package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/eventio/eventio/internal/identity"
	"github.com/eventio/eventio/internal/process"
	"github.com/eventio/eventio/internal/setup"
	"github.com/eventio/eventio/internal/testenv/system"
	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/sqlitestore"
)

// command runs the program and returns what it prints.
func command(t *testing.T, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	var log system.Log
	err := run(t.Context(), process.Env{Args: args, Stdout: &out, Stderr: &log})
	return strings.TrimSpace(out.String()), err
}

func speaksFor(t *testing.T, keys identity.Keys, token string) identity.Person {
	t.Helper()
	who, err := identity.NewVerifier(keys, time.Now).Verify(token)
	if err != nil {
		t.Fatalf("%s: %v", token, err)
	}
	if who.SessionID.IsZero() || time.Since(who.LoginAt).Abs() > time.Minute {
		t.Errorf("%s: session %s of %v", token, who.SessionID.Hex(), who.LoginAt)
	}
	who.SessionID, who.LoginAt, who.ExpiresAt = store.ID{}, time.Time{}, time.Time{}
	return who
}

var secretList = "k1:" + base64.RawURLEncoding.EncodeToString(bytes.Repeat([]byte("s"), 32))

func TestTokenFromTheStore(t *testing.T) {
	dir := t.TempDir()
	st, err := sqlitestore.Open(t.Context(), filepath.Join(dir, setup.DatabaseFile))
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	ada := store.User{ID: store.NewID(), Name: "Ada", Email: "ada@example.org", PasswordHash: "x", PasswordVersion: 2, CreatedAt: time.Now()}
	if err := st.CreateUser(t.Context(), ada); err != nil {
		t.Fatal(err)
	}
	token, err := command(t, "token", "--data", dir, "--user", ada.ID.Hex(), "--lifetime", "5m")
	if err != nil {
		t.Fatal(err)
	}
	keys, err := identity.SharedKeys(t.Context(), st)
	if err != nil {
		t.Fatal(err)
	}
	if who := speaksFor(t, keys, token); who != (identity.Person{ID: ada.ID, Scopes: identity.OwnScopes, PasswordVersion: 2}) {
		t.Errorf("it speaks for %+v", who)
	}
	if _, err := command(t, "token", "--data", dir, "--user", store.NewID().Hex()); err == nil {
		t.Error("a token for nobody")
	}
	given, err := identity.ParseKeys(secretList)
	if err != nil {
		t.Fatal(err)
	}
	token, err = command(t, "token", "--data", dir, "--user", ada.ID.Hex(), "--auth-keys", secretList)
	if err != nil || speaksFor(t, given, token).PasswordVersion != 2 {
		t.Errorf("with keys and a store: %v", err)
	}
}

func TestTokenFromKeysAlone(t *testing.T) {
	dir, id := t.TempDir(), store.NewID()
	token, err := command(t, "token", "--data", dir, "--user", id.Hex(), "--auth-keys", secretList)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := identity.ParseKeys(secretList)
	if err != nil {
		t.Fatal(err)
	}
	if who := speaksFor(t, keys, token); who.ID != id {
		t.Errorf("it speaks for %+v", who)
	}
	for name, args := range map[string][]string{
		"no key":           {"token", "--data", dir, "--user", id.Hex()},
		"no id":            {"token", "--data", dir, "--user", "zz", "--auth-keys", secretList},
		"too long":         {"token", "--data", dir, "--user", id.Hex(), "--auth-keys", secretList, "--lifetime", "25h"},
		"nothing made it":  {"token", "--data", filepath.Join(dir, "none"), "--user", id.Hex()},
		"a short secret":   {"token", "--data", dir, "--user", id.Hex(), "--auth-keys", "k1:c2hvcnQ"},
		"no user is given": {"token", "--data", dir, "--auth-keys", secretList},
		"one and many":     {"token", "--data", dir, "--user", id.Hex(), "--count", "2", "--auth-keys", secretList},
		"less than none":   {"token", "--data", dir, "--count", "-1", "--auth-keys", secretList},
		"none":             {"token", "--data", dir, "--count", "0", "--auth-keys", secretList},
		"no key for many":  {"token", "--data", dir, "--count", "2"},
		"many too long":    {"token", "--data", dir, "--count", "2", "--auth-keys", secretList, "--lifetime", "25h"},
	} {
		if out, err := command(t, args...); err == nil {
			t.Errorf("%s: printed %q", name, out)
		}
	}
}

// TestManyTokens: each is somebody else's, with the keys that are given and with the store's.
func TestManyTokens(t *testing.T) {
	dir := t.TempDir()
	st, err := sqlitestore.Open(t.Context(), filepath.Join(dir, setup.DatabaseFile))
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	stored, err := identity.SharedKeys(t.Context(), st)
	if err != nil {
		t.Fatal(err)
	}
	given, err := identity.ParseKeys(secretList)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		keys identity.Keys
		args []string
	}{
		"the store's key":        {stored, nil},
		"given keys":             {given, []string{"--auth-keys", secretList}},
		"given keys, no storage": {given, []string{"--auth-keys", secretList, "--data", t.TempDir()}},
	} {
		out, err := command(t, append([]string{"token", "--data", dir, "--count", "100"}, c.args...)...)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		users := make(map[store.ID]bool)
		for line := range strings.Lines(out) {
			var row struct {
				UserID store.ID `json:"user_id"`
				Token  string   `json:"token"`
			}
			if err := json.Unmarshal([]byte(line), &row); err != nil {
				t.Fatalf("%s: %v in %s", name, err, line)
			}
			if who := speaksFor(t, c.keys, row.Token); who != (identity.Person{ID: row.UserID, Scopes: identity.OwnScopes}) {
				t.Errorf("%s: the token of %s speaks for %+v", name, row.UserID.Hex(), who)
			}
			users[row.UserID] = true
		}
		if len(users) != 100 {
			t.Errorf("%s: tokens for %d users, want 100", name, len(users))
		}
	}
}

// TestTokensOnAFullDisk: a file that was cut short is no success.
func TestTokensOnAFullDisk(t *testing.T) {
	err := run(t.Context(), process.Env{Args: []string{"token", "--data", t.TempDir(), "--count", "1000", "--auth-keys", secretList},
		Stdout: full{}, Stderr: io.Discard})
	if !errors.Is(err, errFull) {
		t.Errorf("error is %v", err)
	}
}

var errFull = errors.New("no space left")

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errFull }

// TestSimulateAgainstTokenMode: with keys it works, without it says what is missing.
func TestSimulateAgainstTokenMode(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	printed := &announced{url: make(chan string, 1)}
	ended := make(chan error, 1)
	go func() {
		ended <- run(ctx, process.Env{Args: []string{"serve", "--addr", "127.0.0.1:0", "--data", t.TempDir(), "--auth", "token", "--auth-keys", secretList},
			Stdout: printed, Stderr: io.Discard})
	}()
	url := soon(t, "listen", printed.url)
	out, err := command(t, "simulate", "--url", url, "--attempts", "20", "--auth-keys", secretList)
	if err != nil || !strings.Contains(out, "Total Attempts: 20\nSuccessful Registrations: 1") {
		t.Errorf("%v\n%s", err, out)
	}
	if _, err := command(t, "simulate", "--url", url); err == nil || !strings.Contains(err.Error(), "--auth-keys") {
		t.Errorf("without keys: %v", err)
	}
	http.DefaultClient.CloseIdleConnections()
	stop()
	if err := soon(t, "end", ended); err != nil {
		t.Error(err)
	}
}

// announced finds the address in what the program prints.
type announced struct{ url chan string }

func (a *announced) Write(p []byte) (int, error) {
	for word := range strings.FieldsSeq(string(p)) {
		if strings.HasPrefix(word, "http://") {
			select {
			case a.url <- word:
			default:
			}
		}
	}
	return len(p), nil
}
