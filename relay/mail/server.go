package mail

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"time"

	gomail "github.com/wneessen/go-mail"
)

// Server is the SMTP server that takes all mails. Its password is never printed.
type Server struct {
	host               string
	port               int
	implicit, starttls bool // TLS from the first byte, or by STARTTLS, which must succeed
	user, password     string
	authorities        *x509.CertPool         // nil: those of the system
	latest             func() (Server, error) // what it is now; nil: the same
}

// Renewing returns s as a server that is asked for before each mail: a password that was changed counts from then on.
// While latest fails, s stays as it was.
func (s Server) Renewing(latest func() (Server, error)) Server {
	s.latest = latest
	return s
}

// ErrServerURL is the error of ParseServer. It quotes nothing.
var ErrServerURL = errors.New("must be smtp://USER:PASSWORD@HOST:PORT or smtps://..., where user and password may be left out; " +
	"smtp uses STARTTLS and refuses a server without, unless ?tls=none follows, which sends everything in the clear and takes no password")

// ParseServer reads the URL of a server: smtps for TLS from the start (port 465), smtp for STARTTLS
// (port 587), which must succeed unless the query is tls=none. A certificate is believed when one of
// the authorities has signed it (nil: those of the system). It fails with ErrServerURL.
func ParseServer(text string, authorities *x509.CertPool) (Server, error) {
	u, err := url.Parse(text)
	if err != nil || u.Hostname() == "" || u.Path != "" && u.Path != "/" || u.Fragment != "" || u.Opaque != "" {
		return Server{}, ErrServerURL
	}
	s := Server{host: u.Hostname(), authorities: authorities, user: u.User.Username()}
	s.password, _ = u.User.Password()
	switch {
	case u.Scheme == "smtps" && u.RawQuery == "":
		s.implicit, s.port = true, 465
	case u.Scheme == "smtp" && u.RawQuery == "":
		s.starttls, s.port = true, 587
	case u.Scheme == "smtp" && u.RawQuery == "tls=none" && u.User == nil:
		s.port = 25
	default:
		return Server{}, ErrServerURL
	}
	if u.Port() != "" {
		if s.port, err = strconv.Atoi(u.Port()); err != nil || s.port < 1 || s.port > 65535 {
			return Server{}, ErrServerURL
		}
	}
	if (s.user == "") != (s.password == "") {
		return Server{}, ErrServerURL
	}
	return s, nil
}

// String returns host and port, and never the user or the password.
func (s Server) String() string { return net.JoinHostPort(s.host, strconv.Itoa(s.port)) }

// GoString is String: no way to print a Server tells its password.
func (s Server) GoString() string { return s.String() }

const (
	// phaseLimit bounds each of the three phases of a conversation: connecting, greeting with TLS and
	// log-in, and the mail.
	phaseLimit = 8 * time.Second
	// sendLimit is how long a conversation about one mail lasts at most, however slowly the server answers.
	sendLimit = 3 * phaseLimit
)

// verdict is what became of a mail.
type verdict int

const (
	handedOver verdict = iota
	away               // the server cannot be talked to, or refuses us and not the mail: nothing is known of the mail
	later              // the server does not take this mail now
	never              // the server does not take this mail, and will not
)

// send hands a mail to the server.
func (s Server) send(ctx context.Context, m *gomail.Msg) (verdict, error) {
	if s.latest != nil {
		if latest, err := s.latest(); err == nil {
			s = latest
		}
	}
	policy := gomail.NoTLS
	if s.starttls {
		policy = gomail.TLSMandatory
	}
	options := []gomail.Option{
		gomail.WithPort(s.port), gomail.WithTimeout(phaseLimit), gomail.WithTLSPolicy(policy), gomail.WithoutNoop(), gomail.WithoutRset(),
		gomail.WithTLSConfig(s.tls()),
	}
	if s.implicit {
		options = append(options, gomail.WithSSL())
	}
	if s.user != "" {
		options = append(options, gomail.WithSMTPAuth(gomail.SMTPAuthAutoDiscover), gomail.WithUsername(s.user), gomail.WithPassword(s.password))
	}
	client, err := gomail.NewClient(s.host, options...)
	if err != nil {
		return away, fmt.Errorf("prepare SMTP: %w", err)
	}
	if err := client.DialWithContext(ctx); err != nil {
		return away, fmt.Errorf("talk to the SMTP server: %w", err)
	}
	err = client.Send(m)
	_ = client.Close() // what it says to that changes nothing
	return verdictOf(m, err), err
}

// verdictOf says what became of a mail that was sent with an error.
func verdictOf(m *gomail.Msg, err error) verdict {
	if err == nil || m.IsDelivered() {
		return handedOver
	}
	refused, ok := errors.AsType[*gomail.SendError](err)
	if !ok {
		return away
	}
	switch refused.Reason {
	case gomail.ErrSMTPRcptTo, gomail.ErrSMTPData, gomail.ErrSMTPDataClose:
		if code := refused.ErrorCode(); code >= 500 && code < 600 {
			return never
		}
		return later
	case gomail.ErrWriteContent:
		return later
	case gomail.ErrNoUnencoded, gomail.ErrGetRcpts:
		return never
	default: // MAIL FROM is about us, not about whom the mail is for
		return away
	}
}

func (s Server) tls() *tls.Config {
	return &tls.Config{ServerName: s.host, RootCAs: s.authorities, MinVersion: tls.VersionTLS12}
}
