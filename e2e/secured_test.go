package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/eventio/eventio/internal/testenv"
	"github.com/eventio/eventio/internal/testenv/mailbox"
	"github.com/eventio/eventio/pkg/client"
)

// secured is a cluster as docs/operations.md describes it: TLS, and a user with the least rights for each part.
type secured struct {
	*cluster
	authority *testenv.Authority
	mongodb   *testenv.Mongo
	folder    string // of secrets
}

func newSecured(t *testing.T) *secured {
	t.Helper()
	authority := testenv.NewAuthority(t)
	nats := testenv.StartNATSSecured(t, authority)
	s := &secured{&cluster{env: append(os.Environ(), "MONGODB_URI=", "EVENTIO_ADDR=127.0.0.1:0")}, authority, testenv.StartMongoSecured(t, authority), t.TempDir()}
	s.cluster = s.with("NATS_URL="+strings.Replace(nats.URL(), "nats://", "tls://", 1), "NATS_CA="+authority.CA)
	return s
}

// secret writes a file of a secret.
func (s *secured) secret(t *testing.T, name, value string) string {
	t.Helper()
	path := filepath.Join(s.folder, name)
	if err := os.WriteFile(path, []byte(value+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// part is the cluster as one part sees it: api, worker, notifier, or operator.
func (s *secured) part(t *testing.T, name string) *cluster {
	uri := s.mongodb.SecuredURI(name, testenv.MongoPassword(name))
	if name == "api" {
		uri = s.mongodb.CertifiedURI(s.authority.PEM(name))
	}
	return s.with("NATS_USER="+name, "NATS_PASSWORD_FILE="+s.secret(t, "nats-"+name, testenv.NATSPassword(name)), "NATS_INBOX_PREFIX=_INBOX_"+name,
		"MONGODB_URI_FILE="+s.secret(t, "mongodb-"+name, uri))
}

// eventio runs a command of eventio as one part, and returns what it says.
func (s *secured) eventio(t *testing.T, part string, args ...string) (string, error) {
	t.Helper()
	cmd := exec.Command(filepath.Join(programs, "eventio"), args...)
	cmd.Env = s.part(t, part).env
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// TestSecured: with TLS, users of their own and the least permissions of deploy/nats and deploy/mongodb everything
// works: registrations, live streams, webhooks, mail, the end of tokens, erasure, repairs. Who has another password
// is told so at once.
func TestSecured(t *testing.T) {
	s := newSecured(t)
	if out, err := s.eventio(t, "worker", "migrate"); err == nil || !strings.Contains(out, "forbids the user") && !strings.Contains(out, "as one who may") {
		t.Errorf("a worker's user migrates: %v\n%s", err, out)
	}
	if out, err := s.eventio(t, "migrate", "migrate"); err != nil {
		t.Fatalf("eventio migrate: %v\n%s", err, out)
	}
	box, hooks := mailbox.Start(t, mailbox.Options{STARTTLS: true, User: "events", Password: "hunter2-mail"}), newReceiver(t)
	smtp := s.secret(t, "smtp", box.URL())
	api := s.part(t, "api").with("EVENTIO_WEBHOOK_ALLOW=127.0.0.0/8", "EVENTIO_MAIL=true")
	notifier := s.part(t, "notifier").with("EVENTIO_WEBHOOK_ALLOW=127.0.0.0/8", "SSL_CERT_FILE="+hooks.certificate,
		"EVENTIO_SMTP_URL_FILE="+smtp, "EVENTIO_SMTP_CA="+box.CAFile(t), "EVENTIO_MAIL_FROM=tickets@example.org", "EVENTIO_PUBLIC_URL=https://events.example.org")
	parts := []*process{s.part(t, "worker").start(t, "worker"), api.start(t, "api"), api.start(t, "api"), notifier.start(t, "notifier")}
	for _, p := range parts {
		testenv.Eventually(t, limit, p.Name+" is ready", func() error { _, err := probed(p, "/readyz", http.StatusOK); return err })
	}
	ctx, cancel := context.WithTimeout(t.Context(), 4*limit)
	defer cancel()
	a, b := newClient(t, parts[1].addr), newClient(t, parts[2].addr)
	signUp := func(at *client.Client, name string) client.Session {
		user, err := at.SignUp(ctx, client.NewUser{Name: name, Email: name + "@example.org", Password: "correct horse battery"})
		succeeds(t, err)
		return user
	}
	ada, bob := signUp(a, "ada"), signUp(b, "bob")
	wish := newEvent(3)
	wish.OrganizerID = client.ID{}
	e, err := a.As(ada.Token).CreateEvent(ctx, wish)
	succeeds(t, err)
	hooks.mu.Lock()
	hook, err := a.As(ada.Token).CreateWebhook(ctx, client.NewWebhook{URL: hooks.URL + "/hook"})
	hooks.secret = hook.Secret
	hooks.mu.Unlock()
	succeeds(t, err)

	seen := make(chan int64, 100)
	go func() {
		for state, err := range b.LiveEvent(ctx, e.ID) {
			if err != nil {
				return
			}
			seen <- state.TicketsSold
		}
	}()
	if sold := <-seen; sold != 0 {
		t.Errorf("a live stream begins with %d", sold)
	}
	_, err = a.As(bob.Token).Register(ctx, e.ID, client.ID{})
	succeeds(t, err)
	select {
	case sold := <-seen:
		if sold != 1 {
			t.Errorf("a live stream goes on with %d", sold)
		}
	case <-time.After(limit):
		t.Error("a live stream does not tell of a registration")
	}
	box.Await(t, "bob@example.org", 1, limit)
	testenv.Eventually(t, limit, "call the webhook", func() error {
		if hooks.count() == 0 {
			return errors.New("nobody did")
		}
		return nil
	})
	succeeds(t, a.As(bob.Token).ChangePassword(ctx, bob.ID, "correct horse battery", "another horse battery"))
	testenv.Eventually(t, limit, "the end of a token at the other process", func() error {
		if _, err := b.As(bob.Token).User(ctx, bob.ID); !errors.Is(err, client.CodeUnauthenticated) {
			return fmt.Errorf("the answer is %v", err)
		}
		return nil
	})
	useEverything(t, b.As(ada.Token), ada, e, hook.ID, box)
	another, err := a.LogIn(ctx, "bob@example.org", "another horse battery")
	succeeds(t, err)
	succeeds(t, a.As(another.Token).DeleteUser(ctx, bob.ID))
	testenv.Eventually(t, limit, "scrub what an erased person has left", func() error {
		if !parts[0].Says("scrubbed the registrations of erased users") {
			return errors.New("the worker does not say it")
		}
		return nil
	})
	if out, err := s.eventio(t, "operator", "verify", "--repair"); err != nil || !strings.Contains(out, "clean") {
		t.Errorf("eventio verify --repair: %v\n%s", err, out)
	}
	for _, p := range parts {
		for line := range bytes.Lines(p.Output()) {
			if !json.Valid(line) {
				t.Errorf("%s logs what is no JSON: %s", p.Name, line)
			}
		}
		if log := p.Tail(); p.Says("ermissions") || p.Says("refuses") || p.Says("not authorized") || p.Says("nauthorized") || p.Says("cannot ") || p.Says("password-of-") || p.Says("hunter2") {
			t.Errorf("%s is refused something, or tells a secret:\n%s", p.Name, log)
		}
	}

	stranger := api.with("NATS_PASSWORD_FILE="+s.secret(t, "nats-wrong", "hunter2-hunter2")).start(t, "api")
	testenv.Eventually(t, limit, "say that the login is refused", func() error {
		if !stranger.Says("NATS refuses the login of this process") || !stranger.Says(`"login":"user api"`) {
			return errors.New(stranger.Tail())
		}
		return nil
	})
	if body, err := probed(stranger, "/readyz", http.StatusServiceUnavailable); err != nil || stranger.Says("hunter2") {
		t.Errorf("%v, %s", err, body)
	}
}

// mailedToken matches the token of a link that was mailed.
var mailedToken = regexp.MustCompile(`https://events\.example\.org/(?:reset|prove)#([A-Za-z0-9_-]{43})`)

// useEverything has the API do what else it does: each call needs rights in the database.
func useEverything(t *testing.T, a *client.Client, ada client.Session, e client.Event, hook client.ID, box *mailbox.Server) {
	t.Helper()
	ctx := t.Context()
	name, title, off := "Countess", "Opening night", false
	_, err := a.EditUser(ctx, ada.ID, client.UserEdit{Name: &name})
	succeeds(t, err)
	_, err = a.EditEvent(ctx, e.ID, e.ETag, client.EventEdit{Title: &title})
	succeeds(t, err)
	_, made, err := a.PutRegistration(ctx, e.ID, ada.ID)
	if succeeds(t, err); !made {
		t.Error("nothing is made")
	}
	_, err = a.Registration(ctx, e.ID, ada.ID)
	succeeds(t, err)
	succeeds(t, a.CancelRegistration(ctx, e.ID, ada.ID))
	logIns, err := a.LogIns(ctx, ada.ID)
	if succeeds(t, err); len(logIns) != 1 {
		t.Errorf("%d log-ins", len(logIns))
	}
	count := func(what string, least, n int) {
		if n < least {
			t.Errorf("%s: %d, want %d or more", what, n, least)
		}
	}
	n := 0
	for _, err := range a.ExportUser(ctx, ada.ID) {
		succeeds(t, err)
		n++
	}
	count("records of an export", 3, n)
	page, err := a.EventChangesPage(ctx, e.ID, client.ChangesQuery{})
	succeeds(t, err)
	count("changes of an event", 3, len(page.Items))
	mine, err := a.UserChangesPage(ctx, ada.ID, client.UserChangesQuery{})
	succeeds(t, err)
	count("changes of a person", 2, len(mine.Items))
	guests, err := a.AttendeesPage(ctx, e.ID, client.AttendeesQuery{})
	succeeds(t, err)
	count("guests", 1, len(guests.Items))
	events, err := a.EventsPage(ctx, client.EventQuery{Search: "opening"})
	succeeds(t, err)
	count("events that are found", 1, len(events.Items))

	calls, err := a.WebhookCalls(ctx, hook)
	succeeds(t, err)
	count("calls of a webhook", 1, len(calls))
	_, err = a.RenewWebhookSecret(ctx, hook)
	succeeds(t, err)
	succeeds(t, a.TestWebhook(ctx, hook))
	succeeds(t, a.ReplayWebhook(ctx, hook, time.Now().Add(-time.Hour)))
	_, err = a.EditWebhook(ctx, hook, client.WebhookEdit{Active: &off})
	succeeds(t, err)
	succeeds(t, a.DeleteWebhook(ctx, hook))

	before := len(box.To(ada.Email))
	token := func(ask error) string {
		succeeds(t, ask)
		var found []string
		testenv.Eventually(t, limit, "mail a link", func() error {
			for _, m := range box.To(ada.Email)[before:] {
				if found = mailedToken.FindStringSubmatch(m.Read(t).Parts["text/plain"]); found != nil {
					return nil
				}
			}
			return errors.New("there is none")
		})
		before = len(box.To(ada.Email))
		return found[1]
	}
	proven, err := a.ProveEmail(ctx, ada.ID, token(a.AskForProof(ctx, ada.ID, "")))
	if succeeds(t, err); proven.Email != ada.Email {
		t.Errorf("%s is proven", proven.Email)
	}
	succeeds(t, a.SetNewPassword(ctx, token(a.ResetPassword(ctx, ada.Email)), "yet another battery"))
	_, err = a.LogIn(ctx, ada.Email, "yet another battery")
	succeeds(t, err)
}
