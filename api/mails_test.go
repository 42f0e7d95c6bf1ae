package api

import (
	"context"
	"errors"
	"fmt"
	netmail "net/mail"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/eventio/eventio/api/gate"
	"github.com/eventio/eventio/api/problem"
	"github.com/eventio/eventio/api/serve"
	"github.com/eventio/eventio/internal/identity"
	"github.com/eventio/eventio/internal/testenv"
	"github.com/eventio/eventio/internal/testenv/mailbox"
	"github.com/eventio/eventio/pkg/messages"
	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/outbox"
	"github.com/eventio/eventio/relay/mail"
)

// posted is an API whose mails are sent to a real server.
type posted struct {
	*instance
	site *site
	box  *mailbox.Server
}

// withMail runs a test over every store with an API that has mails sent.
func withMail(t *testing.T, test func(*testing.T, posted)) {
	t.Helper()
	eachStore(t, func(t *testing.T, s *site) {
		box := mailbox.Start(t, mailbox.Options{})
		server, err := mail.ParseServer(box.URL(), nil)
		if err != nil {
			t.Fatal(err)
		}
		sender := mail.NewSender(s.st.(mail.SenderStore), server, mail.Site{From: netmail.Address{Address: "eventio@example.net"}, PublicURL: "https://eventio.test"}, zerolog.New(s.log))
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { sender.Run(ctx) })
		t.Cleanup(func() { cancel(); running.Wait() })
		test(t, posted{s.start(t, identity.Keys{}), s, box})
	})
}

var linkToken = regexp.MustCompile(`https://eventio\.test/(?:reset|prove)#([A-Za-z0-9_-]{43})`)

// token waits for the nth mail to an address, and returns the token of its link.
func (p posted) token(t *testing.T, address string, n int) string {
	t.Helper()
	text := p.box.Await(t, address, n, patience)[n-1].Read(t).Parts["text/plain"]
	found := linkToken.FindStringSubmatch(text)
	if found == nil {
		t.Fatalf("no link in\n%s", text)
	}
	return found[1]
}

func resetBody(email string) string { return `{"email":` + jsonText(email) + `}` }

func newPasswordBody(token, password string) string {
	return `{"token":` + jsonText(token) + `,"password":` + jsonText(password) + `}`
}

// TestAForgottenPassword: the link sets a new one, once, ends all log-ins and proves the address.
func TestAForgottenPassword(t *testing.T) {
	withMail(t, func(t *testing.T, p posted) {
		ada := p.newMember(t)
		const next = "wrong horse battery"
		p.ask(t, "POST", serve.PathResets, resetBody(" "+strings.ToUpper(ada.email)), with("Host", "evil.example"), with("X-Forwarded-Host", "evil.example")).want(t, 202, "")
		token := p.token(t, ada.email, 1)
		if raw := string(p.box.To(ada.email)[0].Raw); strings.Contains(raw, "evil.example") {
			t.Errorf("the mail has a name from the request:\n%s", raw)
		}
		p.ask(t, "GET", "/api/session", "", bearer(ada.token)).want(t, 200, "")
		confirm := serve.PathResets + "/confirm"
		p.ask(t, "POST", confirm, newPasswordBody(token, "short")).want(t, 400, problem.Invalid)
		p.ask(t, "POST", confirm, newPasswordBody(token, ada.email)).want(t, 400, problem.Invalid) // too easy to guess
		p.ask(t, "POST", "/api/users/"+ada.id+"/email-proof/confirm", `{"token":"`+token+`"}`, bearer(ada.token)).want(t, 410, problem.LinkInvalid)
		p.ask(t, "POST", confirm, newPasswordBody(token, next)).want(t, 204, "")
		p.ask(t, "GET", "/api/session", "", bearer(ada.token)).want(t, 401, "")
		p.ask(t, "POST", "/api/login", logInBody(ada.email, ada.password)).want(t, 401, "")
		again := p.ask(t, "POST", "/api/login", logInBody(ada.email, next)).want(t, 200, "").field(t, "token")
		if got := p.ask(t, "GET", "/api/users/"+ada.id, "", bearer(again)); !strings.Contains(got.body, "email_proven_at") {
			t.Errorf("the address is not proven: %s", got.body)
		}
		p.ask(t, "POST", confirm, newPasswordBody(token, "a third horse battery")).want(t, 410, problem.LinkInvalid)
		for _, secret := range []string{token, next} {
			if strings.Contains(p.site.log.text(), secret) {
				t.Errorf("the log has %q", secret)
			}
		}
		for _, want := range []string{`"security_event":"password_reset_asked"`, `"reason":"reset"`, `"security_event":"email_proven"`} {
			if !strings.Contains(p.site.log.text(), want) {
				t.Errorf("the log has no %s", want)
			}
		}
	})
}

