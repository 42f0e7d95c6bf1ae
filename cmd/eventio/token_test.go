package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/eventio/eventio/api/identity"
	"github.com/eventio/eventio/internal/process"
	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/sqlitestore"
)

// command runs the program and returns what it prints.
func command(t *testing.T, args ...string) (string, error) {
	t.Helper()
	var out, log bytes.Buffer
	err := run(t.Context(), process.Env{Args: args, Stdout: &out, Stderr: &log})
	return strings.TrimSpace(out.String()), err
}

func verify(t *testing.T, keys identity.Keys, token string) identity.Person {
	t.Helper()
	who, err := identity.NewVerifier(keys, time.Now).Verify(token)
	if err != nil {
		t.Fatalf("%s: %v", token, err)
	}
	return who
}

var secretList = "k1:" + base64.RawURLEncoding.EncodeToString(bytes.Repeat([]byte("s"), 32))

func TestTokenFromTheStore(t *testing.T) {
	dir := t.TempDir()
	st, err := sqlitestore.Open(t.Context(), filepath.Join(dir, databaseFile))
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
	if who := verify(t, keys, token); who != (identity.Person{ID: ada.ID, PasswordVersion: 2}) {
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
	if err != nil || verify(t, given, token).PasswordVersion != 2 {
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
	if who := verify(t, keys, token); who.ID != id {
		t.Errorf("it speaks for %+v", who)
	}
	for name, args := range map[string][]string{
		"no key":           {"token", "--data", dir, "--user", id.Hex()},
		"no id":            {"token", "--data", dir, "--user", "zz", "--auth-keys", secretList},
		"too long":         {"token", "--data", dir, "--user", id.Hex(), "--auth-keys", secretList, "--lifetime", "25h"},
		"nothing made it":  {"token", "--data", filepath.Join(dir, "none"), "--user", id.Hex()},
		"a short secret":   {"token", "--data", dir, "--user", id.Hex(), "--auth-keys", "k1:c2hvcnQ"},
		"no user is given": {"token"},
	} {
		if out, err := command(t, args...); err == nil {
			t.Errorf("%s: printed %q", name, out)
		}
	}
}

// TestSimulateAgainstTokenMode: with keys it works, without it says what is missing.
func TestSimulateAgainstTokenMode(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	printed := &announced{url: make(chan string, 1)}
	ended := make(chan error, 1)
	go func() {
		ended <- run(ctx, process.Env{Args: []string{"serve", "--addr", "127.0.0.1:0", "--data", t.TempDir(), "--auth", "token", "--auth-keys", secretList},
			Stdout: printed, Stderr: io.Discard})
	}()
	url := <-printed.url
	out, err := command(t, "simulate", "--url", url, "--attempts", "20", "--auth-keys", secretList)
	if err != nil || !strings.Contains(out, "Total Attempts: 20\nSuccessful Registrations: 1") {
		t.Errorf("%v\n%s", err, out)
	}
	if _, err := command(t, "simulate", "--url", url); err == nil || !strings.Contains(err.Error(), "EVENTIO_AUTH_KEYS") {
		t.Errorf("without keys: %v", err)
	}
	http.DefaultClient.CloseIdleConnections()
	stop()
	if err := <-ended; err != nil {
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
