package messages

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
)

// TestWhoAConnectionSaysThatItIs checks what operators are told of a login: who it is, and nothing that is secret.
func TestWhoAConnectionSaysThatItIs(t *testing.T) {
	leaf := &x509.Certificate{Subject: pkix.Name{CommonName: "api"}}
	shows := func(c tls.Certificate, err error) nats.TLSCertHandler {
		return func() (tls.Certificate, error) { return c, err }
	}
	token := func() string { return "secret" }
	for name, c := range map[string]struct {
		options nats.Options
		want    string
	}{
		"nobody":                         {nats.Options{}, "none"},
		"a user of the address":          {nats.Options{Servers: []string{"nats://ada:secret@host:4222"}}, "user ada of the address"},
		"a token of the address":         {nats.Options{Servers: []string{"nats://secret@host:4222"}}, "the token of the address"},
		"one of the second address":      {nats.Options{Servers: []string{"nats://a", "nats://ada:secret@b"}}, "user ada of the address"},
		"one behind an address not read": {nats.Options{Servers: []string{"nats://a:b", "nats://ada:secret@b"}}, "user ada of the address"},
		"an address before an option":    {nats.Options{Servers: []string{"nats://ada:secret@b"}, User: "grace"}, "user ada of the address"},
		"a user":                         {nats.Options{Servers: []string{"nats://a"}, User: "ada", Password: "secret"}, "user ada"},
		"a user who is asked for":        {nats.Options{UserInfo: func() (string, string) { return "ada", "secret" }}, "user ada"},
		"a token":                        {nats.Options{Token: "secret"}, "a token"},
		"a token that is asked for":      {nats.Options{TokenHandler: token}, "a token"},
		"an NKey":                        {nats.Options{Nkey: "UABC"}, "NKey UABC"},
		"a JWT":                          {nats.Options{UserJWT: func() (string, error) { return "secret", nil }}, "the JWT of a credentials file"},
		"a certificate":                  {nats.Options{TLSCertCB: shows(tls.Certificate{Leaf: leaf}, nil)}, "a certificate CN=api"},
		"a certificate not parsed":       {nats.Options{TLSCertCB: shows(tls.Certificate{}, nil)}, "a certificate"},
		"a certificate not read":         {nats.Options{TLSCertCB: shows(tls.Certificate{Leaf: leaf}, errors.New("gone"))}, "a certificate"},
	} {
		if got := loginOf(c.options); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// TestWhatAnOperatorMustDo checks which errors of an attempt to connect come with advice, and which pass by themselves.
func TestWhatAnOperatorMustDo(t *testing.T) {
	for advice, errs := range map[string][]error{
		"correct the login": {
			nats.ErrAuthorization, nats.ErrAuthExpired, nats.ErrAuthRevoked, nats.ErrAccountAuthExpired, nats.ErrNkeysNotSupported,
		},
		"name its authority in NATS_CA": {
			&tls.CertificateVerificationError{Err: errors.New("expired")}, x509.UnknownAuthorityError{},
			x509.HostnameError{Certificate: new(x509.Certificate)},
		},
		"give one that it believes": {
			errors.New("remote error: tls: bad certificate"), errors.New("nats: connection closed by remote after TLS handshake"),
		},
		"set up TLS there": {nats.ErrSecureConnWanted},
		"":                 {nats.ErrNoServers, nats.ErrTimeout, errors.New("connection refused"), nats.ErrPermissionViolation},
	} {
		for _, err := range errs {
			err = fmt.Errorf("an attempt: %w", err)
			if got := refusalAdvice(err); (got == "") != (advice == "") || !strings.Contains(got, advice) {
				t.Errorf("%v: %q, want %q", err, got, advice)
			}
			if login := advice == "correct the login"; Refused(err) != login {
				t.Errorf("%v: a login that is not taken: %v", err, !login)
			}
		}
	}
}