// TestLinksThatDoNotCount: whatever has happened since the link was made that makes it a danger.
func TestLinksThatDoNotCount(t *testing.T) {
	withMail(t, func(t *testing.T, p posted) {
		mails := p.site.st.(outbox.Outbox)
		issue := func(ada member, change func(*outbox.Token)) string {
			id, err := store.ParseID(ada.id)
			if err != nil {
				t.Fatal(err)
			}
			text := outbox.NewToken()
			token := outbox.Token{Hash: outbox.Hash(text), Kind: outbox.PasswordReset, UserID: id, Address: ada.email, ExpiresAt: time.Now().Add(time.Hour)}
			change(&token)
			if err := mails.AddToken(t.Context(), token); err != nil {
				t.Fatal(err)
			}
			return text
		}
		same := func(*outbox.Token) {}
		fresh := p.newMember(t)
		p.ask(t, "POST", serve.PathResets+"/confirm", newPasswordBody(issue(fresh, same), "wrong horse battery")).want(t, 204, "")
		for name, c := range map[string]struct {
			change func(*outbox.Token)
			since  func(member)
			status int
			code   problem.Code
		}{
			"expired":      {func(t *outbox.Token) { t.ExpiresAt = time.Now() }, func(member) {}, 410, problem.LinkInvalid},
			"another kind": {func(t *outbox.Token) { t.Kind = outbox.EmailProof }, func(member) {}, 410, problem.LinkInvalid},
			"nobody's":     {func(t *outbox.Token) { t.UserID = store.NewID() }, func(member) {}, 410, problem.LinkInvalid},
			"password since": {same, func(m member) {
				p.ask(t, "POST", "/api/users/"+m.id+"/password", changeBody(m.password, "another horse battery"), bearer(m.token)).want(t, 204, "")
			}, 410, problem.LinkInvalid},
			"address since": {same, func(m member) {
				p.ask(t, "PATCH", "/api/users/"+m.id, `{"email":"`+store.NewID().Hex()+`@example.org"}`, bearer(m.token)).want(t, 200, "")
			}, 410, problem.LinkInvalid},
			"erased since": {same, func(m member) { p.ask(t, "DELETE", "/api/users/"+m.id, "", bearer(m.token)).want(t, 204, "") }, 410, problem.LinkInvalid},
			"locked since": {same, func(m member) {
				id, _ := store.ParseID(m.id)
				if _, err := p.site.st.LockUser(t.Context(), id, time.Now()); err != nil {
					t.Fatal(err)
				}
			}, 410, problem.LinkInvalid},
			"locked": {func(t *outbox.Token) { t.PasswordVersion = 1 }, func(m member) {
				id, _ := store.ParseID(m.id)
				if _, err := p.site.st.LockUser(t.Context(), id, time.Now()); err != nil {
					t.Fatal(err)
				}
			}, 403, problem.AccountLocked},
		} {
			t.Run(name, func(t *testing.T) {
				m := p.newMember(t)
				token := issue(m, c.change)
				c.since(m)
				p.ask(t, "POST", serve.PathResets+"/confirm", newPasswordBody(token, "wrong horse battery")).want(t, c.status, c.code)
				p.ask(t, "POST", "/api/login", logInBody(m.email, "wrong horse battery")).want(t, 401, "")
			})
		}
	})
}

