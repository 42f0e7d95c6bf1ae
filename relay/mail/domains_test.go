package mail_test

import (
	"errors"
	netmail "net/mail"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/eventio/eventio/internal/testenv"
	"github.com/eventio/eventio/internal/testenv/mailbox"
	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/outbox"
	"github.com/eventio/eventio/pkg/store/storetest"
	"github.com/eventio/eventio/relay/mail"
)

// TestDomainsInOtherLetters: a server that knows ASCII only takes mails to and from domains in other letters. Such
// letters before the @ have no other form, so that server refuses them, and one that knows them takes them.
func TestDomainsInOtherLetters(t *testing.T) {
	for name, knows := range map[string]bool{"ASCII only": false, "SMTPUTF8": true} {
		t.Run(name, func(t *testing.T) {
			st := openSQLite(t)
			box := mailbox.Start(t, mailbox.Options{ASCII: !knows})
			server, err := mail.ParseServer(box.URL(), box.Authorities())
			if err != nil {
				t.Fatal(err)
			}
			from := netmail.Address{Name: "Bücher", Address: "tickets@bücher.example"}
			s := mail.NewSender(st, server, mail.Site{From: from, PublicURL: public}, zerolog.Nop())
			event := storetest.NewEvent(t, st, 100)
			now := time.Now().UTC().Truncate(time.Millisecond)
			create := func(email string) {
				t.Helper()
				u := store.User{ID: store.NewID(), Name: "Ada", Email: email, PasswordHash: "x", CreatedAt: now}
				if err := st.CreateUser(t.Context(), u); err != nil {
					t.Fatal(err)
				}
				mails := []outbox.Mail{
					{Key: "reset-" + u.ID.Hex(), Kind: outbox.PasswordReset, Address: email, CreatedAt: now, DueAt: now, ExpiresAt: now.Add(time.Hour)},
					{Key: "seat-" + u.ID.Hex(), Kind: outbox.Registered, UserID: u.ID, EventID: event.ID, Number: 1, CreatedAt: now, DueAt: now, ExpiresAt: now.Add(time.Hour)},
				}
				if err := st.AddMails(t.Context(), mails); err != nil {
					t.Fatal(err)
				}
			}
			create("ada@bücher.example")
			create("josé@bücher.example")
			run(t, s.Run)
			got := box.Await(t, "ada@xn--bcher-kva.example", 2, limit)
			calendars := 0
			for _, m := range got {
				r := m.Read(t)
				if m.From != "tickets@xn--bcher-kva.example" || r.To.Address != "ada@xn--bcher-kva.example" || !strings.HasSuffix(r.Header.Get("Message-ID"), "@xn--bcher-kva.example>") {
					t.Errorf("from %s, to %v, %s", m.From, r.To, r.Header.Get("Message-ID"))
				}
				calendar := strings.ReplaceAll(r.Parts["text/calendar"], "\r\n ", "")
				if calendar == "" {
					continue
				}
				calendars++
				if !strings.Contains(calendar, "mailto:ada@xn--bcher-kva.example\r\n") || !strings.Contains(calendar, "mailto:tickets@xn--bcher-kva.example\r\n") {
					t.Errorf("the calendar has other addresses:\n%s", calendar)
				}
			}
			if calendars != 1 {
				t.Errorf("%d mails have calendars, want 1", calendars)
			}
			if knows {
				box.Await(t, "josé@xn--bcher-kva.example", 2, limit)
				return
			}
			testenv.Eventually(t, limit, "give up what the server never takes", func() error {
				if s.Stats().GivenUp != 2 {
					return errors.New("it is tried again")
				}
				return nil
			})
		})
	}
}
