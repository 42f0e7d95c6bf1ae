package setup

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"
	"github.com/rs/zerolog"

	"github.com/eventio/eventio/internal/process"
	"github.com/eventio/eventio/internal/testenv"
	"github.com/eventio/eventio/internal/testenv/system"
	"github.com/eventio/eventio/pkg/messages"
)

// writeSecret writes a file as people do who use an editor: with the end of a line.
func writeSecret(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// connect connects with a login, as Servers.Open does.
func connect(t *testing.T, url string, l NATSLogin) (*nats.Conn, *system.Log) {
	t.Helper()
	log := new(system.Log)
	options, err := l.NATSOptions(url)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := messages.Connect(url, "api", zerolog.New(log), options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	return conn, log
}

// becomes waits until a log has a text.
func becomes(t *testing.T, log *system.Log, text string) {
	t.Helper()
	testenv.Eventually(t, 20*time.Second, "log "+text, func() error {
		if s := log.String(); !strings.Contains(s, text) {
			return errors.New(s)
		}
		return nil
	})
}

// TestNATSLogin: a real server lets in who proves to be somebody in one of the ways, and what is wrong with a
// proof is in the log by name and without the secret.
func TestNATSLogin(t *testing.T) {
	const secret, wrong = "right-right-right", "hunter2-hunter2"
	pair, err := nkeys.CreateUser()
	if err != nil {
		t.Fatal(err)
	}
	seed, _ := pair.Seed()
	public, err := pair.PublicKey()
	if err != nil {
		t.Fatal(err)
	}
	stranger, err := nkeys.CreateUser()
	if err != nil {
		t.Fatal(err)
	}
	strangerSeed, _ := stranger.Seed()
	users := testenv.StartNATSWith(t, func(o *server.Options) {
		o.Users = []*server.User{{Username: "api", Password: secret}}
		o.Nkeys = []*server.NkeyUser{{Nkey: public}}
	})
	tokens := testenv.StartNATSWith(t, func(o *server.Options) { o.Authorization = secret })
	for name, c := range map[string]struct {
		url   string
		login NATSLogin
		named string // who is refused; "" when nobody is
	}{
		"a password in a file":       {users.URL(), NATSLogin{NATSUser: "api", NATSPassword: secret, NATSPasswordFile: writeSecret(t, "p", secret)}, ""},
		"a password":                 {users.URL(), NATSLogin{NATSUser: "api", NATSPassword: secret}, ""},
		"a token in a file":          {tokens.URL(), NATSLogin{NATSToken: secret, NATSTokenFile: writeSecret(t, "t", secret)}, ""},
		"a token":                    {tokens.URL(), NATSLogin{NATSToken: secret}, ""},
		"an NKey":                    {users.URL(), NATSLogin{NATSNKey: writeSecret(t, "n", string(seed))}, ""},
		"another password in a file": {users.URL(), NATSLogin{NATSUser: "api", NATSPassword: wrong, NATSPasswordFile: writeSecret(t, "p", wrong)}, "user api"},
		"another password":           {users.URL(), NATSLogin{NATSUser: "api", NATSPassword: wrong}, "user api"},
		"another user":               {users.URL(), NATSLogin{NATSUser: "bob", NATSPassword: secret}, "user bob"},
		"another token":              {tokens.URL(), NATSLogin{NATSToken: wrong}, "a token"},
		"no token":                   {tokens.URL(), NATSLogin{}, "none"},
		"another NKey":               {users.URL(), NATSLogin{NATSNKey: writeSecret(t, "n", string(strangerSeed))}, "NKey U"},
		"another in the address":     {strings.Replace(users.URL(), "://", "://bob:"+wrong+"@", 1), NATSLogin{}, "user bob of the address"},
		"a token in the address":     {strings.Replace(tokens.URL(), "://", "://"+wrong+"@", 1), NATSLogin{}, "the token of the address"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conn, log := connect(t, c.url, c.login)
			if c.named == "" {
				becomes(t, log, "connected to NATS")
			} else {
				becomes(t, log, "NATS refuses the login of this process")
				if s := log.String(); !strings.Contains(s, `"login":"`+c.named) || !strings.Contains(s, `"level":"error"`) || conn.IsConnected() {
					t.Errorf("the log is %s", s)
				}
			}
			if s := log.String(); strings.Contains(s, secret) || strings.Contains(s, wrong) || strings.Contains(s, string(seed)) || strings.Contains(s, string(strangerSeed)) {
				t.Errorf("a secret is in the log: %s", s)
			}
		})
	}
}

// TestNATSSecretsAreReread: what is in a file counts at the next connection; a file that is gone for a moment
// changes nothing.
func TestNATSSecretsAreReread(t *testing.T) {
	only := func(password string) func(*server.Options) {
		return func(o *server.Options) { o.Users = []*server.User{{Username: "api", Password: password}} }
	}
	srv := testenv.StartNATSWith(t, only("first-first"))
	file := writeSecret(t, "password", "first-first")
	conn, log := connect(t, srv.URL(), NATSLogin{NATSUser: "api", NATSPassword: "first-first", NATSPasswordFile: file})
	becomes(t, log, "connected to NATS")
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if err := srv.Restart(); err != nil {
		t.Fatal(err)
	}
	testenv.Eventually(t, 20*time.Second, "be connected without the file", func() error { return conn.FlushTimeout(time.Second) })
	if err := srv.Reload(only("second-second")); err != nil {
		t.Fatal(err)
	}
	becomes(t, log, "refuses the login")
	if err := os.WriteFile(file, []byte("second-second"), 0o600); err != nil {
		t.Fatal(err)
	}
	testenv.Eventually(t, 20*time.Second, "be connected with the new password", func() error { return conn.FlushTimeout(time.Second) })
}

// TestNATSCertificates: a server that wants a certificate, and a process that believes one authority.
func TestNATSCertificates(t *testing.T) {
	authority, another := testenv.NewAuthority(t), testenv.NewAuthority(t)
	serverCert, serverKey := authority.Issue("Event.io", "nats")
	secured := func(verify bool) *testenv.NATS {
		config, err := server.GenTLSConfig(&server.TLSConfigOpts{CertFile: serverCert, KeyFile: serverKey, CaFile: authority.CA, Verify: verify})
		if err != nil {
			t.Fatal(err)
		}
		return testenv.StartNATSWith(t, func(o *server.Options) { o.TLS, o.TLSConfig, o.TLSTimeout = true, config, 5 })
	}
	strict, simple, plain := secured(true), secured(false), testenv.StartNATS(t)
	cert, key := authority.Issue("eventio", "api")
	strangerCert, strangerKey := another.Issue("eventio", "api")
	for name, c := range map[string]struct {
		srv   *testenv.NATS
		login NATSLogin
		says  string
	}{
		"an authority of its own":     {simple, NATSLogin{NATSCA: authority.CA}, "connected to NATS"},
		"a certificate":               {strict, NATSLogin{NATSCA: authority.CA, NATSCert: cert, NATSKey: key}, "connected to NATS"},
		"no authority":                {simple, NATSLogin{}, "the certificate of the NATS server is not believed"},
		"another authority":           {simple, NATSLogin{NATSCA: another.CA}, "the certificate of the NATS server is not believed"},
		"no certificate":              {strict, NATSLogin{NATSCA: authority.CA}, "the NATS server refuses the certificate of this process"},
		"a certificate of a stranger": {strict, NATSLogin{NATSCA: authority.CA, NATSCert: strangerCert, NATSKey: strangerKey}, "the NATS server refuses the certificate of this process"},
		"a server without TLS":        {plain, NATSLogin{NATSCA: authority.CA}, "TLS is asked for and the NATS server has none"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, log := connect(t, c.srv.URL(), c.login)
			becomes(t, log, c.says)
		})
	}
}

