package mongostore

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/rs/zerolog"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/eventio/eventio/internal/testenv"
	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/storetest"
)

// copyDocuments copies every collection, as restoring a dump beside the original does.
func copyDocuments(tb testing.TB, from, to *mongo.Database) {
	tb.Helper()
	collections, err := from.ListCollectionNames(tb.Context(), bson.D{})
	if err != nil {
		tb.Fatal(err)
	}
	for _, name := range collections {
		cursor, err := from.Collection(name).Find(tb.Context(), bson.D{})
		if err != nil {
			tb.Fatal(err)
		}
		var documents []bson.D
		if err := cursor.All(tb.Context(), &documents); err != nil {
			tb.Fatal(err)
		}
		if len(documents) == 0 {
			continue
		}
		if _, err := to.Collection(name).InsertMany(tb.Context(), documents); err != nil {
			tb.Fatal(err)
		}
	}
}

func TestACopyIsAnotherDatabase(t *testing.T) {
	from, to := testenv.MongoDB(t), testenv.MongoDB(t)
	s := open(t, from, "original")
	storetest.NewEvent(t, s, 3)
	target, err := connect(to, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	defer target.Close()
	copyDocuments(t, s.events.Database(), target.events.Database())
	if id := open(t, to, "copy").DatabaseID(); id == s.DatabaseID() {
		t.Error("a restored dump has the id of the original")
	}

	// The same name on another server: what a staging system usually has.
	other := testenv.StartMongo(t)
	elsewhere := testenv.WithDatabase(other.URI(), s.events.Database().Name())
	if target, err = connect(elsewhere, zerolog.Nop()); err != nil {
		t.Fatal(err)
	}
	defer target.Close()
	copyDocuments(t, s.events.Database(), target.events.Database())
	there := open(t, elsewhere, "elsewhere")
	if there.DatabaseID() == s.DatabaseID() {
		t.Error("a database of the same name on another server has the id of the original")
	}
	if err := other.Restart(); err != nil {
		t.Fatal(err)
	}
	if again := open(t, elsewhere, "again"); again.DatabaseID() != there.DatabaseID() {
		t.Error("the id does not survive a restart of the server")
	}
}

func TestProcessesThatStartAtOnceAgree(t *testing.T) {
	uri := testenv.MongoDB(t)
	ids := make([]string, 6)
	var crowd sync.WaitGroup
	for i := range ids {
		crowd.Go(func() {
			s, err := connect(uri, zerolog.Nop())
			if err == nil {
				err = s.identify(t.Context()) // without the indexes, which also make the collection
			}
			if err == nil {
				ids[i] = s.DatabaseID()
				err = s.Close()
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	crowd.Wait()
	for _, id := range ids {
		if id != ids[0] || id == "" {
			t.Fatalf("the ids are %q", ids)
		}
	}
}

// TestAReplacedDatabaseIsNoticed checks that a database which is restored while a process runs has
// another id, and that the process meets others again only after its restart.
func TestAReplacedDatabaseIsNoticed(t *testing.T) {
	uri := testenv.MongoDB(t)
	s, operator := open(t, uri, "process"), open(t, uri, "operator")
	storetest.NewEvent(t, s, 1)
	if err := s.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	replaced := func(when string) {
		t.Helper()
		err := s.Ping(t.Context())
		if !errors.Is(err, store.ErrDatabaseReplaced) || errors.Is(err, store.ErrUnavailable) || !strings.Contains(err.Error(), "restart this process") {
			t.Errorf("%s: ping says %v", when, err)
		}
	}
	if err := operator.events.Drop(t.Context()); err != nil {
		t.Fatal(err)
	}
	replaced("dropped")
	storetest.NewEvent(t, operator, 1)
	replaced("made anew")
	again := open(t, uri, "restarted")
	if again.DatabaseID() == s.DatabaseID() {
		t.Error("the replaced database has the id of the old one")
	}
	if err := again.Ping(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestADatabaseThatNobodyPreparedHasNoID(t *testing.T) {
	a, err := OpenVerifyReader(t.Context(), testenv.MongoDB(t))
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	if id, err := a.DatabaseID(t.Context()); !errors.Is(err, store.ErrNoDatabaseID) {
		t.Errorf("the id is %q, %v", id, err)
	}
}

// TestReadWriteOnTheDatabaseIsEnough checks that the user of a process needs no role beyond its
// database, and that of a tool which only reads needs the role read.
func TestReadWriteOnTheDatabaseIsEnough(t *testing.T) {
	key := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(key, []byte("aSecretOfTheTests"), 0o600); err != nil {
		t.Fatal(err)
	}
	server := testenv.StartMongo(t, "--keyFile", key)
	as := func(user string) string {
		return strings.Replace(server.URI(), "mongodb://", "mongodb://"+user+":pw@", 1) + "&authSource=admin"
	}
	create := func(uri, user string, role bson.D) {
		t.Helper()
		client, err := mongo.Connect(options.Client().ApplyURI(uri))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = client.Disconnect(context.Background()) }()
		err = client.Database("admin").RunCommand(t.Context(), bson.D{
			{Key: "createUser", Value: user}, {Key: "pwd", Value: "pw"}, {Key: "roles", Value: bson.A{role}},
		}).Err()
		if err != nil {
			t.Fatal(err)
		}
	}
	role := func(name, db string) bson.D { return bson.D{{Key: "role", Value: name}, {Key: "db", Value: db}} }
	create(server.URI(), "root", role("root", "admin")) // the server lets the first one be made by anybody here
	create(as("root"), "process", role("readWrite", "eventio"))
	create(as("root"), "tool", role("read", "eventio"))

	if _, err := Open(t.Context(), server.URI(), zerolog.Nop()); err == nil {
		t.Fatal("the server lets anybody in, so nothing is shown")
	}
	s := open(t, as("process"), "process")
	event := storetest.NewEvent(t, s, 1)
	if results, err := s.Apply(t.Context(), storetest.NewRequests(event.ID, 1)); err != nil || results[0].Outcome != store.Registered {
		t.Fatalf("%+v, %v", results, err)
	}
	if err := s.Ping(t.Context()); err != nil {
		t.Error(err)
	}
	a, err := OpenVerifyReader(t.Context(), as("tool"))
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	if id, err := a.DatabaseID(t.Context()); err != nil || id != s.DatabaseID() {
		t.Errorf("the tool knows the database as %q, %v; the process as %s", id, err, s.DatabaseID())
	}
}
