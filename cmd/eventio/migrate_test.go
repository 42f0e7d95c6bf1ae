package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/eventio/eventio/internal/process"
	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/foreign"
)

// schemaVersions change what a database says of its version.
func schemaVersions(tb testing.TB, f *fixture) (set func(version int)) {
	tb.Helper()
	if f.flags[0] == "--data" {
		return func(version int) { f.exec(tb, fmt.Sprintf(`PRAGMA user_version = %d`, version)) }
	}
	schema := mongoDatabase(tb, f.flags[1]).Collection("schema")
	return func(version int) {
		_, err := schema.UpdateOne(tb.Context(), bson.D{{Key: "_id", Value: "schema"}},
			bson.D{{Key: "$set", Value: bson.D{{Key: "version", Value: version}}}}, options.UpdateOne().SetUpsert(true))
		if err != nil {
			tb.Fatal(err)
		}
	}
}

// beforeVersions makes the folder one of a program that wrote no version.
func beforeVersions(tb testing.TB, f *fixture) {
	tb.Helper()
	old, err := os.ReadFile(filepath.Join("..", "..", "pkg", "store", "sqlitestore", "testdata", "v1", "eventio.db"))
	if err != nil {
		tb.Fatal(err)
	}
	path := filepath.Join(f.flags[1], "eventio.db")
	for _, beside := range []string{"-wal", "-shm"} {
		if err := os.Remove(path + beside); err != nil && !errors.Is(err, os.ErrNotExist) {
			tb.Fatal(err)
		}
	}
	if err := os.WriteFile(path, old, 0o600); err != nil {
		tb.Fatal(err)
	}
}

func TestMigrate(t *testing.T) {
	for kind, open := range map[string]func(testing.TB) *fixture{"sqlite": sqliteFixture, "mongodb": mongoFixture} {
		t.Run(kind, func(t *testing.T) {
			f := open(t)
			migrate := func(more ...string) (string, error) {
				return tool(t, append(append([]string{"migrate"}, f.flags...), more...)...)
			}
			if err := f.open(t).Close(); err != nil {
				t.Fatal(err)
			}
			out, err := migrate("--status")
			var version, known int
			if _, scan := fmt.Sscanf(out, "version of the database  %d\nversion of the program   %d\n", &version, &known); scan != nil ||
				err != nil || version != known || strings.Contains(out, "pending") {
				t.Fatalf("%v, it printed\n%s", err, out)
			}
			set := schemaVersions(t, f)
			if kind == "sqlite" { // whose steps are made once
				beforeVersions(t, f)
			} else {
				set(0)
			}
			for range 2 { // the first one has changed nothing
				out, err = migrate("--status")
				if err != nil || !strings.Contains(out, "version of the database  0") || strings.Count(out, "pending") != known ||
					!strings.Contains(out, "pending                  1 (") {
					t.Errorf("%v, it printed\n%s", err, out)
				}
			}
			if out, err = migrate("--to", fmt.Sprint(known+1)); !errors.Is(err, store.ErrSchema) || strings.Contains(out, "begun") {
				t.Errorf("beyond what is known: %v, it printed\n%s", err, out)
			}
			out, err = migrate("--to", "1")
			if err != nil || !strings.Contains(out, "step 1 (") || strings.Contains(out, "step 2") || !strings.Contains(out, "migrate: the database has version 1") {
				t.Errorf("%v, it printed\n%s", err, out)
			}
			out, err = migrate()
			if err != nil || !strings.Contains(out, fmt.Sprintf("migrate: the database has version %d", known)) || strings.Contains(out, "step 1 (") {
				t.Errorf("%v, it printed\n%s", err, out)
			}
			if out, err = migrate(); err != nil || strings.Contains(out, "step") {
				t.Errorf("again: %v, it printed\n%s", err, out)
			}
			if _, err = migrate("--to", "0"); err == nil || !strings.Contains(err.Error(), "never goes back") {
				t.Errorf("down: %v", err)
			}
			out, err = tool(t, append([]string{"verify"}, f.flags...)...)
			wantClean(t, out, err)

			set(known + 5)
			for _, command := range [][]string{{"migrate"}, {"migrate", "--status"}, {"migrate", "--to", "1"}, {"verify"}, {"token", "--user", store.NewID().Hex()}} {
				_, err := tool(t, append(command, f.flags...)...)
				if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("the database has version %d and this program knows versions up to %d", known+5, known)) {
					t.Errorf("%s with a newer schema: %v", command, err)
				}
			}
			set(0)
			if _, err := tool(t, append([]string{"token", "--user", store.NewID().Hex()}, f.flags...)...); err == nil || !strings.Contains(err.Error(), "eventio migrate") {
				t.Errorf("a token from an older schema: %v", err)
			}
			if out, _ = migrate("--status"); !strings.Contains(out, "version of the database  0") {
				t.Errorf("the token has changed it:\n%s", out)
			}
		})
	}
}

