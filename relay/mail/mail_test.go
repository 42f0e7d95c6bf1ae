package mail_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	netmail "net/mail"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	ics "github.com/arran4/golang-ical"
	"github.com/emersion/go-smtp"
	"github.com/rs/zerolog"

	"github.com/eventio/eventio/internal/testenv"
	"github.com/eventio/eventio/internal/testenv/mailbox"
	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/mongostore"
	"github.com/eventio/eventio/pkg/store/outbox"
	"github.com/eventio/eventio/pkg/store/sqlitestore"
	"github.com/eventio/eventio/pkg/store/storetest"
	"github.com/eventio/eventio/relay"
	"github.com/eventio/eventio/relay/mail"
)

func TestMain(m *testing.M) { testenv.Main(m) }

const (
	limit  = 10 * time.Second
	public = "https://events.example.org/sub"
)

// fullStore is a store with an outbox.
type fullStore interface {
	store.Store
	outbox.Outbox
}

func openSQLite(t *testing.T) fullStore {
	t.Helper()
	s, err := sqlitestore.Open(t.Context(), filepath.Join(t.TempDir(), "eventio.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// stores runs a test on both stores.
func stores(t *testing.T, test func(*testing.T, fullStore)) {
	t.Run("SQLite", func(t *testing.T) { test(t, openSQLite(t)) })
	t.Run("MongoDB", func(t *testing.T) {
		s, err := mongostore.Open(t.Context(), testenv.MongoDB(t), zerolog.Nop())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		test(t, s)
	})
}

func site(name string) mail.Site {
	return mail.Site{From: netmail.Address{Name: name, Address: "tickets@events.example.org"}, PublicURL: public}
}

// logs is where a sender writes; it is safe for concurrent use.
type logs struct {
	mu   sync.Mutex // guards text
	text bytes.Buffer
}

func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// sender makes a sender of mails to a server.
func sender(t *testing.T, st mail.SenderStore, box *mailbox.Server, log *logs) *mail.Sender {
	t.Helper()
	t.Cleanup(func() {
		for line := range strings.Lines(log.String()) {
			if !json.Valid([]byte(line)) {
				t.Errorf("a line of the log is no JSON: %s", line)
				return
			}
		}
	})
	server, err := mail.ParseServer(box.URL(), box.Authorities())
	if err != nil {
		t.Fatal(err)
	}
	s := mail.NewSender(st, server, site("Event.io"), zerolog.New(log))
	s.SetRetry(200 * time.Millisecond)
	return s
}

// run runs something until the returned function is called.
func run(t *testing.T, what func(context.Context)) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { what(ctx) })
	stop = sync.OnceFunc(func() { cancel(); running.Wait() })
	t.Cleanup(stop)
	return stop
}

// relayed has the changes of a store told by mail, from now on.
func relayed(t *testing.T, st fullStore, box *mailbox.Server, log *logs) *mail.Sender {
	t.Helper()
	s := sender(t, st, box, log)
	run(t, s.Run)
	run(t, func(ctx context.Context) {
		relay.New(st, relay.Config{Lease: time.Second}, zerolog.Nop()).Run(ctx, mail.NewSink(st, s.Wake))
	})
	testenv.Eventually(t, limit, "begin to tell", func() error {
		_, err := st.TakeLease(t.Context(), "mail", "nobody", time.Nanosecond)
		if !errors.Is(err, store.ErrLeaseHeld) {
			return errors.Join(errors.New("nobody tells"), err)
		}
		return nil
	})
	return s
}

func newUser(t *testing.T, st store.Users, name string) store.User {
	t.Helper()
	id := store.NewID()
	u := store.User{ID: id, Name: name, Email: id.Hex() + "@people.example.org", PasswordHash: "x", CreatedAt: time.Now().UTC().Truncate(time.Millisecond)}
	if err := st.CreateUser(t.Context(), u); err != nil {
		t.Fatal(err)
	}
	return u
}

func register(event store.ID, u store.User) store.SeatRequest {
	r := storetest.NewRequest(event)
	r.UserID, r.Actor = u.ID, store.Actor{Kind: store.ActorPerson, ID: u.ID}
	return r
}

// apply applies a batch now, by the clock that senders have: what happened days ago is not told any more.
func apply(t *testing.T, st store.Seats, batch ...store.SeatRequest) []store.SeatResult {
	t.Helper()
	for i := range batch {
		batch[i].At = time.Now().UTC().Truncate(time.Millisecond)
	}
	return storetest.MustApply(t, st, batch...)
}

// TestPeopleAreTold: each kind of change is told to those whom it is about, once each, and to nobody else.
func TestPeopleAreTold(t *testing.T) {
	stores(t, func(t *testing.T, st fullStore) {
		box, log := mailbox.Start(t, mailbox.Options{STARTTLS: true, User: "eventio", Password: "s3cret-pa55"}), &logs{}
		relayed(t, st, box, log)
		event := storetest.NewWaitlistEvent(t, st, 1)
		ada, bob, eve := newUser(t, st, "Ada Lovelace"), newUser(t, st, "Bob"), newUser(t, st, "Eve")
		first, second, third := register(event.ID, ada), register(event.ID, bob), register(event.ID, eve)
		storetest.WantOutcomes(t, apply(t, st, first, second, third), store.Registered, store.Waitlisted, store.Waitlisted)
		apply(t, st, storetest.NewCancel(first), storetest.NewCancel(third))
		title, capacity := "Concert, moved", int64(2)
		for _, e := range []store.Edit{{Title: &title}, {Capacity: &capacity}, {Cancel: true}} {
			e.Version = store.AnyVersion
			storetest.WantOutcomes(t, apply(t, st, storetest.NewEdit(event.ID, e)), store.Edited)
		}
		for _, want := range []struct {
			who   store.User
			mails []string // subjects, in any order: no mail waits for another
		}{
			{ada, []string{"You are in:", "Cancelled: your place at"}},
			{bob, []string{"On the waiting list:", "You have moved up:", "Changed:", "Cancelled: Concert, moved"}},
			{eve, []string{"On the waiting list:", "Off the waiting list:"}},
		} {
			got := box.Await(t, want.who.Email, len(want.mails), limit)
			if len(got) != len(want.mails) {
				t.Errorf("%s has %d mails, want %d", want.who.Name, len(got), len(want.mails))
			}
			for _, subject := range want.mails {
				n := 0
				for _, m := range got {
					r := m.Read(t)
					if strings.HasPrefix(r.Subject, subject) {
						n++
						wantWhole(t, r, want.who, event)
					}
				}
				if n != 1 {
					t.Errorf("%s was told %d times: %s", want.who.Name, n, subject)
				}
			}
		}
		if got := len(box.Mails()); got != 8 {
			t.Errorf("%d mails went out, want 8", got)
		}
		wantNothingPersonal(t, log.String(), ada, bob, eve)
		for _, secret := range []string{"s3cret-pa55", "eventio:"} {
			if strings.Contains(log.String(), secret) {
				t.Errorf("the log has %q", secret)
			}
		}
	})
}

// wantNothingPersonal checks that a log has no text of people.
func wantNothingPersonal(t *testing.T, log string, people ...store.User) {
	t.Helper()
	for _, u := range people {
		for _, text := range []string{u.Email, strings.ToUpper(u.Email), u.Name} {
			if strings.Contains(log, text) {
				t.Errorf("the log has %q:\n%s", text, log)
			}
		}
	}
	if strings.Contains(log, "#") || strings.Contains(log, "Concert") {
		t.Errorf("the log has a link or a title:\n%s", log)
	}
}

// wantWhole checks what all mails about an event have.
func wantWhole(t *testing.T, r mailbox.Read, to store.User, event store.Event) {
	t.Helper()
	if r.To.Address != to.Email || r.To.Name != to.Name {
		t.Errorf("To is %v", r.To)
	}
	for name, form := range map[string]string{
		"From":                  `^"Event.io" <tickets@events.example.org>$`,
		"Message-Id":            `^<` + event.ID.Hex() + `-\d+-\d+-` + to.ID.Hex() + `@events.example.org>$`,
		"List-Unsubscribe":      `^<` + public + `/api/mail-settings/[A-Za-z0-9_-]{43}>$`,
		"List-Unsubscribe-Post": `^List-Unsubscribe=One-Click$`,
		"Auto-Submitted":        `^auto-generated$`,
		"Date":                  `.`,
	} {
		if got := r.Header.Get(name); !regexp.MustCompile(form).MatchString(got) {
			t.Errorf("%s is %q", name, got)
		}
	}
	for _, kind := range []string{"text/plain", "text/html"} {
		for _, text := range []string{to.Name, "Concert", public + "/events/" + event.ID.Hex(), public + "/mail#", "25 November 2026"} {
			if !strings.Contains(r.Parts[kind], text) {
				t.Errorf("%s has no %q:\n%s", kind, text, r.Parts[kind])
			}
		}
	}
}

// TestCalendars: who has a seat gets the event for their calendar, and who loses it gets it taken away.
func TestCalendars(t *testing.T) {
	st := openSQLite(t)
	box := mailbox.Start(t, mailbox.Options{})
	relayed(t, st, box, &logs{})
	event := storetest.NewWaitlistEvent(t, st, 1)
	ada, bob := newUser(t, st, `Ada "The Countess"`), newUser(t, st, "Bob")
	first, second := register(event.ID, ada), register(event.ID, bob)
	apply(t, st, first, second)
	apply(t, st, storetest.NewCancel(first))
	box.Await(t, ada.Email, 2, limit)
	box.Await(t, bob.Email, 2, limit)
	sequence := make(map[string]string)
	for subject, want := range map[string]struct {
		who            store.User
		method, status string
	}{
		"You are in:":          {ada, "REQUEST", "CONFIRMED"},
		"Cancelled: your":      {ada, "CANCEL", "CANCELLED"},
		"On the waiting list:": {who: bob},
		"You have moved up:":   {bob, "REQUEST", "CONFIRMED"},
	} {
		for _, m := range box.To(want.who.Email) {
			r := m.Read(t)
			if !strings.HasPrefix(r.Subject, subject) {
				continue
			}
			text, there := r.Parts["text/calendar"]
			if there != (want.method != "") {
				t.Errorf("%s: a calendar: %v", subject, there)
			}
			if !there {
				continue
			}
			if !strings.Contains(r.Type["text/calendar"], "method="+want.method) {
				t.Errorf("%s: %s", subject, r.Type["text/calendar"])
			}
			cal, err := ics.ParseCalendar(strings.NewReader(text))
			if err != nil || len(cal.Events()) != 1 {
				t.Fatalf("%v in\n%s", err, text)
			}
			e := cal.Events()[0]
			at, err := e.GetStartAt()
			if err != nil || !at.Equal(event.StartsAt.Truncate(time.Second)) {
				t.Errorf("starts at %v, %v", at, err)
			}
			if e.Id() != event.ID.Hex()+"@eventio" || e.GetProperty(ics.ComponentPropertyStatus).Value != want.status {
				t.Errorf("%s: %s", subject, text)
			}
			if !strings.Contains(text, "METHOD:"+want.method+"\r\n") || e.GetProperty(ics.ComponentPropertyOrganizer).Value != "mailto:tickets@events.example.org" ||
				e.Attendees()[0].Email() != want.who.Email {
				t.Errorf("%s: %s", subject, text)
			}
			sequence[subject] = e.GetProperty(ics.ComponentPropertySequence).Value
		}
	}
	if sequence["You are in:"] != "3" || sequence["Cancelled: your"] != "4" || sequence["You have moved up:"] != "4" {
		t.Errorf("sequences are %v", sequence)
	}
}

// TestHostileTexts: what people choose themselves adds no header, no address and no markup.
func TestHostileTexts(t *testing.T) {
	st := openSQLite(t)
	box := mailbox.Start(t, mailbox.Options{})
	log := &logs{}
	relayed(t, st, box, log)
	for i, hostile := range []string{
		"Party\r\nBcc: everybody@example.org", "Party\nBcc: everybody@example.org", "Party\rBcc: everybody@example.org", "Party\u2028Bcc: everybody@example.org",
		"Party\u0085Bcc: x@example.org", "a\x00b\r\n\r\n<b>body</b>", "=?utf-8?q?=0D=0ABcc:_x@example.org?=", `"><script>alert(1)</script>`, `", <everybody@example.org>, "`,
		"Name <everybody@example.org>", "everybody@example.org,", strings.Repeat("äöü 💥 ", 300), "{name} {title} {{.Link}} %s", "END:VEVENT\r\nBEGIN:VALARM", "\\n;ATTENDEE=x\nATTENDEE:mailto:everybody@example.org",
		"\ufeffx\u202egnp.exe", ".\r\n.\r\nQUIT\r\n",
	} {
		event := store.Event{
			ID: store.NewID(), OrganizerID: store.NewID(), Title: hostile, Description: hostile, Venue: hostile, TimeZone: hostile,
			Capacity: 5, StartsAt: storetest.Now().Add(24 * time.Hour), EndsAt: storetest.Now().Add(26 * time.Hour), CreatedAt: storetest.Now(),
		}
		if err := st.CreateEvent(t.Context(), event); err != nil {
			t.Fatal(err)
		}
		u := newUser(t, st, hostile)
		apply(t, st, register(event.ID, u))
		m := box.Await(t, u.Email, 1, limit)[0]
		r := m.Read(t)
		head, _, _ := bytes.Cut(m.Raw, []byte("\r\n\r\n"))
		for _, name := range []string{"Bcc", "Cc", "Attendee"} {
			if r.Header.Get(name) != "" {
				t.Errorf("%d: a header %s:\n%s", i, name, head)
			}
		}
		if len(r.Header["Subject"]) != 1 || len(r.Header["To"]) != 1 || r.To.Address != u.Email || m.To != u.Email {
			t.Errorf("%d: to %v, %s", i, r.To, head)
		}
		for line := range bytes.SplitSeq(head, []byte("\r\n")) {
			if len(line) > 998 || bytes.ContainsAny(line, "\r\n\x00") {
				t.Errorf("%d: a line of the header is %q", i, line)
			}
		}
		if html := r.Parts["text/html"]; strings.Contains(html, "<script") || strings.Contains(html, "<b>") {
			t.Errorf("%d: markup:\n%s", i, html)
		}
		cal, err := ics.ParseCalendar(strings.NewReader(r.Parts["text/calendar"]))
		if err != nil || len(cal.Events()) != 1 || len(cal.Events()[0].Attendees()) != 1 || len(cal.Events()[0].Alarms()) != 0 {
			t.Errorf("%d: %v:\n%s", i, err, r.Parts["text/calendar"])
		}
	}
	if n := len(box.To("everybody@example.org")); n != 0 {
		t.Errorf("%d mails went to everybody", n)
	}
}

// TestHostileAddresses: an address that is none is given up, and goes nowhere.
func TestHostileAddresses(t *testing.T) {
	st := openSQLite(t)
	box, log := mailbox.Start(t, mailbox.Options{}), &logs{}
	s := relayed(t, st, box, log)
	event := storetest.NewEvent(t, st, 100)
	n := int64(0)
	for _, hostile := range []string{
		"a@example.org\r\nRCPT TO:<everybody@example.org>", "a@example.org, everybody@example.org", "x <everybody@example.org>", "<everybody@example.org>;", "", "nobody",
		"a@freed.invalid", "a@INVALID.", store.FreedEmail(store.NewID()),
	} {
		u := newUser(t, st, "Ada")
		u.Email = hostile
		if err := st.EditUser(t.Context(), u); err != nil {
			t.Fatal(err)
		}
		apply(t, st, register(event.ID, u))
		n++
	}
	testenv.Eventually(t, limit, "give up", func() error {
		if got := s.Stats(); got.GivenUp != n || got.Sent != 0 {
			return fmt.Errorf("%+v, want %d given up", got, n)
		}
		return nil
	})
	if got := box.Mails(); len(got) != 0 {
		t.Errorf("mails went out: %+v", got)
	}
}

// TestABrokenMailboxHoldsUpNobody: refusals for now are repeated, those for good are given up, and others
// are not held up by either, nor by a mailbox that does not answer.
func TestABrokenMailboxHoldsUpNobody(t *testing.T) {
	st := openSQLite(t)
	users := map[string]store.User{}
	for _, name := range []string{"fine", "gone", "full", "hangs", "spam"} {
		users[name] = newUser(t, st, name)
	}
	var full atomic.Int64
	hang := make(chan struct{})
	box := mailbox.Start(t, mailbox.Options{
		Rcpt: func(address string) error {
			switch address {
			case users["gone"].Email:
				return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "nobody here is called " + address}
			case users["full"].Email:
				if full.Add(1) < 3 {
					return &smtp.SMTPError{Code: 452, EnhancedCode: smtp.EnhancedCode{4, 2, 2}, Message: "full: " + address}
				}
			case users["hangs"].Email:
				<-hang
			}
			return nil
		},
		Data: func(m mailbox.Mail) error {
			if m.To == users["spam"].Email {
				return &smtp.SMTPError{Code: 554, Message: "spam to " + m.To}
			}
			return nil
		},
	})
	log := &logs{}
	s := relayed(t, st, box, log)
	event := storetest.NewEvent(t, st, 100)
	for _, name := range []string{"hangs", "gone", "full", "spam", "fine"} {
		apply(t, st, register(event.ID, users[name]))
	}
	box.Await(t, users["fine"].Email, 1, limit)
	box.Await(t, users["full"].Email, 1, limit)
	testenv.Eventually(t, limit, "give up", func() error {
		if got := s.Stats(); got.GivenUp != 2 || got.Sent != 2 || got.PutOff < 2 {
			return fmt.Errorf("%+v", got)
		}
		return nil
	})
	close(hang)
	box.Await(t, users["hangs"].Email, 1, limit)
	testenv.Eventually(t, limit, "log it", func() error {
		if !strings.Contains(log.String(), `"smtp_code":550`) || !strings.Contains(log.String(), `"smtp_code":554`) || !strings.Contains(log.String(), `"smtp_code":452`) {
			return errors.New(log.String())
		}
		return nil
	})
	for _, u := range users {
		wantNothingPersonal(t, log.String(), store.User{Email: u.Email, Name: "\x00"})
	}
}

