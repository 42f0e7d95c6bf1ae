package mongostore

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/eventio/eventio/internal/testenv"
	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/storetest"
)

// appUser returns a command about the user of these tests.
func appUser(command, password, role string) bson.D {
	roles := bson.A{bson.D{{Key: "role", Value: role}, {Key: "db", Value: "eventio"}}}
	return bson.D{{Key: command, Value: "app"}, {Key: "pwd", Value: password}, {Key: "roles", Value: roles}}
}

// TestALoginComesBack checks that a running process whose login is changed says that it is not
// ready, answers that surely nothing is stored, and works again by itself when the login does.
func TestALoginComesBack(t *testing.T) {
	m := testenv.StartMongoWithLogin(t)
	command := func(c bson.D) func() error { return func() error { return m.Command(c) } }
	must := func(do func() error) {
		t.Helper()
		if err := do(); err != nil {
			t.Fatal(err)
		}
	}
	must(command(appUser("createUser", "right", "readWrite")))
	var log bytes.Buffer
	s, err := Open(t.Context(), m.URIOf("app", "right"), zerolog.New(&log))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	event := storetest.NewEvent(t, s, 1_000_000)
	works := func() error {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := s.Apply(ctx, storetest.NewRequests(event.ID, 1))
		return errors.Join(err, s.Ping(ctx))
	}
	changed := appUser("updateUser", "another", "readWrite")
	for name, c := range map[string]struct{ harm, mend func() error }{
		"another password": {
			// The server asks for it when a connection is new.
			func() error { return errors.Join(m.Command(changed), m.Restart()) },
			command(appUser("updateUser", "right", "readWrite")),
		},
		// It goes on refusing the connections that were there, for ever.
		"dropped and made again": {
			command(bson.D{{Key: "dropUser", Value: "app"}}), command(appUser("createUser", "right", "readWrite")),
		},
		"no right to write": {
			command(appUser("updateUser", "right", "read")), command(appUser("updateUser", "right", "readWrite")),
		},
		"no right at all": {
			command(bson.D{{Key: "updateUser", Value: "app"}, {Key: "roles", Value: bson.A{}}}),
			command(appUser("updateUser", "right", "readWrite")),
		},
	} {
		t.Run(name, func(t *testing.T) {
			testenv.Eventually(t, 30*time.Second, "work", works)
			must(c.harm)
			within := func(what func(ctx context.Context) error) error {
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				return what(ctx)
			}
			for what, do := range map[string]func(context.Context) error{
				"a batch": func(ctx context.Context) error {
					_, err := s.Apply(ctx, storetest.NewRequests(event.ID, 2))
					return err
				},
				"a new event": func(ctx context.Context) error {
					return s.CreateEvent(ctx, store.Event{ID: store.NewID(), Title: "x", Capacity: 1})
				},
				"a new user": func(ctx context.Context) error {
					return s.CreateUser(ctx, store.User{ID: store.NewID(), Email: "who@example.org"})
				},
				"readiness": s.Ping,
			} {
				if err := within(do); !errors.Is(err, store.ErrNothingStored) {
					t.Errorf("%s: error is %v, want one that says that surely nothing is stored", what, err)
				} else if strings.Contains(err.Error(), "who@") {
					t.Errorf("%s: the error tells about people: %v", what, err)
				}
			}
			if err := within(func(ctx context.Context) error {
				_, err := s.UserByEmail(ctx, "who@example.org")
				return err
			}); err != nil && strings.Contains(err.Error(), "who@") {
				t.Errorf("the error of a read tells about people: %v", err)
			}
			must(c.mend)
			testenv.Eventually(t, 30*time.Second, "work again", works)
		})
	}
	if !strings.Contains(log.String(), "logging in again") {
		t.Errorf("the log does not tell that the login ended:\n%s", log.String())
	}
	storetest.Check(t, s, event.ID)
}

// TestALoginThatIsWrongAtTheStart checks that a wrong login at the start is reported at once, and
// without the password.
func TestALoginThatIsWrongAtTheStart(t *testing.T) {
	m := testenv.StartMongoWithLogin(t)
	for _, uri := range []string{m.URIOf("app", "hunter2"), "mongodb://app:hun/ter2@host/x", "mongodb://app:hun%zzter2@host", "mongodb://app:hun@ter2@host/"} {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		_, err := Open(ctx, uri, zerolog.Nop())
		cancel()
		if err == nil || errors.Is(err, context.DeadlineExceeded) || strings.Contains(err.Error(), "hun") || strings.Contains(err.Error(), "ter2") {
			t.Errorf("error is %v", err)
		}
	}
}
