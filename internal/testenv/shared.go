package testenv

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
)

// MongoDB returns the connection string of a fresh, empty database, which is dropped when
// the test ends. Its server is the one that MONGODB_URI names, else a mongod that all tests
// of the package share. The package needs a TestMain, see [Main].
func MongoDB(tb testing.TB) string {
	tb.Helper()
	server, err := shared.server()
	if err != nil {
		tb.Fatalf("testenv: a MongoDB for tests: %v", err)
	}
	name := fmt.Sprintf("eventio_test_%x", randomBytes())
	uri := WithDatabase(server, name)
	tb.Cleanup(func() {
		// A machine that starts other tests may keep a server from answering for seconds.
		err := Poll(context.Background(), startLimit, func() error {
			return withAdmin(uri, func(admin *mongo.Database) error {
				return run(context.Background(), admin.Client().Database(name), bson.D{{Key: "dropDatabase", Value: 1}}, nil)
			})
		})
		if err != nil {
			tb.Errorf("testenv: drop the test's database: %v", err)
		}
	})
	return uri
}

var shared sharedMongo

// A sharedMongo is the server behind [MongoDB].
type sharedMongo struct {
	mu    sync.Mutex // guards all below
	ready bool       // between open and close
	uri   string     // empty before first use
	err   error      // of the first use: all tests then fail alike, and soon
	own   *Mongo     // nil if MONGODB_URI names the server
	dir   string     // of own
}

func (s *sharedMongo) open() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ready = true
}

func (s *sharedMongo) server() (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.ready {
		return "", errors.New("the package needs func TestMain(m *testing.M) { testenv.Main(m) }")
	}
	if s.uri == "" && s.err == nil {
		s.uri, s.err = s.start()
	}
	return s.uri, s.err
}

// start is called with mu held.
func (s *sharedMongo) start() (string, error) {
	if uri := os.Getenv("MONGODB_URI"); uri != "" {
		err := withAdmin(uri, func(admin *mongo.Database) error {
			return run(context.Background(), admin, bson.D{{Key: "ping", Value: 1}}, nil)
		})
		if err != nil {
			return "", fmt.Errorf("MONGODB_URI is set, but its server does not answer: %w", err)
		}
		return uri, nil
	}
	var err error
	if s.dir, err = os.MkdirTemp("", "eventio-mongod-"); err != nil {
		return "", err
	}
	if s.own, err = NewMongo(s.dir, forTests()...); err != nil {
		return "", err
	}
	return s.own.URI(), nil
}

// close ends what start began. The data is thrown away, so a kill will do.
func (s *sharedMongo) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ready = false
	if s.own != nil {
		_ = s.own.Kill()
	}
	if s.dir != "" {
		_ = os.RemoveAll(s.dir)
	}
}

// WithDatabase puts name in the place of the database in a MongoDB connection string. It
// does not parse it as a URL: several hosts in a row are not one.
func WithDatabase(uri, name string) string {
	base, query, _ := strings.Cut(uri, "?")
	scheme, rest, _ := strings.Cut(base, "://")
	hosts, before, _ := strings.Cut(rest, "/")
	// Without authSource the database in the path is also where the user is looked up, and
	// it must go on being that.
	if strings.Contains(hosts, "@") && !strings.Contains(strings.ToLower(query), "authsource=") {
		if before == "" {
			before = "admin"
		}
		query = strings.TrimPrefix(query+"&authSource="+before, "&")
	}
	if query != "" {
		query = "?" + query
	}
	return scheme + "://" + hosts + "/" + name + query
}

func randomBytes() []byte {
	b := make([]byte, 6)
	_, _ = rand.Read(b) // never fails
	return b
}