// TestAServerThatIsAway: everything comes when it is back, and once.
func TestAServerThatIsAway(t *testing.T) {
	st := openSQLite(t)
	box := mailbox.Start(t, mailbox.Options{})
	log := &logs{}
	s := relayed(t, st, box, log)
	box.Stop()
	event := storetest.NewEvent(t, st, 100)
	var people []store.User
	for range 5 {
		u := newUser(t, st, "Ada")
		people = append(people, u)
		apply(t, st, register(event.ID, u))
	}
	testenv.Eventually(t, limit, "notice", func() error {
		if s.Stats().PutOff == 0 {
			return errors.New("nothing was tried")
		}
		return nil
	})
	back := mailbox.Start(t, mailbox.Options{Addr: box.Addr()})
	for _, u := range people {
		if got := back.Await(t, u.Email, 1, limit); len(got) != 1 {
			t.Errorf("%d mails", len(got))
		}
	}
}

// TestTLSIsRequired: no mail and no password goes in the clear, nor to a server that cannot prove who it is,
// unless it was told so.
func TestTLSIsRequired(t *testing.T) {
	st := openSQLite(t)
	plain := mailbox.Start(t, mailbox.Options{})
	secure := mailbox.Start(t, mailbox.Options{TLS: true, User: "u", Password: "p"})
	starttls := mailbox.Start(t, mailbox.Options{STARTTLS: true, User: "u", Password: "p"})
	event := storetest.NewEvent(t, st, 100)
	for name, c := range map[string]struct {
		url   string
		box   *mailbox.Server
		known bool
		comes bool
	}{
		"no STARTTLS offered":    {"smtp://" + plain.Addr(), plain, true, false},
		"TLS to a plain server":  {"smtps://" + plain.Addr(), plain, true, false},
		"unknown authority":      {secure.URL(), secure, false, false},
		"unknown, STARTTLS":      {starttls.URL(), starttls, false, false},
		"wrong password":         {strings.Replace(secure.URL(), "u:p@", "u:wrong@", 1), secure, true, false},
		"TLS and a password":     {secure.URL(), secure, true, true},
		"STARTTLS with password": {starttls.URL(), starttls, true, true},
		"told to do without":     {plain.URL(), plain, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			authorities := c.box.Authorities()
			if !c.known {
				authorities = nil
			}
			server, err := mail.ParseServer(c.url, authorities)
			if err != nil {
				t.Fatal(err)
			}
			log := &logs{}
			s := mail.NewSender(st, server, site(""), zerolog.New(log))
			u := newUser(t, st, "Ada")
			err = st.AddMails(t.Context(), []outbox.Mail{{
				Key: store.NewID().Hex(), Kind: outbox.Registered, UserID: u.ID, EventID: event.ID, CreatedAt: time.Now(), ExpiresAt: time.Now().Add(time.Second), DueAt: time.Now(),
			}})
			if err != nil {
				t.Fatal(err)
			}
			stop := run(t, s.Run)
			testenv.Eventually(t, limit, "try", func() error {
				if got := s.Stats(); got.PutOff+got.Sent == 0 {
					return errors.New("nothing was tried")
				}
				return nil
			})
			stop()
			if came := len(c.box.To(u.Email)) > 0; came != c.comes {
				t.Errorf("the mail has come: %v\n%s", came, log)
			}
		})
	}
}

