package setup

import (
	"crypto/tls"
	"fmt"
	"net/url"
	"strings"
	"sync"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"

	"github.com/eventio/eventio/internal/process"
	"github.com/eventio/eventio/pkg/messages"
)

// NATSLogin are the flags by which a process proves to NATS servers who it is, and they to it. All files
// are read again at each connection, so that what is in them can be renewed while the process runs; of an
// NKey only the seed of the same user can be.
type NATSLogin struct {
	NATSUser         string `name:"nats-user" env:"NATS_USER" placeholder:"NAME" help:"User of NATS, with --nats-password-file."`
	NATSPassword     string `name:"nats-password" env:"NATS_PASSWORD" secret:"" placeholder:"PASSWORD" help:"Password of --nats-user."`
	NATSPasswordFile string `name:"nats-password-file" env:"NATS_PASSWORD_FILE" placeholder:"FILE" help:"File with that password."`
	NATSToken        string `name:"nats-token" env:"NATS_TOKEN" secret:"" placeholder:"TOKEN" help:"Token of NATS, in place of a user."`
	NATSTokenFile    string `name:"nats-token-file" env:"NATS_TOKEN_FILE" placeholder:"FILE" help:"File with that token."`
	NATSNKey         string `name:"nats-nkey" env:"NATS_NKEY" placeholder:"FILE" help:"File with the seed of an NKey of NATS (SU...), in place of a user and a password."`
	NATSCreds        string `name:"nats-creds" env:"NATS_CREDS" placeholder:"FILE" help:"Credentials file for NATS (a JWT and its key), in place of a user and a password."`
	NATSCA           string `name:"nats-ca" env:"NATS_CA" placeholder:"FILE" help:"Certificates (PEM) of the authorities that are believed about NATS servers, in place of the system's."`
	NATSCert         string `name:"nats-cert" env:"NATS_CERT" placeholder:"FILE" help:"Certificate (PEM) that this process shows to NATS servers, with --nats-key."`
	NATSKey          string `name:"nats-key" env:"NATS_KEY" placeholder:"FILE" help:"Private key (PEM) of --nats-cert."`
	NATSInboxPrefix  string `name:"nats-inbox-prefix" env:"NATS_INBOX_PREFIX" placeholder:"_INBOX_NAME" help:"First name of the subjects on which this process takes replies, so that no other user may hear them: _INBOX, or _INBOX_ and letters, digits, - and _. Default _INBOX."`
}

// NATSOptions returns what makes a connection that these flags and a list of servers ask for. It fails with
// process.ErrUsage when they contradict each other, and with a Failure when a file has not what it should.
func (l NATSLogin) NATSOptions(servers string) ([]nats.Option, error) {
	if err := l.contradiction(servers); err != nil {
		return nil, err
	}
	options, err := l.tls()
	if err != nil {
		return nil, err
	}
	if l.NATSInboxPrefix != "" {
		options = append(options, nats.CustomInboxPrefix(l.NATSInboxPrefix))
	}
	login, err := l.login()
	if login != nil {
		options = append(options, login)
	}
	return options, err
}

// contradiction looks at the flags without their files.
func (l NATSLogin) contradiction(servers string) error {
	ways := make([]string, 0, 5)
	for _, way := range [...]struct{ flag, value string }{
		{"--nats-user", l.NATSUser}, {"--nats-token", l.NATSToken}, {"--nats-nkey", l.NATSNKey}, {"--nats-creds", l.NATSCreds},
	} {
		if way.value != "" {
			ways = append(ways, way.flag)
		}
	}
	if hasLogin(servers) {
		ways = append(ways, "a login in --nats-url")
	}
	switch {
	case len(ways) > 1:
		return process.Usage("%s are both given: a process has one login at NATS", strings.Join(ways[:2], " and "))
	case l.NATSUser != "" && l.NATSPassword == "":
		return process.Usage("--nats-user needs a password: give the file that has it as --nats-password-file")
	case l.NATSPassword != "" && l.NATSUser == "":
		return process.Usage("--nats-password needs a user: name it with --nats-user")
	case (l.NATSCert == "") != (l.NATSKey == ""):
		return process.Usage("--nats-cert and --nats-key belong together: give both")
	case l.NATSInboxPrefix != "" && messages.CheckInboxPrefix(l.NATSInboxPrefix) != nil:
		return process.Usage("--nats-inbox-prefix must be _INBOX, or _INBOX_ and letters, digits, - and _, like _INBOX_api")
	}
	return nil
}

