package mail_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/eventio/eventio/internal/testenv"
	"github.com/eventio/eventio/internal/testenv/mailbox"
	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/hooks"
	"github.com/eventio/eventio/pkg/store/outbox"
	"github.com/eventio/eventio/pkg/store/storetest"
	"github.com/eventio/eventio/relay/mail"
)

// rowsOf reads the record of an event.
func rowsOf(t *testing.T, st store.Store, event store.ID) []store.ChangeRecord {
	t.Helper()
	var rows []store.ChangeRecord
	for row, err := range st.EventChanges(t.Context(), event, 0, 0) {
		if err != nil {
			t.Fatal(err)
		}
		rows = append(rows, row)
	}
	return rows
}

// sent waits until so many mails are sent, and then that no other follows at once.
func sent(t *testing.T, n int64, senders ...*mail.Sender) {
	t.Helper()
	testenv.Eventually(t, limit, "send all mails", func() error {
		var all int64
		for _, s := range senders {
			all += s.Stats().Sent
		}
		if all < n {
			return fmt.Errorf("%d are sent, want %d", all, n)
		}
		return nil
	})
}

// TestOnceOfEachChange: rows that come again, from however many processes, and before or after the mail
// was sent, tell nobody twice.
func TestOnceOfEachChange(t *testing.T) {
	stores(t, func(t *testing.T, st fullStore) {
		box := mailbox.Start(t, mailbox.Options{})
		a, b := sender(t, st, box, &logs{}), sender(t, st, box, &logs{})
		event := storetest.NewEvent(t, st, 100)
		const people = 30
		var users []store.User
		var batch []store.SeatRequest
		for i := range people {
			users = append(users, newUser(t, st, fmt.Sprint("Person ", i)))
			batch = append(batch, register(event.ID, users[i]))
		}
		apply(t, st, batch...)
		title := "Moved"
		apply(t, st, storetest.NewEdit(event.ID, store.Edit{Version: store.AnyVersion, Title: &title}))
		deliver := func() {
			for _, s := range []*mail.Sender{a, b} {
				if err := mail.NewSink(st, s.Wake).Deliver(t.Context(), rowsOf(t, st, event.ID)); err != nil {
					t.Fatal(err)
				}
			}
		}
		deliver()
		run(t, a.Run)
		run(t, b.Run)
		deliver()
		sent(t, 2*people, a, b)
		deliver()
		canary := newUser(t, st, "Canary")
		apply(t, st, register(event.ID, canary))
		deliver()
		box.Await(t, canary.Email, 1, limit)
		for _, u := range users {
			if got := box.To(u.Email); len(got) != 2 {
				t.Errorf("%s was told %d times, want 2", u.Name, len(got))
			}
		}
	})
}

// dying is a store in which a process cannot note that mails are sent, as if it was killed then.
type dying struct{ fullStore }

func (dying) FinishMail(context.Context, outbox.Mail, time.Time) error {
	return fmt.Errorf("%w: killed", outbox.ErrClaimLost)
}

// TestADoubleHasTheSameMessageID: a process that dies after the server has taken a mail, and before it has
// noted that, is the one case in which it is sent again: under the same Message-ID.
func TestADoubleHasTheSameMessageID(t *testing.T) {
	st := openSQLite(t)
	box := mailbox.Start(t, mailbox.Options{})
	killed := sender(t, dying{st}, box, &logs{})
	killed.SetClaim(300 * time.Millisecond)
	event, u := storetest.NewEvent(t, st, 1), newUser(t, st, "Ada")
	apply(t, st, register(event.ID, u))
	if err := mail.NewSink(st, killed.Wake).Deliver(t.Context(), rowsOf(t, st, event.ID)); err != nil {
		t.Fatal(err)
	}
	stop := run(t, killed.Run)
	box.Await(t, u.Email, 1, limit)
	stop()
	run(t, sender(t, st, box, &logs{}).Run)
	got := box.Await(t, u.Email, 2, limit)
	if first, second := got[0].Read(t).Header.Get("Message-Id"), got[1].Read(t).Header.Get("Message-Id"); first != second || first == "" {
		t.Errorf("message ids are %q and %q", first, second)
	}
}

