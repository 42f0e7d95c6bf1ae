package client_test

import (
	"slices"
	"testing"
	"time"

	"github.com/eventio/eventio/pkg/client"
	"github.com/eventio/eventio/pkg/store/outbox"
)

// TestLinksByMail: what is asked for is a mail, and the token of its link sets a password or proves an
// address.
func TestLinksByMail(t *testing.T) {
	s, nobody := newService(t)
	ctx := t.Context()
	ada := signUp(t, nobody, "ada")
	for _, err := range []error{nobody.ResetPassword(ctx, ada.Email), ada.AskForProof(ctx, ada.ID, ""), ada.AskForProof(ctx, ada.ID, "countess@example.org")} {
		if err != nil {
			t.Fatal(err)
		}
	}
	now := time.Now()
	mails := must[[]outbox.Mail](t)(s.mails.ClaimMails(ctx, now, now.Add(time.Minute), 10))
	var asked []string
	for _, m := range mails {
		asked = append(asked, string(m.Kind)+" "+m.Address)
	}
	slices.Sort(asked)
	want := []string{string(outbox.EmailProof) + " " + ada.Email, string(outbox.EmailProof) + " countess@example.org", string(outbox.PasswordReset) + " " + ada.Email}
	if slices.Sort(want); !slices.Equal(asked, want) {
		t.Errorf("the mails are %q, want %q", asked, want)
	}
	link := func(kind outbox.Kind, address string) string {
		token := outbox.NewToken()
		if err := s.mails.AddToken(ctx, outbox.Token{Hash: outbox.Hash(token), Kind: kind, UserID: ada.ID, Address: address, ExpiresAt: now.Add(time.Hour)}); err != nil {
			t.Fatal(err)
		}
		return token
	}
	proof := link(outbox.EmailProof, "countess@example.org")
	if u := must[client.User](t)(ada.ProveEmail(ctx, ada.ID, proof)); u.Email != "countess@example.org" || u.EmailProvenAt.IsZero() {
		t.Errorf("she is %+v", u)
	}
	_, err := ada.ProveEmail(ctx, ada.ID, proof)
	wants(t, err, client.CodeLinkInvalid)
	reset := link(outbox.PasswordReset, "countess@example.org")
	if err := nobody.SetNewPassword(ctx, reset, "wrong horse battery"); err != nil {
		t.Fatal(err)
	}
	wants(t, nobody.SetNewPassword(ctx, reset, "wrong horse battery"), client.CodeLinkInvalid)
	_ = must[client.Session](t)(nobody.LogIn(ctx, "countess@example.org", "wrong horse battery"))
}
