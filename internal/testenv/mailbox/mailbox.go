// Package mailbox runs a real SMTP server for tests, and reads what it has taken as a mail program would.
package mailbox

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net"
	"net/http/httptest"
	"net/mail"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"github.com/eventio/eventio/internal/testenv"
)

// Options say how a server behaves. The zero value is one without TLS that asks nobody for a password.
type Options struct {
	// STARTTLS and TLS offer TLS, after the greeting or before it.
	STARTTLS, TLS bool
	// User and Password are asked for, when they are set.
	User, Password string
	// ASCII makes it a server that knows no other letters in addresses, as many do (no SMTPUTF8).
	ASCII bool
	// Addr is where it listens; "": at a free port of 127.0.0.1.
	Addr string
	// Rcpt answers for each address; nil takes all. Data is asked before a mail is kept.
	Rcpt func(address string) error
	Data func(m Mail) error
}

// Mail is a mail that the server has taken.
type Mail struct {
	From, To string // of the envelope
	Raw      []byte
}

// Server is a running SMTP server.
type Server struct {
	options Options
	server  *smtp.Server
	addr    string
	cert    *x509.Certificate

	mu    sync.Mutex // guards mails
	mails []Mail
}

// Start starts a server, which ends with the test.
func Start(tb testing.TB, o Options) *Server {
	tb.Helper()
	s := &Server{options: o}
	secure := httptest.NewTLSServer(nil)
	secure.Close()
	s.cert = secure.Certificate()
	s.server = smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return &session{s: s}, nil }))
	s.server.Domain, s.server.AllowInsecureAuth, s.server.EnableSMTPUTF8 = "mailbox.test", true, !o.ASCII
	s.server.ErrorLog = log.New(io.Discard, "", 0)
	if o.STARTTLS || o.TLS {
		s.server.TLSConfig = &tls.Config{Certificates: secure.TLS.Certificates}
	}
	addr := o.Addr
	if addr == "" {
		addr = "127.0.0.1:0"
	}
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		tb.Fatal(err)
	}
	s.addr = listener.Addr().String()
	if o.TLS {
		listener = tls.NewListener(listener, s.server.TLSConfig)
	}
	go func() { _ = s.server.Serve(listener) }()
	tb.Cleanup(s.Stop)
	return s
}

// Stop ends the server and its connections.
func (s *Server) Stop() { _ = s.server.Close() }

// Addr returns where the server listens.
func (s *Server) Addr() string { return s.addr }

// URL returns the server's URL, as EVENTIO_SMTP_URL takes it.
func (s *Server) URL() string {
	user := ""
	if s.options.User != "" {
		user = s.options.User + ":" + s.options.Password + "@"
	}
	switch {
	case s.options.TLS:
		return "smtps://" + user + s.addr
	case s.options.STARTTLS:
		return "smtp://" + user + s.addr
	}
	return "smtp://" + user + s.addr + "?tls=none"
}

// Authorities returns who must be believed for the server's certificate.
func (s *Server) Authorities() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(s.cert)
	return pool
}

// CAFile writes a file with the certificate of Authorities.
func (s *Server) CAFile(tb testing.TB) string {
	tb.Helper()
	name := filepath.Join(tb.TempDir(), "ca.pem")
	data := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.cert.Raw})
	if err := os.WriteFile(name, data, 0o600); err != nil {
		tb.Fatal(err)
	}
	return name
}

// Mails returns what was taken so far.
func (s *Server) Mails() []Mail {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Mail(nil), s.mails...)
}

// To returns the mails to an address.
func (s *Server) To(address string) []Mail {
	var some []Mail
	for _, m := range s.Mails() {
		if strings.EqualFold(m.To, address) {
			some = append(some, m)
		}
	}
	return some
}

// Await waits until an address has n mails, and returns them.
func (s *Server) Await(tb testing.TB, address string, n int, limit time.Duration) []Mail {
	tb.Helper()
	testenv.Eventually(tb, limit, "mail to "+address, func() error {
		if len(s.To(address)) < n {
			return errors.New("it has not come")
		}
		return nil
	})
	return s.To(address)
}

