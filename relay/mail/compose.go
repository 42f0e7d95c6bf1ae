package mail

import (
	"bytes"
	"errors"
	"fmt"
	"net/mail"
	"net/url"
	"strconv"
	"strings"

	gomail "github.com/wneessen/go-mail"

	"github.com/eventio/eventio/internal/text"
	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/outbox"
)

// Site is what mails say of the installation that sends them.
type Site struct {
	// From is the sender.
	From mail.Address
	// PublicURL is the address of the pages, without a slash at its end. Links are made from it and
	// never from what a client says.
	PublicURL string
}

// ErrUndeliverable says that no mail can be sent to an address: it is none, or it is reserved for what
// does not exist.
var ErrUndeliverable = errors.New("no mail can be sent to this address")

// letter is everything from which a mail is made.
type letter struct {
	outbox.Mail
	user  store.User
	event store.Event // zero for mails that are about none
	// settings has the token of the link that switches mails off; zero for mails that somebody asked for.
	settings outbox.Settings
	token    string          // of the link of a mail that somebody asked for
	hooks    []store.Webhook // of a mail about webhooks: those that are switched off
}

// to returns where the letter goes.
func (l letter) to() string {
	if l.Address != "" {
		return l.Address
	}
	return l.user.Email
}

// view is what the templates are filled in with.
type view struct {
	Language, Subject, Hello, Lead, Button, Link, Why, Off, OffLink string
	Facts                                                           []fact
}

type fact struct{ Name, Value string }

// composer makes mails. It is safe for concurrent use.
type composer struct {
	site      Site
	templates *templates
}

// compose makes the mail of a letter. All that comes from people gets into headers by the library only,
// which encodes it, and is on one line before that. Errors: ErrUndeliverable.
func (c composer) compose(l letter) (*gomail.Msg, error) {
	address, err := mail.ParseAddress(l.to())
	if err != nil || address.Name != "" || unreachable(address.Address) {
		return nil, ErrUndeliverable
	}
	v := c.view(l)
	m := gomail.NewMsg(gomail.WithCharset(gomail.CharsetUTF8))
	from := text.ForMail(c.site.From.Address)
	m.FromMailAddress(&mail.Address{Name: c.site.From.Name, Address: from})
	m.ToMailAddress(&mail.Address{Name: oneLine(l.user.Name), Address: text.ForMail(address.Address)})
	m.Subject(v.Subject)
	m.SetDateWithValue(l.CreatedAt)
	m.SetMessageIDWithValue(l.Key + "@" + domainOf(from))
	m.SetGenHeader("Auto-Submitted", "auto-generated")
	m.SetGenHeader("Content-Language", v.Language)
	m.SetUserAgent("Event.io")
	if l.Kind.AboutEvent() {
		m.SetListUnsubscribe(c.offURL(l.settings))
		if strings.HasPrefix(c.site.PublicURL, "https://") { // RFC 8058 allows nothing else
			m.SetListUnsubscribePost()
		}
	}
	var plain bytes.Buffer
	if err := c.templates.plain.Execute(&plain, v); err != nil {
		return nil, fmt.Errorf("write a mail: %w", err)
	}
	m.SetBodyString(gomail.TypeTextPlain, strings.TrimSpace(plain.String())+"\n")
	var html bytes.Buffer
	if err := c.templates.html.Execute(&html, v); err != nil {
		return nil, fmt.Errorf("write a mail: %w", err)
	}
	m.AddAlternativeString(gomail.TypeTextHTML, html.String())
	if method := calendarMethod(l); method != "" {
		kind := gomail.ContentType("text/calendar; charset=utf-8; method=" + string(method))
		err := m.AttachReader("event.ics", strings.NewReader(c.calendar(l, method)), gomail.WithFileContentType(kind))
		if err != nil {
			return nil, fmt.Errorf("attach the calendar: %w", err)
		}
	}
	return m, nil
}

// view says what the mail says.
func (c composer) view(l letter) view {
	t := c.templates.in(l.Language, l.settings.Language)
	s := t.Kinds[l.Kind]
	site := strings.TrimPrefix(strings.TrimPrefix(c.site.PublicURL, "https://"), "http://")
	name, title := oneLine(l.user.Name), oneLine(l.event.Title)
	names := func() []string { return []string{"title", title, "name", name, "site", site, "address", l.to()} }
	v := view{
		Language: t.language, Subject: oneLine(fill(s.Subject, names()...)), Lead: fill(s.Lead, names()...), Button: s.Button,
		Hello: fill(t.Hello, "name", name),
	}
	switch {
	case l.Kind == outbox.PasswordReset:
		v.Link, v.Why = c.site.PublicURL+"/reset#"+l.token, t.AskedWhy
	case l.Kind == outbox.EmailProof:
		// It goes to whoever has the address, who may know nobody of that name.
		v.Hello, v.Link, v.Why = t.HelloNobody, c.site.PublicURL+"/prove#"+l.token, t.AskedWhy
	case l.Kind == outbox.WebhookOff:
		v.Link, v.Why = c.site.PublicURL+"/docs", fill(t.HooksWhy, "site", site)
		for _, hook := range l.hooks {
			v.Facts = append(v.Facts, fact{hostOf(hook.URL), oneLine(hook.LastError)})
		}
	default:
		v.Button, v.Link = t.ToEvent, c.site.PublicURL+"/events/"+l.EventID.Hex()
		v.Why, v.Off, v.OffLink = fill(t.Why, "site", site), t.Off, c.site.PublicURL+"/mail#"+url.QueryEscape(l.settings.Token)
		v.Facts = append(v.Facts, fact{t.When, t.span(l.event)})
		if l.event.Venue != "" {
			v.Facts = append(v.Facts, fact{t.Where, oneLine(l.event.Venue)})
		}
		if l.Number > 0 && (l.Kind == outbox.Registered || l.Kind == outbox.Promoted) {
			v.Facts = append(v.Facts, fact{t.Number, strconv.FormatInt(l.Number, 10)})
		}
	}
	return v
}

// offURL is where a mail program switches mails off by itself.
func (c composer) offURL(s outbox.Settings) string {
	return c.site.PublicURL + "/api/mail-settings/" + url.PathEscape(s.Token)
}

// hostOf returns whom a webhook calls. The rest of its URL may be a secret.
func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return "?"
	}
	return u.Host
}

// domainOf returns what is behind the @.
func domainOf(address string) string { return address[strings.LastIndexByte(address, '@')+1:] }

// unreachable reports addresses in a domain that does not exist by definition (RFC 2606), which
// accounts have that lost theirs.
func unreachable(address string) bool {
	domain := strings.ToLower(strings.TrimSuffix(domainOf(address), "."))
	return domain == "invalid" || strings.HasSuffix(domain, ".invalid")
}
