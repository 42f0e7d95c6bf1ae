package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/eventio/eventio/internal/process"
	"github.com/eventio/eventio/internal/testenv"
	"github.com/eventio/eventio/internal/testenv/system"
)

// TestWrongInputs: each wrong input ends the program with one sentence that says what to do,
// and gives no password away.
func TestWrongInputs(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	const mongodb, nats = "mongodb://127.0.0.1:1/x", "nats://127.0.0.1:1"
	servers := func(mongodbURI, natsURL string, more ...string) []string {
		return slices.Concat([]string{"--addr", "127.0.0.1:0", "--mongodb-uri", mongodbURI, "--nats-url", natsURL, "--start-timeout", "100ms"}, more)
	}
	for name, c := range map[string]struct {
		args  []string
		says  []string
		usage bool
	}{
		"no servers":             {nil, []string{"--mongodb-uri or MONGODB_URI", "--nats-url or NATS_URL", "api --help"}, true},
		"a port":                 {servers(mongodb, nats, "--addr", "127.0.0.1:99999"), []string{"--addr", "65535"}, true},
		"no MongoDB":             {servers(mongodb, nats), []string{"MongoDB cannot be reached at 127.0.0.1:1", "connection refused", "--mongodb-uri"}, false},
		"no MongoDB URI":         {servers("127.0.0.1:1", nats), []string{"--mongodb-uri", "mongodb://"}, true},
		"a MongoDB password":     {servers("mongodb://ada:hunter2@pass/w@127.0.0.1:1/x", nats), []string{"--mongodb-uri", "percent-encoded"}, true},
		"a NATS password":        {servers(mongodb, "nats://ada:hunter2@pass/w@127.0.0.1:1"), []string{"--nats-url", "percent-encoded"}, true},
		"a NATS port":            {servers(mongodb, "nats://127.0.0.1:99999"), []string{"--nats-url", "65535"}, true},
		"no credentials":         {servers(mongodb, nats, "--nats-creds", file+"x"), []string{"--nats-creds", file + "x", "does not exist"}, false},
		"not credentials":        {servers(mongodb, nats, "--nats-creds", file), []string{"--nats-creds", file, "JWT"}, false},
		"no certificates":        {servers(mongodb, nats, "--nats-ca", file+"x"), []string{"--nats-ca", file + "x", "does not exist"}, false},
		"not certificates":       {servers(mongodb, nats, "--nats-ca", file), []string{"--nats-ca", file, "PEM"}, false},
		"no time for a request":  {servers(mongodb, nats, "--request-timeout", "0s"), []string{"--request-timeout", "above 0"}, true},
		"too much time":          {servers(mongodb, nats, "--request-timeout", "1000h"), []string{"--request-timeout", "15s"}, true},
		"an endless start":       {servers(mongodb, nats, "--start-timeout", "1000h"), []string{"--start-timeout", "24h"}, true},
		"an endless drain":       {servers(mongodb, nats, "--drain-delay", "1000h"), []string{"--drain-delay", "10m"}, true},
		"keys too short":         {servers(mongodb, nats, "--keep-keys", "1m"), []string{"--keep-keys", "1h"}, true},
		"no time to start":       {servers(mongodb, nats, "--start-timeout", "0s"), []string{"--start-timeout", "above 0"}, true},
		"no idle time":           {servers(mongodb, nats, "--idle-timeout", "0s"), []string{"--idle-timeout", "1s to 1h"}, true},
		"a limit":                {servers(mongodb, nats, "--rate-limit-logins", "many"), []string{"--rate-limit-logins", "60/m"}, true},
		"a sitemap":              {servers(mongodb, nats, "--sitemap", "/sitemap.xml"), []string{"--sitemap", "https://events.example.org"}, true},
		"an issuer without TLS":  {servers(mongodb, nats, "--oidc-issuer", "http://a.example", "--oidc-audience", "x"), []string{"--oidc-issuer", "https"}, true},
		"an issuer, for nobody":  {servers(mongodb, nats, "--oidc-issuer", "https://a.example"), []string{"--oidc-issuer", "--oidc-audience"}, true},
		"an audience of nobody":  {servers(mongodb, nats, "--oidc-audience", "x"), []string{"--oidc-audience", "--oidc-issuer"}, true},
		"a header of anybody":    {servers(mongodb, nats, "--identity-header", "Eventio-User"), []string{"--identity-header", "--trusted-proxies"}, true},
		"a header of the world":  {servers(mongodb, nats, "--identity-header", "Eventio-User", "--trusted-proxies", "10.0.0.0/8,0.0.0.0/0"), []string{"--identity-header", "gateway's own network"}, true},
		"a header, and trust":    {servers(mongodb, nats, "--identity-header", "Eventio-User", "--trusted-proxies", "10.0.0.0/8", "--auth", "trusted"), []string{"--identity-header", "--auth=token"}, true},
		"no header":              {servers(mongodb, nats, "--identity-header", "X Remote", "--trusted-proxies", "10.0.0.0/8"), []string{"--identity-header", "header"}, true},
		"a header of others":     {servers(mongodb, nats, "--identity-header", "authorization", "--trusted-proxies", "10.0.0.0/8"), []string{"--identity-header", "Eventio-User"}, true},
		"one header for two":     {servers(mongodb, nats, "--identity-header", "X-A", "--identity-name-header", "x-a", "--trusted-proxies", "10.0.0.0/8"), []string{"--identity-name-header", "twice"}, true},
		"a name of nobody":       {servers(mongodb, nats, "--identity-name-header", "X-A", "--trusted-proxies", "10.0.0.0/8"), []string{"--identity-name-header", "--identity-header"}, true},
		"a host":                 {servers(mongodb, nats, "--hosts", "*"), []string{"--hosts", "tickets.example.org"}, true},
		"a prefix":               {servers(mongodb, nats, "--nats-prefix", "a b"), []string{"--nats-prefix", "letters"}, true},
		"a quota":                {servers(mongodb, nats, "--sign-ups-per-day=-2"), []string{"--sign-ups-per-day", "-1"}, true},
		"few connections":        {servers(mongodb, nats, "--max-connections=-1"), []string{"--max-connections", "16"}, true},
		"many connections":       {servers(mongodb, nats, "--max-connections", "999999999"), []string{"--max-connections", "ulimit"}, true},
		"nobody to ask":          {[]string{"healthcheck", "--addr", "127.0.0.1:1"}, []string{"127.0.0.1:1", "connection refused", "--addr"}, false},
		"no address to ask":      {[]string{"healthcheck", "--addr", "localhost"}, []string{"--addr", "127.0.0.1:3000"}, true},
		"nobody of the name":     {[]string{"healthcheck", "--addr", "nowhere.invalid:80"}, []string{"nowhere.invalid", "--addr"}, false},
		"an unreachable address": {servers(mongodb, nats, "--addr", "192.0.2.1:80"), []string{"no such address", "--addr"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			var log system.Log // NATS logs from a goroutine of its own
			err := run(t.Context(), process.Env{Args: c.args, Stdout: &out, Stderr: &log})
			testenv.WantSentence(t, err, c.says...)
			if errors.Is(err, process.ErrUsage) != c.usage {
				t.Errorf("that the command line is wrong is %v, want %v: %v", !c.usage, c.usage, err)
			}
			if err != nil && strings.Contains(err.Error()+log.String(), "hunter2") {
				t.Errorf("the password is in %q or in the log\n%s", err, log.String())
			}
		})
	}
}