// TestServeRefusesANewerSchema: with one sentence, before anything is served.
func TestServeRefusesANewerSchema(t *testing.T) {
	f := sqliteFixture(t)
	if err := f.open(t).Close(); err != nil {
		t.Fatal(err)
	}
	schemaVersions(t, f)(99)
	out, err := tool(t, append([]string{"--addr", "127.0.0.1:0"}, f.flags...)...)
	if !errors.Is(err, store.ErrSchema) || strings.Contains(err.Error(), "\n") || out != "" {
		t.Errorf("%v, it printed\n%s", err, out)
	}
}

// noteWithout notes somebody of another issuer, who must not get an address that is somebody else's in its older form.
func noteWithout(t *testing.T, f *fixture, email string) {
	t.Helper()
	s := f.open(t)
	defer func() { _ = s.Close() }()
	u := store.User{ID: foreign.ID("https://a.example", "ada"), Name: "Ada", Email: email, EmailProvenAt: sourceTime, CreatedAt: sourceTime}
	if err := s.(foreign.Identities).NotePeople(t.Context(), []store.User{u}); err != nil {
		t.Fatal(err)
	}
	if got, err := s.User(t.Context(), u.ID); err != nil || got != foreign.WithFreedEmail(u) {
		t.Errorf("who is noted is %+v, %v", got, err)
	}
}

// TestTwoFormsOfOneAddress: an operator is told of them by verify, which calls them no damage, finds them by
// migrate, and settles them.
func TestTwoFormsOfOneAddress(t *testing.T) {
	forBoth(t, func(t *testing.T, f *fixture) {
		s := f.open(t)
		first := store.User{ID: store.NewID(), Name: "Ada", Email: "b@b\u00fccher.example", PasswordHash: "$argon2id$", CreatedAt: sourceTime}
		second := store.User{ID: store.NewID(), Name: "Ada", Email: "second@example.org", PasswordHash: "$argon2id$", CreatedAt: sourceTime}
		for _, u := range []store.User{first, second} {
			if err := s.CreateUser(t.Context(), u); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		f.set(t, "users", second.ID, map[string]any{"email": first.Email, "email_key": first.Email}) // by a version before
		out, err := tool(t, append([]string{"verify"}, f.flags...)...)
		wantClean(t, out, err)
		wantPrinted(t, out, "note: 1 users may have the address of another user in another form; eventio migrate lists them")
		out, err = tool(t, append([]string{"migrate"}, f.flags...)...)
		if err != nil {
			t.Fatal(err)
		}
		wantPrinted(t, out, fmt.Sprintf(`note: user %s ("b@b\u00fccher.example") has the address of user %s in another form`, second.ID.Hex(), first.ID.Hex()))
		out, err = tool(t, append([]string{"user", "edit", second.ID.Hex(), "--email", "\u202eada@example.org"}, f.flags...)...)
		if !errors.Is(err, process.ErrUsage) || !strings.Contains(err.Error(), "--email must not contain U+202E RIGHT-TO-LEFT OVERRIDE") {
			t.Errorf("%v, %s", err, out)
		}
		if out, err := tool(t, append([]string{"user", "edit", first.ID.Hex(), "--email", "ada@example.org"}, f.flags...)...); err != nil {
			t.Fatalf("%v, %s", err, out)
		}
		noteWithout(t, f, first.Email)
		out, err = tool(t, append([]string{"migrate"}, f.flags...)...)
		if err != nil || strings.Contains(out, "note:") {
			t.Errorf("%v, %s", err, out)
		}
		out, err = tool(t, append([]string{"verify"}, f.flags...)...)
		wantClean(t, out, err)
		if strings.Contains(out, "another form") {
			t.Errorf("it is settled, and verify prints %s", out)
		}
	})
}
