package messages

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/url"
	"regexp"
	"strings"

	"github.com/nats-io/nats.go"
)

// Refused reports whether an error of a connection says that the server does not take its login.
func Refused(err error) bool {
	return errors.Is(err, nats.ErrAuthorization) || errors.Is(err, nats.ErrAuthExpired) || errors.Is(err, nats.ErrAuthRevoked) ||
		errors.Is(err, nats.ErrAccountAuthExpired) || errors.Is(err, nats.ErrNkeysNotSupported)
}

// refusalAdvice says what an operator must do about an error that ends an attempt to connect. It is "" for one that
// passes by itself.
func refusalAdvice(err error) string {
	switch {
	case Refused(err):
		return "NATS refuses the login of this process, trying on: correct the login, or let it in on the server"
	case errors.As(err, new(*tls.CertificateVerificationError)), errors.As(err, new(x509.UnknownAuthorityError)), errors.As(err, new(x509.HostnameError)):
		return "the certificate of the NATS server is not believed, trying on: name its authority in NATS_CA, and the server as its certificate does"
	case closedByAlert.MatchString(err.Error()):
		return "the NATS server refuses the certificate of this process, or that it has none, trying on: give one that it believes as NATS_CERT and NATS_KEY"
	case errors.Is(err, nats.ErrSecureConnWanted):
		return "TLS is asked for and the NATS server has none, trying on: set up TLS there"
	}
	return ""
}

// closedByAlert matches the texts of a server that closes a connection because of the certificate that it was shown,
// or was not: crypto/tls has no type for an alert, and nats.go hides it when the server closes at once.
var closedByAlert = regexp.MustCompile(`remote error: tls: |connection closed by remote after TLS handshake`)

// loginOf names who a connection with these options says that it is, for operators. It has no secret.
func loginOf(o nats.Options) string {
	for _, server := range o.Servers {
		u, err := url.Parse(server)
		if err != nil || u.User == nil {
			continue
		}
		if _, hasPassword := u.User.Password(); hasPassword {
			return "user " + u.User.Username() + " of the address"
		}
		return "the token of the address"
	}
	switch {
	case o.UserInfo != nil:
		user, _ := o.UserInfo()
		return "user " + user
	case o.User != "":
		return "user " + o.User
	case o.TokenHandler != nil, o.Token != "":
		return "a token"
	case o.Nkey != "":
		return "NKey " + o.Nkey
	case o.UserJWT != nil:
		return "the JWT of a credentials file"
	case o.TLSCertCB != nil:
		return strings.TrimSpace("a certificate " + certified(o))
	}
	return "none"
}

// certified returns the name in the certificate that options show to servers.
func certified(o nats.Options) string {
	certificate, err := o.TLSCertCB()
	if err != nil || certificate.Leaf == nil {
		return ""
	}
	return certificate.Leaf.Subject.String()
}