// TestImportsAndErasedPeople: who came with an import is told nothing of it, and erased people nothing at all.
func TestImportsAndErasedPeople(t *testing.T) {
	st := openSQLite(t)
	box := mailbox.Start(t, mailbox.Options{})
	s := sender(t, st, box, &logs{})
	event := storetest.NewEvent(t, st, 10)
	ada, eve := newUser(t, st, "Ada"), newUser(t, st, "Eve")
	apply(t, st, register(event.ID, eve), register(event.ID, ada))
	if err := st.EraseUser(t.Context(), eve.ID, time.Now()); err != nil {
		t.Fatal(err)
	}
	imported := store.ImportRecord(event, []store.ID{ada.ID}, time.Now())
	imported.EventID = store.NewID()
	if err := mail.NewSink(st, s.Wake).Deliver(t.Context(), append(rowsOf(t, st, event.ID), imported)); err != nil {
		t.Fatal(err)
	}
	run(t, s.Run)
	box.Await(t, ada.Email, 1, limit)
	testenv.Eventually(t, limit, "drop the other", func() error {
		if got := s.Stats(); got.Dropped != 1 || got.Sent != 1 {
			return fmt.Errorf("%+v", got)
		}
		return nil
	})
}

// TestRanges: people who move up in numbers that the record does not name are told all the same.
func TestRanges(t *testing.T) {
	stores(t, func(t *testing.T, st fullStore) {
		box := mailbox.Start(t, mailbox.Options{})
		s := sender(t, st, box, &logs{})
		event := storetest.NewWaitlistEvent(t, st, 1)
		var users []store.User
		for i := range 4 {
			users = append(users, newUser(t, st, fmt.Sprint("Person ", i)))
			apply(t, st, register(event.ID, users[i]))
		}
		capacity := int64(3)
		apply(t, st, storetest.NewEdit(event.ID, store.Edit{Version: store.AnyVersion, Capacity: &capacity}))
		rows := rowsOf(t, st, event.ID)
		last := rows[len(rows)-1]
		last.Actions[0].Promoted.Users = nil
		if err := mail.NewSink(st, s.Wake).Deliver(t.Context(), []store.ChangeRecord{last}); err != nil {
			t.Fatal(err)
		}
		run(t, s.Run)
		sent(t, 2, s)
		for i, want := range []int{0, 1, 1, 0} {
			if got := box.To(users[i].Email); len(got) != want {
				t.Errorf("%d mails to number %d, want %d", len(got), i+1, want)
			}
		}
	})
}

var link = regexp.MustCompile(public + `/(\w+)#(\S+)`)

// TestAskedMails: a link goes to the address as it is stored, in the language in which it was asked for, and
// works for as long as it says. Nobody gets one for an address that nobody has.
func TestAskedMails(t *testing.T) {
	stores(t, func(t *testing.T, st fullStore) {
		box := mailbox.Start(t, mailbox.Options{})
		s, log := (*mail.Sender)(nil), &logs{}
		s = sender(t, st, box, log)
		ada, locked := newUser(t, st, "Ada"), newUser(t, st, "Locked")
		if _, err := st.LockUser(t.Context(), locked.ID, time.Now()); err != nil {
			t.Fatal(err)
		}
		asked := func(kind outbox.Kind, user store.ID, address, language string) outbox.Mail {
			now := time.Now().UTC()
			return outbox.Mail{Key: store.NewID().Hex(), Kind: kind, UserID: user, Address: address, Language: language, CreatedAt: now, DueAt: now, ExpiresAt: now.Add(time.Hour)}
		}
		late := asked(outbox.PasswordReset, store.ID{}, ada.Email, "")
		late.ExpiresAt = time.Now()
		err := st.AddMails(t.Context(), []outbox.Mail{
			asked(outbox.PasswordReset, store.ID{}, strings.ToUpper(ada.Email), "de"), asked(outbox.EmailProof, ada.ID, "other@people.example.org", ""), late,
			asked(outbox.PasswordReset, store.ID{}, "nobody@people.example.org", ""), asked(outbox.PasswordReset, store.ID{}, locked.Email, ""),
			asked(outbox.EmailProof, store.NewID(), "erased@people.example.org", ""),
		})
		if err != nil {
			t.Fatal(err)
		}
		run(t, s.Run)
		testenv.Eventually(t, limit, "do with all of them", func() error {
			if got := s.Stats(); got.Sent != 2 || got.Dropped != 3 || got.GivenUp != 1 {
				return fmt.Errorf("%+v", got)
			}
			return nil
		})
		reset, proof := box.Await(t, ada.Email, 1, limit), box.Await(t, "other@people.example.org", 1, limit)
		if reset[0].To != ada.Email {
			t.Errorf("the link went to %q, want the address as it is stored", reset[0].To)
		}
		for _, c := range []struct {
			m       mailbox.Mail
			page    string
			kind    outbox.Kind
			address string
			life    time.Duration
			subject string
		}{
			{reset[0], "reset", outbox.PasswordReset, ada.Email, time.Hour, "Ein neues Passwort"},
			{proof[0], "prove", outbox.EmailProof, "other@people.example.org", 24 * time.Hour, "Is this address yours?"},
		} {
			r := c.m.Read(t)
			found := link.FindStringSubmatch(r.Parts["text/plain"])
			if r.Subject != c.subject || found == nil || found[1] != c.page || !strings.Contains(r.Parts["text/html"], found[0]) {
				t.Fatalf("%s\n%s", r.Subject, r.Parts["text/plain"])
			}
			if r.Header.Get("List-Unsubscribe") != "" {
				t.Error("a mail that was asked for can be switched off")
			}
			token, err := st.Token(t.Context(), outbox.Hash(found[2]), time.Now().Add(c.life-time.Minute))
			if err != nil || token.UserID != ada.ID || token.Kind != c.kind || token.Address != c.address {
				t.Errorf("%+v, %v", token, err)
			}
			if _, err := st.Token(t.Context(), outbox.Hash(found[2]), time.Now().Add(c.life)); !errors.Is(err, outbox.ErrNoToken) {
				t.Errorf("it works for longer than %v", c.life)
			}
			if strings.Contains(log.String(), found[2]) {
				t.Error("the log has the token")
			}
		}
		wantNothingPersonal(t, log.String(), ada)
	})
}