// TestNobodyLearnsWhoHasAnAddress: the answer is the same to the byte, the work for it is the same, and the
// address decides nothing about limits.
func TestNobodyLearnsWhoHasAnAddress(t *testing.T) {
	withMail(t, func(t *testing.T, p posted) {
		ada := p.newMember(t)
		reads := &countingUsers{Store: p.site.st}
		requester, err := messages.NewRequester(p.site.link(p.site.connect(t)))
		if err != nil {
			t.Fatal(err)
		}
		a := New(reads, requester, Config{Access: gate.Config{Mode: gate.Token, Guard: p.guard, RateLimits: true}, Mail: p.site.st.(outbox.Outbox)}, zerolog.New(p.site.log))
		t.Cleanup(a.Wait)
		i := &instance{a, p.guard}
		known := i.ask(t, "POST", serve.PathResets, resetBody(ada.email), from("192.0.2.1:1")).want(t, 202, "")
		unknown := i.ask(t, "POST", serve.PathResets, resetBody("nobody@example.org"), from("192.0.2.2:1")).want(t, 202, "")
		for _, name := range []string{"Date", "X-Request-Id"} {
			known.header.Del(name)
			unknown.header.Del(name)
		}
		if known.body != unknown.body || fmt.Sprint(known.header) != fmt.Sprint(unknown.header) {
			t.Errorf("the answers are %+v and %+v", known, unknown)
		}
		if reads.n != 0 {
			t.Errorf("the API has looked for the address %d times", reads.n)
		}
		p.box.Await(t, ada.email, 1, patience)
		// However often, and from wherever: one mail in five minutes.
		for n := range 20 {
			i.ask(t, "POST", serve.PathResets, resetBody(ada.email), from(fmt.Sprintf("192.0.2.%d:1", n+10))).want(t, 202, "")
		}
		// One address is limited like log-ins.
		var last reply
		for range 11 {
			last = i.ask(t, "POST", serve.PathResets, resetBody("somebody@example.org"), from("198.51.100.1:1"))
		}
		last.want(t, 429, problem.RateLimited)
		other := p.newMember(t)
		i.ask(t, "POST", serve.PathResets, resetBody(other.email), from("192.0.2.40:1")).want(t, 202, "")
		p.box.Await(t, other.email, 1, patience)
		if got := len(p.box.To(ada.email)); got > 2 { // two when five minutes end meanwhile
			t.Errorf("%d mails to one person", got)
		}
	})
}

// countingUsers counts how often an address is looked for.
type countingUsers struct {
	store.Store
	n int
}

func (c *countingUsers) UserByEmail(ctx context.Context, email string) (store.User, error) {
	c.n++
	return c.Store.UserByEmail(ctx, email)
}

// TestAnAddressIsTakenBackByProof: whoever has the mailbox gets the address, and the account that had it
// loses it with its log-ins.
func TestAnAddressIsTakenBackByProof(t *testing.T) {
	withMail(t, func(t *testing.T, p posted) {
		squatted := store.NewID().Hex() + "@example.org"
		squatter, owner, stranger := p.signUp(t, squatted, goodPassword), p.newMember(t), p.newMember(t)
		ask, confirm := "/api/users/"+owner.id+"/email-proof", "/api/users/"+owner.id+"/email-proof/confirm"
		p.ask(t, "POST", ask, `{"email":"`+squatted+`"}`, bearer(owner.token)).want(t, 202, "")
		token := `{"token":"` + p.token(t, squatted, 1) + `"}`
		// The link alone gives nobody anything: neither who gets it by mistake, nor a new password.
		p.ask(t, "POST", "/api/users/"+stranger.id+"/email-proof/confirm", token, bearer(stranger.token)).want(t, 410, problem.LinkInvalid)
		p.ask(t, "POST", confirm, token, bearer(stranger.token)).want(t, 403, problem.Forbidden)
		p.ask(t, "POST", confirm, token).want(t, 401, "")
		got := p.ask(t, "POST", confirm, token, bearer(owner.token)).want(t, 200, "")
		if got.field(t, "email") != squatted || got.field(t, "email_proven_at") == "" {
			t.Errorf("the account is %s", got.body)
		}
		p.ask(t, "GET", "/api/session", "", bearer(squatter.token)).want(t, 401, "")
		p.ask(t, "POST", "/api/login", logInBody(squatted, goodPassword)).want(t, 200, "")
		p.ask(t, "POST", confirm, token, bearer(owner.token)).want(t, 410, problem.LinkInvalid)
		// A proven one cannot be taken.
		p.ask(t, "POST", "/api/users/"+stranger.id+"/email-proof", `{"email":"`+squatted+`"}`, bearer(stranger.token)).want(t, 202, "")
		second := `{"token":"` + p.token(t, squatted, 2) + `"}`
		p.ask(t, "POST", "/api/users/"+stranger.id+"/email-proof/confirm", second, bearer(stranger.token)).want(t, 409, problem.EmailTaken)
		// One's own needs no fresh log-in, another one does.
		old, _, err := p.guard.Renew(identity.Person{ID: mustID(t, stranger.id), LoginAt: time.Now().Add(-time.Hour)})
		if err != nil {
			t.Fatal(err)
		}
		p.ask(t, "POST", "/api/users/"+stranger.id+"/email-proof", `{"email":"x@example.org"}`, bearer(old)).want(t, 403, problem.LoginTooOld)
		p.ask(t, "POST", "/api/users/"+stranger.id+"/email-proof", `{}`, bearer(old)).want(t, 202, "")
	})
}