// session is one client.
type session struct {
	s     *Server
	known bool
	from  string
	to    string
}

var _ smtp.AuthSession = (*session)(nil)

func (c *session) AuthMechanisms() []string {
	if c.s.options.User == "" {
		return nil
	}
	return []string{sasl.Plain}
}

func (c *session) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		if user != c.s.options.User || password != c.s.options.Password {
			return smtp.ErrAuthFailed
		}
		c.known = true
		return nil
	}), nil
}

// letters refuses an address as servers do that know ASCII only.
func (s *Server) letters(address string) error {
	if s.options.ASCII && strings.ContainsFunc(address, func(r rune) bool { return r > unicode.MaxASCII }) {
		return &smtp.SMTPError{Code: 553, EnhancedCode: smtp.EnhancedCode{5, 6, 7}, Message: "Must declare SMTPUTF8"}
	}
	return nil
}

func (c *session) Reset() { c.from, c.to = "", "" }

func (c *session) Logout() error { return nil }

func (c *session) Mail(from string, _ *smtp.MailOptions) error {
	if c.s.options.User != "" && !c.known {
		return smtp.ErrAuthRequired
	}
	c.from = from
	return c.s.letters(from)
}

func (c *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	c.to = to
	if err := c.s.letters(to); err != nil {
		return err
	}
	if c.s.options.Rcpt != nil {
		return c.s.options.Rcpt(to)
	}
	return nil
}

func (c *session) Data(r io.Reader) error {
	raw, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	m := Mail{c.from, c.to, raw}
	if c.s.options.Data != nil {
		if err := c.s.options.Data(m); err != nil {
			return err
		}
	}
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	c.s.mails = append(c.s.mails, m)
	return nil
}

// Read is a mail as a program shows it.
type Read struct {
	Header  mail.Header
	Subject string
	To      *mail.Address
	// Parts has the text of each part, by media type; Type the whole Content-Type of each.
	Parts map[string]string
	Type  map[string]string
}

// Read reads a mail.
func (m Mail) Read(tb testing.TB) Read {
	tb.Helper()
	msg, err := mail.ReadMessage(bytes.NewReader(m.Raw))
	if err != nil {
		tb.Fatalf("%v in\n%s", err, m.Raw)
	}
	r := Read{Header: msg.Header, Parts: make(map[string]string), Type: make(map[string]string)}
	if r.Subject, err = new(mime.WordDecoder).DecodeHeader(msg.Header.Get("Subject")); err != nil {
		tb.Fatal(err)
	}
	if to, err := msg.Header.AddressList("To"); err != nil || len(to) != 1 {
		tb.Fatalf("To: %v, %v", to, err)
	} else {
		r.To = to[0]
	}
	r.part(tb, msg.Header.Get("Content-Type"), msg.Header.Get("Content-Transfer-Encoding"), msg.Body)
	return r
}

// part reads a part and those in it.
func (r Read) part(tb testing.TB, contentType, encoding string, body io.Reader) {
	tb.Helper()
	media, parameters, err := mime.ParseMediaType(contentType)
	if err != nil {
		tb.Fatalf("Content-Type %q: %v", contentType, err)
	}
	if strings.HasPrefix(media, "multipart/") {
		parts := multipart.NewReader(body, parameters["boundary"])
		for {
			p, err := parts.NextRawPart()
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				tb.Fatal(err)
			}
			r.part(tb, p.Header.Get("Content-Type"), p.Header.Get("Content-Transfer-Encoding"), p)
		}
	}
	switch strings.ToLower(encoding) {
	case "quoted-printable":
		body = quotedprintable.NewReader(body)
	case "base64":
		body = base64.NewDecoder(base64.StdEncoding, body)
	}
	text, err := io.ReadAll(body)
	if err != nil {
		tb.Fatal(err)
	}
	r.Parts[media], r.Type[media] = string(text), contentType
}