// TestSwitchedOff: who has switched mails about events off gets none, and the links that they ask for.
func TestSwitchedOff(t *testing.T) {
	st := openSQLite(t)
	box := mailbox.Start(t, mailbox.Options{})
	s := relayed(t, st, box, &logs{})
	u := newUser(t, st, "Ada")
	first, second := storetest.NewEvent(t, st, 2), storetest.NewEvent(t, st, 2)
	if _, err := st.MailSettings(t.Context(), outbox.Settings{UserID: u.ID, Token: outbox.NewToken(), Language: "de"}); err != nil {
		t.Fatal(err)
	}
	apply(t, st, register(first.ID, u))
	r := box.Await(t, u.Email, 1, limit)[0].Read(t)
	if !strings.HasPrefix(r.Subject, "Du bist dabei:") || !strings.Contains(r.Parts["text/plain"], "Mittwoch, 25. November 2026") {
		t.Errorf("the mail is not in the language of the person:\n%s", r.Parts["text/plain"])
	}
	header := strings.Trim(r.Header.Get("List-Unsubscribe"), "<>")
	settings, err := st.MailSettingsOf(t.Context(), header[strings.LastIndexByte(header, '/')+1:])
	if err != nil || settings.UserID != u.ID {
		t.Fatalf("%+v, %v", settings, err)
	}
	if found := link.FindStringSubmatch(r.Parts["text/plain"]); found == nil || found[2] != url.QueryEscape(settings.Token) {
		t.Errorf("the link of the page is %v", found)
	}
	settings.OffAt = time.Now()
	if err := st.SetMailSettings(t.Context(), settings); err != nil {
		t.Fatal(err)
	}
	apply(t, st, register(second.ID, u))
	testenv.Eventually(t, limit, "drop it", func() error {
		if got := s.Stats(); got.Dropped != 1 {
			return fmt.Errorf("%+v", got)
		}
		return nil
	})
	now := time.Now()
	err = st.AddMails(t.Context(), []outbox.Mail{{Key: "reset", Kind: outbox.PasswordReset, Address: u.Email, CreatedAt: now, DueAt: now, ExpiresAt: now.Add(time.Hour)}})
	if err != nil {
		t.Fatal(err)
	}
	if got := box.Await(t, u.Email, 2, limit); len(got) != 2 {
		t.Errorf("%d mails", len(got))
	}
}