// TestNATSInbox: replies come below the prefix of the process.
func TestNATSInbox(t *testing.T) {
	srv := testenv.StartNATS(t)
	conn, _ := connect(t, srv.URL(), NATSLogin{NATSInboxPrefix: "_INBOX_api"})
	if inbox := conn.NewInbox(); !strings.HasPrefix(inbox, "_INBOX_api.") {
		t.Errorf("an inbox is %s", inbox)
	}
}

// TestNATSLoginContradictions: what cannot be meant ends a process with one sentence.
func TestNATSLoginContradictions(t *testing.T) {
	const secret = "hunter2-hunter2"
	text := writeSecret(t, "text", secret)
	authority := testenv.NewAuthority(t)
	cert, key := authority.Issue("eventio", "api")
	_, anotherKey := authority.Issue("eventio", "worker")
	account, err := nkeys.CreateAccount()
	if err != nil {
		t.Fatal(err)
	}
	accountSeed, _ := account.Seed()
	for name, c := range map[string]struct {
		login NATSLogin
		url   string
		says  []string
		usage bool
	}{
		"a user and a token":           {NATSLogin{NATSUser: "a", NATSPassword: secret, NATSToken: secret}, "", []string{"--nats-user", "--nats-token", "one login"}, true},
		"an NKey and credentials":      {NATSLogin{NATSNKey: text, NATSCreds: text}, "", []string{"--nats-nkey", "--nats-creds"}, true},
		"a user and an address's":      {NATSLogin{NATSUser: "a", NATSPassword: secret}, "nats://b:" + secret + "@h:4222", []string{"--nats-user", "--nats-url"}, true},
		"a token and an address's":     {NATSLogin{NATSToken: secret}, "nats://h:1, nats://b:" + secret + "@h:4222", []string{"--nats-token", "--nats-url"}, true},
		"a user without a password":    {NATSLogin{NATSUser: "a"}, "", []string{"--nats-user", "--nats-password-file"}, true},
		"a password without a user":    {NATSLogin{NATSPassword: secret}, "", []string{"--nats-password", "--nats-user"}, true},
		"a certificate without a key":  {NATSLogin{NATSCert: cert}, "", []string{"--nats-cert", "--nats-key"}, true},
		"a key without a certificate":  {NATSLogin{NATSKey: key}, "", []string{"--nats-cert", "--nats-key"}, true},
		"the key of another":           {NATSLogin{NATSCert: cert, NATSKey: anotherKey}, "", []string{cert, anotherKey, "PEM"}, false},
		"no such certificate":          {NATSLogin{NATSCert: cert + "x", NATSKey: key}, "", []string{"--nats-cert", cert + "x", "does not exist"}, false},
		"no such key":                  {NATSLogin{NATSCert: cert, NATSKey: key + "x"}, "", []string{"--nats-key", key + "x", "does not exist"}, false},
		"no seed":                      {NATSLogin{NATSNKey: text}, "", []string{"--nats-nkey", text, "SU..."}, false},
		"the seed of an account":       {NATSLogin{NATSNKey: writeSecret(t, "n", string(accountSeed))}, "", []string{"--nats-nkey", "SU..."}, false},
		"no file of a seed":            {NATSLogin{NATSNKey: text + "x"}, "", []string{"--nats-nkey", text + "x", "does not exist"}, false},
		"an inbox that is none":        {NATSLogin{NATSInboxPrefix: "eventio"}, "", []string{"--nats-inbox-prefix", "_INBOX_api"}, true},
		"an inbox of several names":    {NATSLogin{NATSInboxPrefix: "_INBOX_a.b"}, "", []string{"--nats-inbox-prefix"}, true},
		"an inbox with a wildcard":     {NATSLogin{NATSInboxPrefix: "_INBOX_*"}, "", []string{"--nats-inbox-prefix"}, true},
		"an inbox that only begins so": {NATSLogin{NATSInboxPrefix: "_INBOXES"}, "", []string{"--nats-inbox-prefix"}, true},
	} {
		_, err := c.login.NATSOptions(c.url)
		t.Run(name, func(t *testing.T) { testenv.WantSentence(t, err, c.says...) })
		if errors.Is(err, process.ErrUsage) != c.usage || strings.Contains(fmt.Sprint(err), "hunter2") || strings.Contains(fmt.Sprint(err), string(accountSeed)) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