// hasLogin reports whether one of the servers is named with a user, a password or a token.
func hasLogin(servers string) bool {
	for server := range strings.SplitSeq(servers, ",") {
		if u, err := url.Parse(strings.TrimSpace(server)); err == nil && u.User != nil {
			return true
		}
	}
	return false
}

// tls returns the options about certificates.
func (l NATSLogin) tls() (options []nats.Option, err error) {
	if l.NATSCA != "" {
		if err := checkCertificates("--nats-ca", l.NATSCA); err != nil {
			return nil, err
		}
		options = append(options, nats.RootCAs(l.NATSCA))
	}
	if l.NATSCert != "" {
		if err := checkKeyPair("--nats-cert", l.NATSCert, "--nats-key", l.NATSKey); err != nil {
			return nil, err
		}
		options = append(options, nats.ClientCert(l.NATSCert, l.NATSKey))
	}
	return options, nil
}

// checkKeyPair fails with a Failure when two files are not a certificate and its private key.
func checkKeyPair(certFlag, cert, keyFlag, key string) error {
	certificate, err := readFile(certFlag, cert)
	if err != nil {
		return err
	}
	private, err := readFile(keyFlag, key)
	if err != nil {
		return err
	}
	if _, err := tls.X509KeyPair(certificate, private); err != nil {
		return &process.Failure{Sentence: fmt.Sprintf("%s and %s: the files%s and%s are not a certificate and its private key, in PEM form",
			certFlag, keyFlag, named(cert), named(key))}
	}
	return nil
}

// login returns the option that proves who this process is; none where no flag says it.
func (l NATSLogin) login() (nats.Option, error) {
	switch {
	case l.NATSUser != "":
		password := rereads("--nats-password-file", l.NATSPassword, l.NATSPasswordFile)
		return nats.UserInfoHandler(func() (string, string) { return l.NATSUser, password() }), nil
	case l.NATSToken != "":
		return nats.TokenHandler(rereads("--nats-token-file", l.NATSToken, l.NATSTokenFile)), nil
	case l.NATSNKey != "":
		return nkeyOf("--nats-nkey", l.NATSNKey)
	case l.NATSCreds != "":
		if err := checkCredentials("--nats-creds", l.NATSCreds); err != nil {
			return nil, err
		}
		return nats.UserCredentials(l.NATSCreds), nil
	}
	return nil, nil
}

// rereads returns a function that returns what is in a file now, or was when it could be read last: at first
// value. Without a file it is always value. The function is safe for concurrent use.
func rereads(flag, value, file string) func() string {
	if file == "" {
		return func() string { return value }
	}
	var mu sync.Mutex
	return func() string {
		mu.Lock()
		defer mu.Unlock()
		if now, err := process.ReadSecret(flag, file); err == nil {
			value = now
		}
		return value
	}
}

// nkeyOf returns the option that signs with the seed in the file that a flag gives.
func nkeyOf(flag, path string) (nats.Option, error) {
	seed, err := process.ReadSecret(flag, path)
	if err != nil {
		return nil, err
	}
	refused := &process.Failure{Sentence: fmt.Sprintf("%s: the file%s has no seed of a user's NKey (SU...), as nk -gen user writes it", flag, named(path))}
	pair, err := nkeys.ParseDecoratedUserNKey([]byte(seed))
	if err != nil {
		return nil, refused
	}
	defer pair.Wipe()
	public, err := pair.PublicKey()
	if err != nil {
		return nil, refused
	}
	return nats.Nkey(public, func(nonce []byte) ([]byte, error) {
		seed, err := process.ReadSecret(flag, path)
		if err != nil {
			return nil, err
		}
		pair, err := nkeys.ParseDecoratedUserNKey([]byte(seed))
		if err != nil {
			return nil, refused
		}
		defer pair.Wipe()
		return pair.Sign(nonce)
	}), nil
}
