package mongostore

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rs/zerolog"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/eventio/eventio/internal/testenv"
	"github.com/eventio/eventio/pkg/store/mongostore/internal/migrate"
	"github.com/eventio/eventio/pkg/store/storetest"
	"github.com/eventio/eventio/pkg/store/storetest/tooltest"
)

// database connects to a test's database without opening it as a store.
func database(tb testing.TB, uri string) *mongo.Database {
	tb.Helper()
	s, err := connect(uri, zerolog.Nop())
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := s.Close(); err != nil {
			tb.Error(err)
		}
	})
	return s.users.Database()
}

// restore loads the dump of a database that an earlier version has written: a line of canonical
// extended JSON for each document, and for each index of a collection.
func restore(tb testing.TB, version int) (uri string) {
	tb.Helper()
	uri = testenv.MongoDB(tb)
	db := database(tb, uri)
	files, err := filepath.Glob(filepath.Join("testdata", fmt.Sprintf("v%d", version), "*.indexes.json"))
	if err != nil || len(files) == 0 {
		tb.Fatalf("there is no dump of version %d: %v", version, err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".indexes.json")
		var indexes, docs bson.A
		for _, line := range lines(tb, file) {
			if line.Lookup("name").StringValue() != "_id_" {
				indexes = append(indexes, line)
			}
		}
		for _, line := range lines(tb, strings.Replace(file, ".indexes", "", 1)) {
			docs = append(docs, line)
		}
		if len(indexes) > 0 {
			cmd := bson.D{{Key: "createIndexes", Value: name}, {Key: "indexes", Value: indexes}}
			if err := db.RunCommand(tb.Context(), cmd).Err(); err != nil {
				tb.Fatal(err)
			}
		}
		if _, err := db.Collection(name).InsertMany(tb.Context(), docs); err != nil {
			tb.Fatal(err)
		}
	}
	return uri
}

func lines(tb testing.TB, path string) (docs []bson.Raw) {
	tb.Helper()
	f, err := os.Open(path)
	if err != nil {
		tb.Fatal(err)
	}
	defer f.Close()
	for text := bufio.NewScanner(f); text.Scan(); {
		var doc bson.Raw
		if err := bson.UnmarshalExtJSON(text.Bytes(), true, &doc); err != nil {
			tb.Fatal(err)
		}
		docs = append(docs, doc)
	}
	return docs
}

// version reads the version of the database; 0: it has none.
func version(tb testing.TB, db *mongo.Database) int {
	tb.Helper()
	var d struct{ Version int }
	err := db.Collection("schema").FindOne(tb.Context(), bson.D{{Key: "_id", Value: "schema"}}).Decode(&d)
	if err == mongo.ErrNoDocuments {
		return 0
	}
	if err != nil {
		tb.Fatal(err)
	}
	return d.Version
}

// schemaOf returns the collections and indexes of a database, without what differs by chance.
func schemaOf(tb testing.TB, db *mongo.Database) (all []string) {
	tb.Helper()
	names, err := db.ListCollectionNames(tb.Context(), bson.D{})
	if err != nil {
		tb.Fatal(err)
	}
	for _, name := range names {
		cursor, err := db.Collection(name).Indexes().List(tb.Context())
		if err != nil {
			tb.Fatal(err)
		}
		for cursor.Next(tb.Context()) {
			all = append(all, name+": "+cursor.Current.String())
		}
	}
	slices.Sort(all)
	return all
}

// TestStoredVersions checks that what any released version has written can be read. The dump
// testdata/vN was made by the program whose newest version was N; the first one had no versions
// yet.
func TestStoredVersions(t *testing.T) {
	uri := restore(t, 1)
	s := open(t, uri, "a")
	a, err := OpenVerifyReader(t.Context(), uri)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	if got, want := version(t, s.users.Database()), len(migrate.Steps()); got != want {
		t.Errorf("version is %d, want %d", got, want)
	}
	tooltest.RunStored(t, tooltest.Stored{Store: s, VerifyReader: a})
}

// TestAMigratedDatabaseIsLikeAFreshOne checks that a migrated database has the same indexes, with
// the same names, as a new one.
func TestAMigratedDatabaseIsLikeAFreshOne(t *testing.T) {
	old, fresh := restore(t, 1), testenv.MongoDB(t)
	if got := schemaOf(t, database(t, old)); !slices.ContainsFunc(got, func(s string) bool {
		return strings.HasPrefix(s, "registrations: ") && strings.Contains(s, "email_key_1")
	}) {
		t.Fatalf("the dump of version 1 has not its misnamed index: %q", got)
	}
	got := schemaOf(t, open(t, old, "a").users.Database())
	s := open(t, fresh, "a")
	if _, err := s.users.Database().Collection("signing_keys").InsertOne(t.Context(), bson.D{{Key: "_id", Value: "x"}}); err != nil { // made with the first key
		t.Fatal(err)
	}
	storetest.NewEvent(t, s, 1)
	if want := schemaOf(t, s.users.Database()); !slices.Equal(got, want) {
		t.Errorf("migrated:\n%s\nfresh:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	for _, i := range migrate.Indexes() {
		docs, err := migrate.ListIndexes(t.Context(), s.users.Database().Collection(i.Collection))
		if err != nil {
			t.Fatal(err)
		}
		if !slices.ContainsFunc(docs, func(d migrate.IndexDoc) bool { return d.Name == i.Name() && d.Is(i) }) {
			t.Errorf("%s has not the index %s", i.Collection, i.Name())
		}
	}
}

func TestAVerifyReaderSaysWhichVersionItNeeds(t *testing.T) {
	uri := restore(t, 1)
	setSchema(t, database(t, uri), bson.D{{Key: "version", Value: 99}})
	wantSchemaError(t, "the database has version 99", func(ctx context.Context) error {
		a, err := OpenVerifyReader(ctx, uri)
		if err == nil {
			_ = a.Close()
		}
		return err
	})
}
