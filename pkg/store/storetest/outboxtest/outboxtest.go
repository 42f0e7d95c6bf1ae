// Package outboxtest is the conformance suite of package outbox: Run, which every adapter passes.
package outboxtest

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/outbox"
	"github.com/eventio/eventio/pkg/store/storetest"
)

// Run runs the suite. open makes a fresh target for each test; its stores implement outbox.Outbox.
func Run(t *testing.T, open func(testing.TB) storetest.Target) {
	for name, test := range map[string]func(*testing.T, storetest.Target){
		"a mail is stored once":                 testAddOnce,
		"a claim is exclusive":                  testClaims,
		"a claim that was lost settles no":      testLostClaim,
		"mails that are put off come back":      testPutOff,
		"tokens end":                            testTokens,
		"settings":                              testSettings,
		"erasing a person takes all of it away": testErase,
	} {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}

// both returns the outboxes of two processes.
func both(t *testing.T, target storetest.Target) (a, b outbox.Outbox) {
	t.Helper()
	return target.Store.(outbox.Outbox), target.Again(t).(outbox.Outbox)
}

// newMail returns a mail with every field.
func newMail(key string) outbox.Mail {
	now := storetest.Now()
	return outbox.Mail{
		Key: key, Kind: outbox.Registered, UserID: store.NewID(), Address: "ada@example.org", Language: "de", EventID: store.NewID(),
		Revision: 7, Number: 3, CreatedAt: now, ExpiresAt: now.Add(time.Hour), DueAt: now,
	}
}

func add(t *testing.T, o outbox.Outbox, mails ...outbox.Mail) {
	t.Helper()
	if err := o.AddMails(storetest.Context(t), mails); err != nil {
		t.Fatal(err)
	}
}

// claim claims mails for a minute.
func claim(t *testing.T, o outbox.Outbox, at time.Time, limit int) []outbox.Mail {
	t.Helper()
	mails, err := o.ClaimMails(storetest.Context(t), at, at.Add(time.Minute), limit)
	if err != nil {
		t.Fatal(err)
	}
	return mails
}

func testAddOnce(t *testing.T, target storetest.Target) {
	a, b := both(t, target)
	m, now := newMail("k-1"), storetest.Now()
	add(t, a)
	add(t, a, m)
	add(t, b, m, newMail("k-1"))
	got := claim(t, b, now, 10)
	m.Attempt, m.DueAt = 1, now.Add(time.Minute)
	if len(got) != 1 || got[0] != m {
		t.Fatalf("claimed %+v, want %+v", got, m)
	}
	if err := b.FinishMail(storetest.Context(t), got[0], time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	add(t, a, m) // it was sent
	if got := claim(t, a, now.Add(24*time.Hour), 10); len(got) != 0 {
		t.Fatalf("a mail that was sent is there again: %+v", got)
	}
	// Finished mails go when their time has come, at the latest then.
	if _, err := a.ForgetMails(storetest.Context(t), time.Now()); err != nil {
		t.Fatal(err)
	}
	add(t, b, m)
	if got := claim(t, b, now.Add(24*time.Hour), 10); len(got) != 0 {
		t.Fatalf("a mail that was sent was forgotten too early: %+v", got)
	}
}

func testClaims(t *testing.T, target storetest.Target) {
	a, b := both(t, target)
	const n = 40
	now := storetest.Now()
	for i := range n {
		m := newMail(fmt.Sprintf("k-%d", i))
		m.DueAt = now.Add(time.Duration(i) * time.Second)
		add(t, a, m)
	}
	if got := claim(t, a, now.Add(-time.Second), 10); len(got) != 0 {
		t.Fatalf("claimed %+v before their time", got)
	}
	if got := claim(t, a, now.Add(time.Second), 1); len(got) != 1 || got[0].Key != "k-0" {
		t.Fatalf("claimed %+v, want the one that is due longest", got)
	}
	var mu sync.Mutex
	seen := make(map[string]int)
	var group sync.WaitGroup
	for i := range 8 {
		o := a
		if i%2 == 1 {
			o = b
		}
		group.Go(func() {
			for {
				mails, err := o.ClaimMails(storetest.Context(t), now.Add(n*time.Second), now.Add(time.Hour), 3)
				if errors.Is(err, store.ErrUnavailable) {
					continue // another process writes
				}
				if err != nil {
					t.Error(err)
				}
				if len(mails) == 0 {
					return
				}
				mu.Lock()
				for _, m := range mails {
					seen[m.Key]++
				}
				mu.Unlock()
			}
		})
	}
	group.Wait()
	delete(seen, "k-0")
	if len(seen) != n-1 {
		t.Fatalf("%d mails were claimed, want %d", len(seen), n-1)
	}
	for key, times := range seen {
		if times != 1 {
			t.Errorf("%s was claimed %d times", key, times)
		}
	}
}

func testLostClaim(t *testing.T, target storetest.Target) {
	a, b := both(t, target)
	now := storetest.Now()
	add(t, a, newMail("k-1"))
	first := claim(t, a, now, 1)[0]
	second := claim(t, b, now.Add(2*time.Minute), 1)
	if len(second) != 1 || second[0].Attempt != 2 {
		t.Fatalf("claimed %+v when the claim was over, want attempt 2", second)
	}
	for _, err := range []error{a.FinishMail(storetest.Context(t), first, now), a.PutOffMail(storetest.Context(t), first)} {
		if !errors.Is(err, outbox.ErrClaimLost) {
			t.Errorf("a claim that was lost ended with %v", err)
		}
	}
	for range 2 { // settling may be repeated
		if err := b.FinishMail(storetest.Context(t), second[0], time.Now().Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.FinishMail(storetest.Context(t), newMail("nobody's"), now); err != nil {
		t.Errorf("settling a mail that was removed: %v", err)
	}
}

func testPutOff(t *testing.T, target storetest.Target) {
	a, b := both(t, target)
	now := storetest.Now()
	add(t, a, newMail("k-1"))
	m := claim(t, a, now, 1)[0]
	m.DueAt = now.Add(10 * time.Second)
	if err := a.PutOffMail(storetest.Context(t), m); err != nil {
		t.Fatal(err)
	}
	if got := claim(t, b, now.Add(9*time.Second), 1); len(got) != 0 {
		t.Fatalf("%+v came back before its time", got)
	}
	if got := claim(t, b, now.Add(10*time.Second), 1); len(got) != 1 || got[0].Attempt != 2 || got[0].Address != m.Address {
		t.Fatalf("%+v came back, want attempt 2 of %+v", got, m)
	}
}

func newToken(user store.ID, kind outbox.Kind) (string, outbox.Token) {
	text := outbox.NewToken()
	return text, outbox.Token{
		Hash: outbox.Hash(text), Kind: kind, UserID: user, Address: "ada@example.org", PasswordVersion: 2, ExpiresAt: time.Now().Add(time.Hour).UTC().Truncate(time.Millisecond),
	}
}

func testTokens(t *testing.T, target storetest.Target) {
	a, b := both(t, target)
	ada, eve := store.NewID(), store.NewID()
	text, token := newToken(ada, outbox.PasswordReset)
	_, second := newToken(ada, outbox.PasswordReset)
	_, proof := newToken(ada, outbox.EmailProof)
	_, others := newToken(eve, outbox.PasswordReset)
	for _, v := range []outbox.Token{token, second, proof, others, token} {
		if err := a.AddToken(storetest.Context(t), v); err != nil {
			t.Fatal(err)
		}
	}
	want := func(v outbox.Token, at time.Time, there bool) {
		t.Helper()
		got, err := b.Token(storetest.Context(t), v.Hash, at)
		if there && (err != nil || got != v) {
			t.Fatalf("%+v, %v; want %+v", got, err, v)
		}
		if !there && !errors.Is(err, outbox.ErrNoToken) {
			t.Fatalf("%+v, %v; want none", got, err)
		}
	}
	want(token, time.Now(), true)
	want(token, token.ExpiresAt.Add(-time.Millisecond), true)
	want(token, token.ExpiresAt, false)
	want(outbox.Token{Hash: outbox.Hash(text + "x")}, time.Now(), false)
	if err := b.DropTokens(storetest.Context(t), ada, outbox.PasswordReset); err != nil {
		t.Fatal(err)
	}
	want(token, time.Now(), false)
	want(second, time.Now(), false)
	want(proof, time.Now(), true)
	want(others, time.Now(), true)
	if _, err := a.ForgetMails(storetest.Context(t), proof.ExpiresAt.Add(-time.Second)); err != nil {
		t.Fatal(err)
	}
	want(proof, time.Now(), true)
}

func testSettings(t *testing.T, target storetest.Target) {
	a, b := both(t, target)
	fresh := outbox.Settings{UserID: store.NewID(), Token: outbox.NewToken(), Language: "de"}
	if got, err := a.MailSettings(storetest.Context(t), outbox.Settings{UserID: fresh.UserID}); !errors.Is(err, outbox.ErrNoToken) {
		t.Fatalf("%+v, %v; want none", got, err)
	}
	for _, o := range []outbox.Outbox{a, b} {
		got, err := o.MailSettings(storetest.Context(t), fresh)
		if err != nil || got != fresh {
			t.Fatalf("%+v, %v; want %+v", got, err, fresh)
		}
	}
	again, err := b.MailSettings(storetest.Context(t), outbox.Settings{UserID: fresh.UserID, Token: outbox.NewToken()})
	if err != nil || again != fresh {
		t.Fatalf("%+v, %v; want %+v", again, err, fresh)
	}
	if got, err := b.MailSettings(storetest.Context(t), outbox.Settings{UserID: fresh.UserID}); err != nil || got != fresh {
		t.Fatalf("%+v, %v; want %+v", got, err, fresh)
	}
	for _, off := range []time.Time{storetest.Now(), {}} {
		fresh.OffAt, fresh.Language = off, "en"
		if err := a.SetMailSettings(storetest.Context(t), fresh); err != nil {
			t.Fatal(err)
		}
		got, err := b.MailSettingsOf(storetest.Context(t), fresh.Token)
		if err != nil || got != fresh {
			t.Fatalf("%+v, %v; want %+v", got, err, fresh)
		}
	}
	for _, token := range []string{"", "x", fresh.Token + "x"} {
		if _, err := a.MailSettingsOf(storetest.Context(t), token); !errors.Is(err, outbox.ErrNoToken) {
			t.Errorf("settings of %q: %v", token, err)
		}
	}
}

func testErase(t *testing.T, target storetest.Target) {
	a, b := both(t, target)
	now := storetest.Now()
	own, other := newMail("own"), newMail("other")
	add(t, a, own, other)
	_, token := newToken(own.UserID, outbox.EmailProof)
	if err := a.AddToken(storetest.Context(t), token); err != nil {
		t.Fatal(err)
	}
	settings := outbox.Settings{UserID: own.UserID, Token: outbox.NewToken()}
	if _, err := a.MailSettings(storetest.Context(t), settings); err != nil {
		t.Fatal(err)
	}
	if err := target.Store.EraseUser(storetest.Context(t), own.UserID, now); err != nil {
		t.Fatal(err)
	}
	if got := claim(t, b, now, 10); len(got) != 1 || got[0].Key != other.Key {
		t.Errorf("left are %+v, want %+v", got, other)
	}
	if _, err := b.Token(storetest.Context(t), token.Hash, time.Now()); !errors.Is(err, outbox.ErrNoToken) {
		t.Errorf("the token: %v", err)
	}
	if _, err := b.MailSettingsOf(storetest.Context(t), settings.Token); !errors.Is(err, outbox.ErrNoToken) {
		t.Errorf("the settings: %v", err)
	}
}
