package testenv

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver/connstring"
)

func connect(t *testing.T, uri string) *mongo.Client {
	t.Helper()
	client, err := mongo.Connect(options.Client().ApplyURI(uri))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { disconnect(client) })
	return client
}

// database is the one that uri names.
func database(t *testing.T, uri string) *mongo.Database {
	t.Helper()
	parsed, err := connstring.ParseAndValidate(uri)
	if err != nil {
		t.Fatal(err)
	}
	return connect(t, uri).Database(parsed.Database)
}

func TestMongoDB(t *testing.T) {
	first, second := MongoDB(t), MongoDB(t)
	if first == second {
		t.Fatalf("two tests share %s", first)
	}
	var dropped string
	t.Run("has_transactions", func(t *testing.T) {
		dropped = MongoDB(t)
		db := database(t, dropped)
		session, err := db.Client().StartSession()
		if err != nil {
			t.Fatal(err)
		}
		defer session.EndSession(t.Context())
		_, err = session.WithTransaction(t.Context(), func(ctx context.Context) (any, error) {
			return db.Collection("seats").InsertOne(ctx, bson.D{{Key: "seat", Value: 1}})
		})
		if err != nil {
			t.Fatal(err)
		}
	})
	t.Run("drops_the_database_of_an_ended_test", func(t *testing.T) {
		names, err := database(t, dropped).ListCollectionNames(t.Context(), bson.D{})
		if err != nil || len(names) > 0 {
			t.Errorf("collections left: %v, %v", names, err)
		}
	})
	t.Run("frees_locks_after_two_seconds", func(t *testing.T) {
		var parameter struct {
			Seconds int `bson:"transactionLifetimeLimitSeconds"`
		}
		err := run(t.Context(), connect(t, first).Database("admin"), bson.D{
			{Key: "getParameter", Value: 1}, {Key: "transactionLifetimeLimitSeconds", Value: 1},
		}, &parameter)
		if err != nil || parameter.Seconds != 2 {
			t.Errorf("transactionLifetimeLimitSeconds is %d, %v", parameter.Seconds, err)
		}
	})
}

func TestMongo(t *testing.T) {
	m := StartMongo(t)
	uri, pid := m.URI(), m.Pid()
	db := database(t, uri)
	// Kept by a kill only if it was durable when InsertOne returned, as the default w: majority promises.
	if _, err := db.Collection("kept").InsertOne(t.Context(), bson.D{{Key: "_id", Value: 1}}); err != nil {
		t.Fatal(err)
	}
	mustBeThere := func(t *testing.T) {
		t.Helper()
		if n, err := db.Collection("kept").CountDocuments(t.Context(), bson.D{}); err != nil || n != 1 {
			t.Errorf("found %d documents, %v; want 1", n, err)
		}
	}
	mustRefuse := func(t *testing.T) {
		t.Helper()
		if m.dial() == nil {
			t.Error("the port still answers")
		}
	}
	t.Run("killed_and_restarted_keeps_its_data_and_address", func(t *testing.T) {
		for range 2 {
			if err := m.Kill(); err != nil {
				t.Fatal(err)
			}
		}
		mustRefuse(t)
		if err := m.Restart(); err != nil {
			t.Fatal(err)
		}
		if m.URI() != uri || m.Pid() == pid {
			t.Errorf("now %s, process %d; was %s, process %d", m.URI(), m.Pid(), uri, pid)
		}
		mustBeThere(t)
	})
	t.Run("frozen_it_is_silent_and_goes_on_after_that", func(t *testing.T) {
		if err := m.Signal(syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
		defer func() { _ = m.Signal(syscall.SIGCONT) }()
		Eventually(t, 10*time.Second, "silence", func() error {
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			defer cancel()
			if err := db.Client().Ping(ctx, nil); err == nil {
				return errors.New("it answers")
			}
			return nil
		})
		if err := m.Signal(syscall.SIGCONT); err != nil {
			t.Fatal(err)
		}
		mustBeThere(t)
	})
	t.Run("stopped_and_restarted_keeps_its_data", func(t *testing.T) {
		if err := m.Stop(); err != nil {
			t.Fatal(err)
		}
		mustRefuse(t)
		if err := m.Restart(); err != nil {
			t.Fatal(err)
		}
		mustBeThere(t)
	})
	t.Run("serves_as_MONGODB_URI", func(t *testing.T) {
		t.Setenv("MONGODB_URI", uri)
		s := sharedMongo{ready: true}
		defer s.close()
		if got, err := s.server(); got != uri || err != nil || s.own != nil {
			t.Errorf("server() = %q, %v", got, err)
		}
	})
	t.Run("a_dead_MONGODB_URI_is_an_error", func(t *testing.T) {
		if err := m.Kill(); err != nil {
			t.Fatal(err)
		}
		t.Setenv("MONGODB_URI", uri+"&serverSelectionTimeoutMS=100")
		s := sharedMongo{ready: true}
		defer s.close()
		if got, err := s.server(); err == nil {
			t.Errorf("server() = %q, want an error", got)
		}
	})
}

func TestSharedMongoWantsTestMain(t *testing.T) {
	var s sharedMongo
	if _, err := s.server(); err == nil || !strings.Contains(err.Error(), "testenv.Main(m)") {
		t.Errorf("error %v does not say what is missing", err)
	}
}

func TestMongoNoticesATakenPort(t *testing.T) {
	path, err := findMongod()
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "data"), 0o700); err != nil {
		t.Fatal(err)
	}
	m := &Mongo{path: path, dir: dir, port: listener.Addr().(*net.TCPAddr).Port}
	if err := m.start(); !errors.Is(err, errPortTaken) {
		t.Errorf("start() = %v, want %v", err, errPortTaken)
	}
}

func TestMongoSaysWhyItDoesNotStart(t *testing.T) {
	_, err := NewMongo(t.TempDir(), "--no-such-option")
	if err == nil || !strings.Contains(err.Error(), "no-such-option") {
		t.Errorf("error %v does not show what mongod said", err)
	}
}

func TestWithDatabase(t *testing.T) {
	for _, c := range []struct{ uri, want string }{
		{"mongodb://h:1", "mongodb://h:1/x"},
		{"mongodb://h:1/", "mongodb://h:1/x"},
		{"mongodb://h:1/old?replicaSet=rs0", "mongodb://h:1/x?replicaSet=rs0"},
		{"mongodb://a:1,b:2/?w=majority", "mongodb://a:1,b:2/x?w=majority"},
		{"mongodb://u:p@h/old", "mongodb://u:p@h/x?authSource=old"},
		{"mongodb+srv://u:p@h/?w=1", "mongodb+srv://u:p@h/x?w=1&authSource=admin"},
		{"mongodb://u:p@h/old?AuthSource=other", "mongodb://u:p@h/x?AuthSource=other"},
	} {
		if got := WithDatabase(c.uri, "x"); got != c.want {
			t.Errorf("WithDatabase(%q) = %q, want %q", c.uri, got, c.want)
		}
	}
}
