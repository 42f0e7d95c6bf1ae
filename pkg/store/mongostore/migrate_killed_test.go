package mongostore

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/mongostore/internal/migrate"
	"github.com/eventio/eventio/pkg/store/schema"
)

// contentOf returns all documents and indexes of a database, but for what tells of the migration itself.
func contentOf(tb testing.TB, db *mongo.Database) []string {
	tb.Helper()
	names, err := db.ListCollectionNames(tb.Context(), bson.D{})
	if err != nil {
		tb.Fatal(err)
	}
	all := schemaOf(tb, db)
	for _, name := range names {
		cursor, err := db.Collection(name).Find(tb.Context(), bson.D{})
		if err != nil {
			tb.Fatal(err)
		}
		var docs []bson.Raw
		if err := cursor.All(tb.Context(), &docs); err != nil {
			tb.Fatal(err)
		}
		for _, doc := range docs {
			if name != "schema" {
				all = append(all, name+": "+doc.String())
			}
		}
	}
	slices.Sort(all)
	return all
}

// TestMigrationsAreKilledAnywhere brings the oldest stored database to the newest version, by a process that is killed before its
// first command that writes, by another one before its second, and so on up to the last; the process that comes after it ends in
// the same state each time, down to every document and index, as one that nobody has killed. A command that took effect
// and whose answer was lost is the same as a death before the next one.
func TestMigrationsAreKilledAnywhere(t *testing.T) {
	admin := open(t, restore(t, 1), "admin")
	to := len(migrate.Steps())
	finish := func(db *mongo.Database) {
		t.Helper()
		m := migrate.New(db, zerolog.Nop())
		if err := m.Migrate(t.Context(), to, func(schema.Migration) {}); err != nil {
			t.Fatal(err)
		}
		if err := m.CreateMissing(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	whole := database(t, restore(t, 1))
	finish(whole)
	want := contentOf(t, whole)
	killedAt := make(map[int]int) // how often at which version
	for skip := 0; ; skip++ {
		uri, app := restore(t, 1), "app"+store.NewID().Hex()
		plain, dying := database(t, uri), database(t, uri+"&appName="+app+"&retryWrites=false")
		failPoint(t, admin, bson.D{{Key: "skip", Value: skip}}, bson.D{
			{Key: "failCommands", Value: bson.A{
				"create", "createIndexes", "dropIndexes", "collMod", "insert", "update", "delete", "findAndModify", "bulkWrite", "aggregate", "commitTransaction",
			}},
			{Key: "appName", Value: app}, {Key: "errorCode", Value: 11600},
		})
		err := migrate.New(dying, zerolog.Nop()).Migrate(t.Context(), to, func(schema.Migration) {})
		failPoint(t, admin, "off", nil)
		if err == nil {
			break
		}
		killedAt[version(t, plain)]++
		// The time of the dead process's lease is over.
		past := bson.D{{Key: "$set", Value: bson.D{{Key: "lease.until", Value: time.UnixMilli(0)}}}}
		if _, err := plain.Collection("schema").UpdateMany(t.Context(), bson.D{{Key: "lease", Value: bson.D{{Key: "$exists", Value: true}}}}, past); err != nil {
			t.Fatal(err)
		}
		finish(plain)
		if got := contentOf(t, plain); !slices.Equal(got, want) {
			t.Errorf("killed before command %d, then begun anew:\n%s\nwant:\n%s", skip+1, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		if err := plain.Drop(context.WithoutCancel(t.Context())); err != nil {
			t.Fatal(err)
		}
	}
	for v := range to {
		if killedAt[v] == 0 {
			t.Errorf("at version %d the process was never killed", v)
		}
	}
	t.Logf("killed at the versions: %v", killedAt)
}
