package main

import (
	"bytes"
	"context"
	"fmt"
	"testing"

	"github.com/eventio/eventio/internal/process"
	"github.com/eventio/eventio/internal/testenv"
	"github.com/eventio/eventio/internal/testenv/system"
)

// TestNoErrorTellsASecret tries every flag of every command.
func TestNoErrorTellsASecret(t *testing.T) {
	testenv.WantNoSecrets(t, testenv.Secrets{
		CommandLine: &config{},
		Run: func(ctx context.Context, args []string) string {
			var out bytes.Buffer
			var log system.Log
			err := run(ctx, process.Env{Args: args, Stdout: &out, Stderr: &log})
			return fmt.Sprint(err) + out.String() + log.String()
		},
		Base: map[string]string{
			"addr": "127.0.0.1:0", "nats-url": "nats://127.0.0.1:1", "mongodb-uri": "mongodb://127.0.0.1:1/x", "start-timeout": "50ms",
		},
		Names: []string{"addr", "admin-addr", "cors-origins", "cors-headers", "trusted-proxies", "rate-limit-networks", "hosts", "nats-creds", "nats-ca", "nats-user", "nats-password-file", "nats-token-file", "nats-nkey", "nats-cert", "nats-key", "nats-url-file", "mongodb-uri-file", "otlp-headers-file", "auth-keys-file", "admission-keys-file", "oidc-issuer", "oidc-audience", "identity-header", "identity-email-header", "identity-name-header"},
	})
}
