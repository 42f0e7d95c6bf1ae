package mail_test

import (
	"errors"
	"strings"
	"testing"

	gomail "github.com/wneessen/go-mail"

	"github.com/eventio/eventio/internal/testenv/mailbox"
	"github.com/eventio/eventio/relay/mail"
)

// TestAChangedPasswordCountsAtOnce: the server is asked for before each mail; when that fails it is as it was.
func TestAChangedPasswordCountsAtOnce(t *testing.T) {
	box := mailbox.Start(t, mailbox.Options{TLS: true, User: "events", Password: "right-right"})
	parse := func(url string) mail.Server {
		t.Helper()
		server, err := mail.ParseServer(url, box.Authorities())
		if err != nil {
			t.Fatal(err)
		}
		return server
	}
	wrong := parse(strings.Replace(box.URL(), "right-right", "hunter2", 1))
	now, gone := wrong, error(nil)
	server := wrong.Renewing(func() (mail.Server, error) { return now, gone })
	send := func(wantSent bool) {
		t.Helper()
		m := gomail.NewMsg()
		if err := errors.Join(m.From("tickets@example.org"), m.To("ada@example.org")); err != nil {
			t.Fatal(err)
		}
		m.SetBodyString(gomail.TypeTextPlain, "x")
		if err := server.Send(t.Context(), m); (err == nil) != wantSent {
			t.Errorf("a mail is sent: %v", err)
		}
	}
	send(false)
	now = parse(box.URL())
	send(true)
	gone = errors.New("the file is gone")
	send(false)
}
