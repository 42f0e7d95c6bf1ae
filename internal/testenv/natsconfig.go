package testenv

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
)

// StartNATSSecured starts a NATS server with deploy/nats/nats.conf for this test: with TLS, whose authority is a,
// and with the users of that file, whose passwords are PASSWORD-OF-USER. It is gone when the test ends.
func StartNATSSecured(tb testing.TB, a *Authority) *NATS {
	tb.Helper()
	options, err := securedOptions(a, tb.TempDir())
	if err != nil {
		tb.Fatalf("testenv: %v", err)
	}
	return StartNATSWith(tb, func(o *server.Options) {
		port := o.Port
		*o = *options
		o.Host, o.Port, o.HTTPHost, o.HTTPPort, o.NoLog, o.NoSigs = "127.0.0.1", port, "", 0, true, true
	})
}

// NATSPassword returns the password of a user of StartNATSSecured.
func NATSPassword(user string) string { return "password-of-" + user }

// securedOptions reads deploy/nats/nats.conf, with files in dir in place of those in /run/secrets.
func securedOptions(a *Authority, dir string) (*server.Options, error) {
	root, err := moduleRoot()
	if err != nil {
		return nil, err
	}
	config, err := os.ReadFile(filepath.Join(root, "deploy", "nats", "nats.conf"))
	if err != nil {
		return nil, err
	}
	var passwords strings.Builder
	for _, user := range []string{"api", "worker", "notifier", "operator"} {
		fmt.Fprintf(&passwords, "NATS_%s_PASSWORD: %q\n", strings.ToUpper(user), NATSPassword(user))
	}
	cert, key := a.Issue("Event.io", "nats")
	text := strings.NewReplacer("/run/secrets/server.crt", cert, "/run/secrets/server.key", key, "../../run/secrets/", "").Replace(string(config))
	file := filepath.Join(dir, "nats.conf")
	for path, text := range map[string]string{file: text, filepath.Join(dir, "passwords.conf"): passwords.String()} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			return nil, err
		}
	}
	return server.ProcessConfigFile(file)
}