// TestAWebhookThatIsOff: its owner is told whom it called and what was answered, but for what may be a secret in
// its URL, and nothing when it is on again. It is no mail about events, so it cannot be switched off.
func TestAWebhookThatIsOff(t *testing.T) {
	st := openSQLite(t)
	box := mailbox.Start(t, mailbox.Options{})
	s := relayed(t, st, box, &logs{})
	u := newUser(t, st, "Ada")
	if _, err := st.MailSettings(t.Context(), outbox.Settings{UserID: u.ID, Token: outbox.NewToken(), OffAt: time.Now()}); err != nil {
		t.Fatal(err)
	}
	now := time.Now().UTC().Truncate(time.Millisecond)
	hook := store.Webhook{ID: store.NewID(), OwnerID: u.ID, URL: "https://hooks.example.org/key-of-ada?secret=1", LastError: "the answer is 410", OffSince: now, CreatedAt: now, Version: 1}
	if err := st.CreateWebhook(t.Context(), hook); err != nil {
		t.Fatal(err)
	}
	told := mail.OfWebhook(hook)
	if !told.DueAt.After(now.Add(5 * time.Second)) {
		t.Errorf("it is due at %v, and the webhook switched off at %v at the earliest", told.DueAt, now)
	}
	told.DueAt = now
	if err := st.AddMails(t.Context(), []outbox.Mail{told, told}); err != nil { // told once
		t.Fatal(err)
	}
	r := box.Await(t, u.Email, 1, limit)[0].Read(t)
	text := r.Parts["text/plain"]
	if r.Subject != "A webhook is switched off" || !strings.Contains(text, "hooks.example.org: the answer is 410") || !strings.Contains(text, public+"/docs") {
		t.Errorf("%s\n%s", r.Subject, text)
	}
	if strings.Contains(text+r.Parts["text/html"], "key-of-ada") || r.Header.Get("List-Unsubscribe") != "" {
		t.Errorf("it tells a secret, or can be switched off: %v\n%s", r.Header, text)
	}
	if err := hooks.Remove(t.Context(), st, hook.ID); err != nil {
		t.Fatal(err)
	}
	hook.FailingSince = now.Add(time.Millisecond)
	told = mail.OfWebhook(hook)
	told.DueAt = now
	if err := st.AddMails(t.Context(), []outbox.Mail{told}); err != nil {
		t.Fatal(err)
	}
	testenv.Eventually(t, limit, "drop the mail about a webhook that is gone", func() error {
		if got := s.Stats(); got.Dropped != 1 || got.Sent != 1 {
			return fmt.Errorf("%+v", got)
		}
		return nil
	})
}

// TestAWebhookThatIsNotOffYet: the process that stored the mail died before it switched the webhook off. The
// owner is told when another one has, and once; and not at all when the webhook has healed meanwhile.
func TestAWebhookThatIsNotOffYet(t *testing.T) {
	for name, healed := range map[string]bool{"is_switched_off_later": false, "has_healed": true} {
		t.Run(name, func(t *testing.T) {
			st := openSQLite(t)
			box := mailbox.Start(t, mailbox.Options{})
			s := relayed(t, st, box, &logs{})
			u := newUser(t, st, "Ada")
			now := time.Now().UTC().Truncate(time.Millisecond)
			hook := store.Webhook{ID: store.NewID(), OwnerID: u.ID, URL: "https://hooks.example.org/", Active: true, LastError: "the answer is 500", FailingSince: now, CreatedAt: now, Version: 1}
			if err := st.CreateWebhook(t.Context(), hook); err != nil {
				t.Fatal(err)
			}
			tell := func(offAt time.Time) {
				t.Helper()
				then := hook
				then.Active, then.OffSince = false, offAt
				told := mail.OfWebhook(then)
				told.DueAt = now
				if err := st.AddMails(t.Context(), []outbox.Mail{told}); err != nil {
					t.Fatal(err)
				}
			}
			tell(now)
			becomes := func(what string, ok func(mail.Stats) bool) {
				t.Helper()
				testenv.Eventually(t, limit, what, func() error {
					if got := s.Stats(); !ok(got) {
						return fmt.Errorf("%+v", got)
					}
					return nil
				})
			}
			becomes("wait", func(s mail.Stats) bool { return s.PutOff > 0 })
			if !healed {
				tell(now.Add(time.Second)) // the one that switches it off stores it too
			}
			_, err := hooks.Edit(t.Context(), st, hook.ID, func(w *store.Webhook) error {
				if w.FailingSince = (time.Time{}); !healed {
					w.Active, w.OffSince, w.FailingSince = false, now.Add(time.Second), now
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			if healed {
				becomes("be dropped", func(s mail.Stats) bool { return s.Dropped == 1 && s.Sent == 0 })
				return
			}
			box.Await(t, u.Email, 1, limit)
			becomes("be sent once", func(s mail.Stats) bool { return s.Sent == 1 })
		})
	}
}

// TestOldNews: nobody is told of what happened long ago, when mail is switched on again.
func TestOldNews(t *testing.T) {
	st := openSQLite(t)
	event, u := storetest.NewEvent(t, st, 10), newUser(t, st, "Ada")
	apply(t, st, register(event.ID, u))
	rows := rowsOf(t, st, event.ID)
	claimed := func(at time.Time) int {
		rows[0].At = at
		rows[0].Revision++ // another change
		if err := mail.NewSink(st, func() {}).Deliver(t.Context(), rows); err != nil {
			t.Fatal(err)
		}
		mails, err := st.ClaimMails(t.Context(), time.Now(), time.Now().Add(time.Hour), 10)
		if err != nil {
			t.Fatal(err)
		}
		return len(mails)
	}
	if old, new := claimed(time.Now().Add(-73*time.Hour)), claimed(time.Now().Add(-71*time.Hour)); old != 0 || new != 1 {
		t.Errorf("%d mails of what is old, %d of what is not", old, new)
	}
}
