package main

import (
	"bytes"
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/eventio/eventio/internal/process"
	"github.com/eventio/eventio/internal/testenv"
	"github.com/eventio/eventio/internal/testenv/system"
)

// TestNoErrorTellsASecret tries every flag of every command.
func TestNoErrorTellsASecret(t *testing.T) {
	stored := sqliteFixture(t)
	if err := stored.open(t).Close(); err != nil {
		t.Fatal(err)
	}
	free := t.TempDir()
	testenv.WantNoSecrets(t, testenv.Secrets{
		CommandLine: &config{},
		Run: func(ctx context.Context, args []string) string {
			if slices.ContainsFunc(args, func(a string) bool { return strings.HasPrefix(a, "--mongodb-uri=") }) {
				args = slices.DeleteFunc(args, func(a string) bool { return strings.HasPrefix(a, "--data=") })
			} else if args[0] == "serve" { // each has a folder of its own, as it locks it
				args = append(args, "--data="+t.TempDir())
			}
			var out bytes.Buffer
			var log system.Log
			err := run(ctx, process.Env{Args: args, Stdin: strings.NewReader("x"), Stdout: &out, Stderr: &log})
			return fmt.Sprint(err) + out.String() + log.String()
		},
		Base:       map[string]string{"addr": "127.0.0.1:0", "data": stored.flags[1], "start-timeout": "100ms", "url": "http://127.0.0.1:1"},
		Positional: map[string]string{"who": "6b056f1db8a8b20890367b25", "file": filepath.Join(free, "copy")},
		Names:      []string{"addr", "admin-addr", "cors-origins", "cors-headers", "trusted-proxies", "rate-limit-networks", "hosts", "nats-creds", "nats-ca", "nats-user", "nats-password-file", "nats-token-file", "nats-nkey", "nats-cert", "nats-key", "nats-url-file", "mongodb-uri-file", "auth-keys-file", "admission-keys-file", "smtp-url-file", "otlp-headers-file", "nats-listen-auth-file", "from-file", "oidc-issuer", "oidc-audience", "identity-header", "identity-email-header", "identity-name-header", "issuer", "subject", "header"},
		Paths:      []string{"data"},
	})
}