// TestServerURLs: what cannot be meant is refused, and nothing prints the password.
func TestServerURLs(t *testing.T) {
	for _, wrong := range []string{
		"", "mail.example.org", "mail.example.org:587", "http://mail.example.org", "smtp://", "smtp:///x", "smtp://h/x", "smtp://h:0", "smtp://h:70000", "smtp://h:x",
		"smtp://user@h", "smtp://:s3cret@h", "smtp://u:s3cret@h?tls=none", "smtp://h?tls=off", "smtps://h?tls=none", "smtp://h#x", "smtp://u:s3%cret@h", "smtp://u:s3cret@h?x=y",
	} {
		s, err := mail.ParseServer(wrong, nil)
		if !errors.Is(err, mail.ErrServerURL) {
			t.Errorf("%q is %v, %v", wrong, s, err)
		}
		if err != nil && strings.Contains(err.Error(), "s3") {
			t.Errorf("the error quotes the password: %v", err)
		}
	}
	for right, want := range map[string]string{
		"smtp://mail.example.org": "mail.example.org:587", "smtps://mail.example.org": "mail.example.org:465", "smtp://mail.example.org?tls=none": "mail.example.org:25",
		"smtp://u:s3%25cret%40x@mail.example.org:2525/": "mail.example.org:2525", "smtps://[::1]:1465": "[::1]:1465",
	} {
		s, err := mail.ParseServer(right, nil)
		if err != nil || s.String() != want {
			t.Errorf("%q is %v, %v", right, s, err)
		}
		for _, form := range []string{"%v", "%+v", "%#v", "%s"} {
			if text := fmt.Sprintf(form, s); strings.Contains(text, "cret") {
				t.Errorf("%s prints %s", form, text)
			}
		}
	}
}
