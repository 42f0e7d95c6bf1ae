package e2e

import (
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/eventio/eventio/internal/testenv"
	"github.com/eventio/eventio/pkg/client"
)

// TestTokenMode: two API processes that were told nothing share the key they find in the
// store; people act as themselves at either, until a password changes.
func TestTokenMode(t *testing.T) {
	c := newCluster(t)
	c.env = append(slices.Clip(c.env), "EVENTIO_AUTH=token")
	a, b := newClient(t, c.start(t, "api").addr), newClient(t, c.start(t, "api").addr)
	c.start(t, "worker")

	ctx := t.Context()
	signUp := func(at *client.Client, name string) client.Session {
		user, err := at.SignUp(ctx, client.NewUser{Name: name, Email: name + "@example.org", Password: "correct horse battery"})
		succeeds(t, err)
		return user
	}
	ada, bob := signUp(a, "ada"), signUp(b, "bob")
	opening := newEvent(2)
	opening.OrganizerID = client.ID{}
	_, err := a.CreateEvent(ctx, opening)
	refuses(t, err, client.CodeUnauthenticated)
	e, err := b.As(ada.Token).CreateEvent(ctx, opening)
	succeeds(t, err)
	_, err = a.As(bob.Token).Register(ctx, e.ID, ada.ID)
	refuses(t, err, client.CodeForbidden)
	_, err = a.As(bob.Token).Register(ctx, e.ID, client.ID{})
	succeeds(t, err)
	_, err = b.As(bob.Token).Register(ctx, e.ID, client.ID{})
	refuses(t, err, client.CodeAlreadyRegistered)
	reads := func(at *client.Client, token string) error {
		_, err := at.As(token).RosterPage(ctx, e.ID, client.RosterQuery{})
		return err
	}
	refuses(t, reads(b, bob.Token), client.CodeForbidden)
	refuses(t, reads(a, ""), client.CodeUnauthenticated)
	if users := roster(t, b.As(ada.Token), e, ""); !slices.Equal(users, []client.ID{bob.ID}) {
		t.Errorf("the roster is %v", users)
	}

	// An operator's token is as good.
	mint := exec.Command(filepath.Join(programs, "eventio"), "token", "--user", ada.ID.Hex())
	mint.Env = c.env
	minted, err := mint.Output()
	succeeds(t, err)
	token := strings.TrimSpace(string(minted))
	succeeds(t, reads(a, token))

	succeeds(t, a.As(ada.Token).ChangePassword(ctx, ada.ID, "correct horse battery", "another horse battery"))
	for _, old := range []string{ada.Token, token} {
		testenv.Eventually(t, 5*time.Second, "the end of an earlier token at the other process", func() error {
			if err := reads(b, old); !errors.Is(err, client.CodeUnauthenticated) {
				return fmt.Errorf("the answer is %v", err)
			}
			return nil
		})
	}
	refuses(t, reads(b, bob.Token), client.CodeForbidden) // others are not touched
}
