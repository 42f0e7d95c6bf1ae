package main

import (
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/eventio/eventio/internal/testenv"
)

// TestWrongInputs: each command that is given something wrong ends with one sentence that
// says what to do, and gives no password away.
func TestWrongInputs(t *testing.T) {
	dir := t.TempDir()
	write := func(path, text string) string {
		t.Helper()
		path = filepath.Join(dir, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	file := write("file", "x")
	foreign := filepath.Dir(write("foreign/eventio.db", strings.Repeat("no database, but long enough for one. ", 10)))
	missing, fresh := filepath.Join(dir, "missing"), filepath.Join(dir, "fresh")
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closeAtEnd(t, taken)
	stored := sqliteFixture(t)
	closeAtEnd(t, stored.open(t))
	const (
		nowhere = "mongodb://127.0.0.1:1/x"
		secret  = "mongodb://ada:hunter2@pass/w@127.0.0.1:1/x"
		aUser   = "6b056f1db8a8b20890367b25"
	)
	type row struct {
		args []string
		says []string
	}
	rows := map[string]row{
		"serve/no port":             {[]string{"--addr", "localhost", "--data", fresh}, []string{"--addr", "127.0.0.1:3000"}},
		"serve/port too high":       {[]string{"--addr", "127.0.0.1:99999", "--data", fresh}, []string{"--addr", "65535"}},
		"serve/port in use":         {[]string{"--addr", taken.Addr().String(), "--data", fresh}, []string{"in use", "--addr"}},
		"serve/address elsewhere":   {[]string{"--addr", "192.0.2.1:3000", "--data", fresh}, []string{"no such address", "--addr"}},
		"serve/a file":              {[]string{"--addr", "127.0.0.1:0", "--data", file}, []string{file, "it is a file", "--data"}},
		"serve/a foreign file":      {[]string{"--addr", "127.0.0.1:0", "--data", foreign}, []string{foreign, "not a database of Event.io", "--data"}},
		"serve/NATS port too high":  {[]string{"--addr", "127.0.0.1:0", "--data", fresh + "2", "--nats-listen", "127.0.0.1:99999"}, []string{"--nats-listen"}},
		"serve/NATS port in use":    {[]string{"--addr", "127.0.0.1:0", "--data", fresh, "--nats-listen", taken.Addr().String()}, []string{"--nats-listen", "free"}},
		"serve/keys":                {[]string{"--addr", "127.0.0.1:0", "--data", fresh, "--auth-keys", "hunter2"}, []string{"EVENTIO_AUTH_KEYS"}},
		"token/nothing there":       {[]string{"token", "--user", aUser, "--data", missing}, []string{missing, "EVENTIO_AUTH_KEYS"}},
		"token/nobody":              {slices.Concat([]string{"token", "--user", aUser}, stored.flags), []string{"user"}},
		"simulate/no URL":           {[]string{"simulate", "--url", "localhost"}, []string{"--url", "http://127.0.0.1:3000"}},
		"simulate/nobody there":     {[]string{"simulate", "--url", "http://127.0.0.1:1"}, []string{"http://127.0.0.1:1", "connection refused", "--url"}},
		"simulate/no such host":     {[]string{"simulate", "--url", "http://nowhere.invalid"}, []string{"nowhere.invalid", "--url"}},
		"import/no URI":             {[]string{"import", "--from", "localhost", "--data", fresh}, []string{"--from", "mongodb://"}},
		"import/a password":         {[]string{"import", "--from", secret, "--data", fresh}, []string{"--from", "percent-encoded"}},
		"import/no server":          {[]string{"import", "--from", nowhere, "--data", fresh, "--start-timeout", "100ms"}, []string{"127.0.0.1:1", "connection refused", "connection string"}},
		"import/into no URI":        {[]string{"import", "--from", nowhere, "--mongodb-uri", "localhost"}, []string{"MONGODB_URI", "mongodb://"}},
		"repair/no workers' NATS":   {[]string{"verify", "--repair", "--mongodb-uri", nowhere, "--start-timeout", "100ms"}, []string{"127.0.0.1:1"}},
		"repair/NATS not reachable": {slices.Concat([]string{"verify", "--repair", "--nats-url", "nats://ada:hunter2@127.0.0.1:1", "--start-timeout", "300ms"}, stored.flags), []string{"127.0.0.1:1", "NATS_URL"}},
		"repair/NATS password":      {slices.Concat([]string{"verify", "--repair", "--nats-url", "nats://ada:hunter2@pass/w@h"}, stored.flags), []string{"NATS_URL", "percent-encoded"}},
		"repair/NATS port":          {slices.Concat([]string{"verify", "--repair", "--nats-url", "nats://127.0.0.1:99999"}, stored.flags), []string{"NATS_URL", "65535"}},
	}
	for name, command := range map[string][]string{
		"verify": {"verify"}, "migrate": {"migrate"}, "status": {"migrate", "--status"}, "token": {"token", "--user", aUser},
	} {
		add := func(fault string, says []string, more ...string) {
			rows[name+"/"+fault] = row{slices.Concat(command, more), says}
		}
		if name != "token" { // which can do without a database
			add("no folder", []string{missing, "does not exist", "--data"}, "--data", missing)
			add("no database", []string{dir, "has no eventio.db", "--data"}, "--data", dir)
			add("a file", []string{file, "it is a file", "--data"}, "--data", file)
			add("no server", []string{"127.0.0.1:1", "connection refused", "connection string"}, "--mongodb-uri", nowhere, "--start-timeout", "100ms")
			add("no such host", []string{"nowhere.invalid", "connection string"}, "--mongodb-uri", "mongodb://nowhere.invalid/x", "--start-timeout", "100ms")
		}
		add("a foreign file", []string{foreign, "not a database of Event.io", "--data"}, "--data", foreign)
		add("no URI", []string{"MONGODB_URI", "mongodb://"}, "--mongodb-uri", "localhost")
		add("no host", []string{"MONGODB_URI", "mongodb://"}, "--mongodb-uri", "mongodb://")
		add("a port", []string{"MONGODB_URI", "65535"}, "--mongodb-uri", "mongodb://127.0.0.1:99999/x")
		add("a password", []string{"MONGODB_URI", "percent-encoded"}, "--mongodb-uri", secret)
		add("two databases", []string{"--data", "--mongodb-uri"}, "--data", dir, "--mongodb-uri", nowhere)
	}
	for name, c := range rows {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := tool(t, c.args...)
			testenv.WantSentence(t, err, c.says...)
			if err != nil && strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the password is in %q", err)
			}
		})
	}
}
