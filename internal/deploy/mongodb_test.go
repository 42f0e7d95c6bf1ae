package deploy_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/eventio/eventio/internal/testenv"
)

// TestMongoDBRoles: on a real server with the roles of deploy/mongodb/roles.json nobody but a worker changes who has a
// seat, and no part does what belongs to another or to eventio migrate. That each part can do its own work,
// e2e.TestSecured shows.
func TestMongoDBRoles(t *testing.T) {
	authority, another := testenv.NewAuthority(t), testenv.NewAuthority(t)
	m := testenv.StartMongoSecured(t, authority)
	connect := func(uri string) *mongo.Database {
		client, err := mongo.Connect(options.Client().ApplyURI(uri).SetServerSelectionTimeout(5 * time.Second))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = client.Disconnect(context.WithoutCancel(t.Context())) })
		return client.Database("eventio")
	}
	for _, name := range []string{"events", "registrations", "changes", "users", "schema", "signing_keys"} {
		if err := connect(m.SecuredURI("migrate", testenv.MongoPassword("migrate"))).CreateCollection(t.Context(), name); err != nil {
			t.Fatal(err)
		}
	}
	another.Issue("eventio", "api")
	authority.Issue("eventio", "somebody")
	for name, uri := range map[string]string{
		"another password":                   m.SecuredURI("api", "password-of-worker"),
		"another user":                       m.SecuredURI("ada", "password-of-api"),
		"a certificate of another authority": m.CertifiedURI(another.PEM("api")),
		"a certificate of nobody":            m.CertifiedURI(authority.PEM("somebody")),
		"nobody":                             strings.Replace(m.SecuredURI("a", "b"), "a:b@", "", 1),
		"nobody without TLS":                 m.URIOf("api", "password-of-api"),
	} {
		if err := connect(uri).Collection("events").FindOne(t.Context(), bson.D{}).Err(); err == nil || errors.Is(err, mongo.ErrNoDocuments) {
			t.Errorf("%s is let in", name)
		}
	}

	inc := bson.D{{Key: "$inc", Value: bson.D{{Key: "tickets_sold", Value: 1}}}}
	acts := map[string]func(context.Context, *mongo.Database) error{
		"change seats of an event": func(ctx context.Context, db *mongo.Database) error {
			_, err := db.Collection("events").UpdateMany(ctx, bson.D{}, inc)
			return err
		},
		"delete an event": func(ctx context.Context, db *mongo.Database) error {
			_, err := db.Collection("events").DeleteMany(ctx, bson.D{})
			return err
		},
		"create an event": func(ctx context.Context, db *mongo.Database) error {
			_, err := db.Collection("events").InsertOne(ctx, bson.D{})
			return err
		},
		"register somebody": func(ctx context.Context, db *mongo.Database) error {
			_, err := db.Collection("registrations").InsertOne(ctx, bson.D{})
			return err
		},
		"change a registration": func(ctx context.Context, db *mongo.Database) error {
			_, err := db.Collection("registrations").UpdateMany(ctx, bson.D{}, inc)
			return err
		},
		"remove a registration": func(ctx context.Context, db *mongo.Database) error {
			_, err := db.Collection("registrations").DeleteMany(ctx, bson.D{})
			return err
		},
		"change the record": func(ctx context.Context, db *mongo.Database) error {
			_, err := db.Collection("changes").UpdateMany(ctx, bson.D{}, inc)
			return err
		},
		"read users": func(ctx context.Context, db *mongo.Database) error {
			_, err := db.Collection("users").CountDocuments(ctx, bson.D{})
			return err
		},
		"change users": func(ctx context.Context, db *mongo.Database) error {
			_, err := db.Collection("users").UpdateMany(ctx, bson.D{}, inc)
			return err
		},
		"read the signing key": func(ctx context.Context, db *mongo.Database) error {
			_, err := db.Collection("signing_keys").CountDocuments(ctx, bson.D{})
			return err
		},
		"change the schema's version": func(ctx context.Context, db *mongo.Database) error {
			_, err := db.Collection("schema").UpdateMany(ctx, bson.D{}, inc)
			return err
		},
		"create an index": func(ctx context.Context, db *mongo.Database) error {
			_, err := db.Collection("events").Indexes().CreateOne(ctx, mongo.IndexModel{Keys: bson.D{{Key: "x", Value: 1}}})
			return err
		},
		"drop a collection": func(ctx context.Context, db *mongo.Database) error { return db.Collection("changes").Drop(ctx) },
		"create a user": func(ctx context.Context, db *mongo.Database) error {
			return db.RunCommand(ctx, bson.D{{Key: "createUser", Value: "x"}, {Key: "pwd", Value: "x"}, {Key: "roles", Value: bson.A{}}}).Err()
		},
		"read another database": func(ctx context.Context, db *mongo.Database) error {
			_, err := db.Client().Database("other").Collection("x").CountDocuments(ctx, bson.D{})
			return err
		},
	}
	for part, may := range map[string][]string{
		"api":      {"create an event", "read users", "change users", "read the signing key"},
		"worker":   {"change seats of an event", "register somebody", "change a registration", "remove a registration", "change the record"},
		"notifier": {"read users"},
	} {
		db := connect(m.SecuredURI(part, testenv.MongoPassword(part)))
		for name, act := range acts {
			err := act(t.Context(), db)
			var refused mongo.ServerError
			switch isRefused := errors.As(err, &refused) && refused.HasErrorCode(13); {
			case err != nil && !isRefused:
				t.Errorf("%s: to %s fails: %v", part, name, err)
			case isRefused == slices.Contains(may, name):
				t.Errorf("%s: to %s is refused: %t", part, name, isRefused)
			}
		}
	}
}