func mustID(t *testing.T, hex string) store.ID {
	t.Helper()
	id, err := store.ParseID(hex)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// TestMailSettings: one click switches mails off, following the link changes nothing, and the page switches
// them on again.
func TestMailSettings(t *testing.T) {
	withMail(t, func(t *testing.T, p posted) {
		mails := p.site.st.(outbox.Outbox)
		s, err := mails.MailSettings(t.Context(), outbox.Settings{UserID: store.NewID(), Token: outbox.NewToken()})
		if err != nil {
			t.Fatal(err)
		}
		path := "/api/mail-settings/" + s.Token
		off := func() bool {
			t.Helper()
			got, err := mails.MailSettingsOf(t.Context(), s.Token)
			if err != nil {
				t.Fatal(err)
			}
			return !got.OffAt.IsZero()
		}
		if r := p.ask(t, "GET", path, "").want(t, 200, ""); r.body != `{"event_mail":true}` || off() {
			t.Errorf("%s, off: %v", r.body, off())
		}
		r := p.ask(t, "GET", path, "", with("Accept", "text/html,application/xhtml+xml,*/*;q=0.8")).want(t, 303, "")
		if r.header.Get("Location") != "../../mail#"+s.Token || off() {
			t.Errorf("%v, off: %v", r.header, off())
		}
		oneClick := func(r *reply) {
			*r = p.ask(t, "POST", path, "List-Unsubscribe=One-Click", with("Content-Type", "application/x-www-form-urlencoded"))
		}
		for range 2 {
			if oneClick(&r); r.status != 200 || r.body != `{"event_mail":false}` || !off() {
				t.Errorf("%d %s, off: %v", r.status, r.body, off())
			}
		}
		if r := p.ask(t, "PUT", path, `{"event_mail":true}`).want(t, 200, ""); r.body != `{"event_mail":true}` || off() {
			t.Errorf("%s, off: %v", r.body, off())
		}
		p.ask(t, "POST", "/api/mail-settings/short", "").want(t, 410, problem.LinkInvalid)
		if strings.Contains(p.site.log.text(), s.Token) {
			t.Error("the log has the token")
		}
	})
}

// TestTheLanguageOfMails: who signs up with a German browser gets German mails.
func TestTheLanguageOfMails(t *testing.T) {
	withMail(t, func(t *testing.T, p posted) {
		for header, want := range map[string]string{"de-AT,de;q=0.9,en;q=0.5": "de", "fr": "", "en-GB": "", "": ""} {
			r := p.ask(t, "POST", "/api/users", signUpBody(store.NewID().Hex()+"@example.org", goodPassword), with("Accept-Language", header)).want(t, 201, "")
			got, err := p.site.st.(outbox.Outbox).MailSettings(t.Context(), outbox.Settings{UserID: mustID(t, r.field(t, "id")), Token: outbox.NewToken()})
			if err != nil || got.Language != want {
				t.Errorf("%q: %+v, %v", header, got, err)
			}
		}
	})
}

// TestWithoutMail: who asks for a mail where none is sent is told so.
func TestWithoutMail(t *testing.T) {
	s := newSite(t, "sqlite")
	i := s.start(t, identity.Keys{})
	ada := i.newMember(t)
	requester, err := messages.NewRequester(s.link(s.connect(t)))
	if err != nil {
		t.Fatal(err)
	}
	without := New(s.st, requester, Config{Access: gate.Config{Mode: gate.Token, Guard: i.guard}}, zerolog.New(s.log))
	t.Cleanup(without.Wait)
	i = &instance{without, i.guard}
	for _, c := range []struct{ method, path, body string }{
		{"POST", serve.PathResets, resetBody(ada.email)}, {"POST", serve.PathResets + "/confirm", newPasswordBody(outbox.NewToken(), "wrong horse battery")},
		{"POST", "/api/users/" + ada.id + "/email-proof", `{}`}, {"POST", "/api/users/" + ada.id + "/email-proof/confirm", `{"token":"` + outbox.NewToken() + `"}`},
		{"GET", "/api/mail-settings/" + outbox.NewToken(), ""}, {"POST", "/api/mail-settings/" + outbox.NewToken(), ""},
		{"PUT", "/api/mail-settings/" + outbox.NewToken(), `{"event_mail":true}`},
	} {
		i.ask(t, c.method, c.path, c.body, bearer(ada.token)).want(t, 404, problem.NoMail)
	}
}

// TestAResetIsSentOnce: two people who use one link at the same time do not both get through.
func TestAResetIsSentOnce(t *testing.T) {
	withMail(t, func(t *testing.T, p posted) {
		ada := p.newMember(t)
		p.ask(t, "POST", serve.PathResets, resetBody(ada.email)).want(t, 202, "")
		token := p.token(t, ada.email, 1)
		var mu sync.Mutex
		statuses := make(map[int]int)
		var all sync.WaitGroup
		for n := range 4 {
			all.Go(func() {
				r := p.ask(t, "POST", serve.PathResets+"/confirm", newPasswordBody(token, fmt.Sprintf("horse battery number %d", n)))
				mu.Lock()
				defer mu.Unlock()
				statuses[r.status]++
			})
		}
		all.Wait()
		if statuses[204] != 1 || statuses[410] != 3 {
			t.Errorf("the answers were %v, want one 204", statuses)
		}
		testenv.Eventually(t, patience, "forget the link", func() error {
			_, err := p.site.st.(outbox.Outbox).Token(t.Context(), outbox.Hash(token), time.Now())
			if !errors.Is(err, outbox.ErrNoToken) {
				return fmt.Errorf("it is there: %w", err)
			}
			return nil
		})
	})
}

// TestALinkIsNotHeldUp: who waits for a link gets it before mails about events, however many wait.
func TestALinkIsNotHeldUp(t *testing.T) {
	eachStore(t, func(t *testing.T, s *site) {
		i, mails := s.start(t, identity.Keys{}), s.st.(outbox.Outbox)
		ada, now := i.newMember(t), time.Now()
		var others []outbox.Mail
		for n := range 5 {
			others = append(others, outbox.Mail{Key: fmt.Sprint("k", n), Kind: outbox.EventChanged, CreatedAt: now, DueAt: now.Add(-time.Hour), ExpiresAt: now.Add(time.Hour)})
		}
		if err := mails.AddMails(t.Context(), others); err != nil {
			t.Fatal(err)
		}
		i.ask(t, "POST", serve.PathResets, resetBody(ada.email)).want(t, 202, "")
		got, err := mails.ClaimMails(t.Context(), time.Now(), time.Now().Add(time.Minute), 1)
		if err != nil || len(got) != 1 || got[0].Kind != outbox.PasswordReset {
			t.Errorf("the first mail is %+v, %v", got, err)
		}
	})
}

// TestAnExportHasTheSettingsOfMail, which are stored of a person.
func TestAnExportHasTheSettingsOfMail(t *testing.T) {
	eachStore(t, func(t *testing.T, s *site) {
		i, mails := s.start(t, identity.Keys{}), s.st.(outbox.Outbox)
		ada := i.newMember(t)
		if r := i.ask(t, "GET", "/api/users/"+ada.id+"/export", "", bearer(ada.token)).want(t, 200, ""); strings.Contains(r.body, "mail_language") {
			t.Errorf("the export is %s", r.body)
		}
		settings, err := mails.MailSettings(t.Context(), outbox.Settings{UserID: mustID(t, ada.id), Token: outbox.NewToken(), Language: "de"})
		if settings.OffAt = time.Now(); err == nil {
			err = mails.SetMailSettings(t.Context(), settings)
		}
		if err != nil {
			t.Fatal(err)
		}
		r := i.ask(t, "GET", "/api/users/"+ada.id+"/export", "", bearer(ada.token)).want(t, 200, "")
		if !strings.Contains(r.body, `"mail_language":"de"`) || !strings.Contains(r.body, `"event_mail_off_at"`) || strings.Contains(r.body, settings.Token) {
			t.Errorf("the export is %s", r.body)
		}
	})
}
