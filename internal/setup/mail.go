package setup

import (
	"crypto/x509"
	"net/mail"
	"net/url"
	"strings"

	"github.com/eventio/eventio/internal/process"
	"github.com/eventio/eventio/internal/text"
	relaymail "github.com/eventio/eventio/relay/mail"
)

// Mail are the flags of the part that sends mail.
type Mail struct {
	SMTPURL     string `name:"smtp-url" env:"EVENTIO_SMTP_URL" secret:"" placeholder:"URL" help:"SMTP server for mails to people: smtp://USER:PASSWORD@HOST:587 (STARTTLS, which is required) or smtps://USER:PASSWORD@HOST:465. smtp://HOST:25?tls=none sends everything in the clear. Default: no mail is sent. Use the variable: other users of the machine can see flags."`
	SMTPURLFile string `name:"smtp-url-file" env:"EVENTIO_SMTP_URL_FILE" placeholder:"FILE" help:"File with this address, where it has a password."`
	SMTPCA      string `name:"smtp-ca" env:"EVENTIO_SMTP_CA" placeholder:"FILE" help:"Certificates (PEM) of the authorities that are believed about the SMTP server, in place of the system's."`
	MailFrom    string `env:"EVENTIO_MAIL_FROM" placeholder:"ADDRESS" help:"Sender of mails: \"Event.io <tickets@example.org>\". Required with --smtp-url."`
	PublicURL   string `name:"public-url" env:"EVENTIO_PUBLIC_URL" placeholder:"URL" help:"Where people reach the pages: https://events.example.org. Links in mails begin with it. Required with --smtp-url."`
}

// On reports whether mail is sent.
func (m Mail) On() bool { return m.SMTPURL != "" }

// Check fails with process.ErrUsage, or a Failure, on flags that cannot be meant.
func (m Mail) Check() error {
	if !m.On() {
		return nil
	}
	_, _, err := m.server()
	return err
}

// server reads the flags, when mail is sent.
func (m Mail) server() (server relaymail.Server, site relaymail.Site, err error) {
	var authorities *x509.CertPool
	if m.SMTPCA != "" {
		if err := checkCertificates("--smtp-ca", m.SMTPCA); err != nil {
			return server, site, err
		}
		data, err := readFile("--smtp-ca", m.SMTPCA)
		if err != nil {
			return server, site, err
		}
		authorities = x509.NewCertPool()
		authorities.AppendCertsFromPEM(data)
	}
	if server, err = relaymail.ParseServer(m.SMTPURL, authorities); err != nil {
		return server, site, process.Usage("--smtp-url %s", err)
	}
	if m.SMTPURLFile != "" {
		now := rereads("--smtp-url-file", m.SMTPURL, m.SMTPURLFile)
		server = server.Renewing(func() (relaymail.Server, error) { return relaymail.ParseServer(now(), authorities) })
	}
	from, err := mail.ParseAddress(m.MailFrom)
	if m.MailFrom == "" || err != nil {
		return server, site, process.Usage("--mail-from must be the address that sends mails, like \"Event.io <tickets@example.org>\"")
	}
	public, err := url.Parse(m.PublicURL)
	if err != nil || public.Scheme != "https" && public.Scheme != "http" || public.Hostname() == "" || public.User != nil || public.RawQuery != "" || public.Fragment != "" {
		return server, site, process.Usage("--public-url must be where people reach the pages, like https://events.example.org")
	}
	if name := public.Hostname(); text.ASCIIDomain(name) != name { // the header of a mail has its links in ASCII
		public.Host = strings.Replace(public.Host, name, text.ASCIIDomain(name), 1)
	}
	return server, relaymail.Site{From: *from, PublicURL: strings.TrimRight(public.String(), "/")}, nil
}
