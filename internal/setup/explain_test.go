package setup

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/rs/zerolog"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver/description"

	"github.com/eventio/eventio/internal/process"
	"github.com/eventio/eventio/internal/testenv"
	"github.com/eventio/eventio/pkg/messages"
	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/sqlitestore"
)

// TestExplainMongoDB: what real servers answer to wrong logins, missing rights and the like.
func TestExplainMongoDB(t *testing.T) {
	m := testenv.StartMongoWithLogin(t)
	if err := m.Command(bson.D{
		{Key: "createUser", Value: "reader"}, {Key: "pwd", Value: "hunter2"},
		{Key: "roles", Value: bson.A{bson.D{{Key: "role", Value: "read"}, {Key: "db", Value: "eventio"}}}},
	}); err != nil {
		t.Fatal(err)
	}
	anonymous := strings.Replace(m.URIOf("x", "x"), "x:x@", "", 1)
	for name, c := range map[string]struct{ uri, says string }{
		"a wrong password":      {m.URIOf("reader", "hunter3"), "refuses the user or the password"},
		"no login":              {anonymous, "refuses the user or the password"},
		"no right to write":     {m.URIOf("reader", "hunter2"), "role readWrite"},
		"another replica set":   {strings.Replace(m.URIOf("reader", "hunter2"), "rs0", "rs9", 1), "replicaSet"},
		"a host that is nobody": {"mongodb://nowhere.invalid/x", "no host nowhere.invalid is known"},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
			defer cancel()
			_, err := Database{MongoDBURI: c.uri}.Open(ctx, zerolog.Nop())
			var log bytes.Buffer
			explained := Explain(err, zerolog.New(&log))
			testenv.WantSentence(t, explained, "MongoDB", c.says)
			if !errors.Is(explained, err) || strings.Contains(log.String(), `"level":"error"`) || !strings.Contains(log.String(), `"level":"debug"`) {
				t.Errorf("%v is explained as %v, logged %s", err, explained, log.String())
			}
		})
	}
	t.Run("an error that is not known", func(t *testing.T) {
		client, err := mongo.Connect(options.Client().ApplyURI(testenv.MongoDB(t)))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = client.Disconnect(context.Background()) }()
		err = client.Database("x").RunCommand(t.Context(), bson.D{{Key: "noSuchCommand", Value: 1}}).Err()
		var log bytes.Buffer
		testenv.WantSentence(t, Explain(fmt.Errorf("look: %w", err), zerolog.New(&log)), "MongoDB", "the log")
		if !strings.Contains(log.String(), `"level":"error"`) || !strings.Contains(log.String(), "noSuchCommand") {
			t.Errorf("logged %s", log.String())
		}
	})
}

func TestExplainTexts(t *testing.T) {
	const noRoom = "the database file cannot grow: make room on its disk, or raise the limit of a file's size, and start again"
	full := fmt.Errorf("write: %w: database or disk is full (13)", store.ErrStorageFull)
	for name, c := range map[string]struct {
		err  error
		want string
	}{
		"one of ours":              {store.ErrNoDatabaseID, store.ErrNoDatabaseID.Error()},
		"a sentence":               {&process.Failure{Sentence: "do this", Cause: context.Canceled}, "do this"},
		"a full disk":              {full, noRoom},
		"time":                     {fmt.Errorf("stop the worker: %w", context.DeadlineExceeded), "stop the worker: no answer in time"},
		"an interruption":          {fmt.Errorf("ask for workers: %w", context.Canceled), "ask for workers: interrupted"},
		"NATS":                     {fmt.Errorf("ask for workers: %w", nats.ErrConnectionClosed), "ask for workers: the log has the cause"},
		"a file":                   {fmt.Errorf("make a folder: %w", &fs.PathError{Op: "mkdir", Path: "/x", Err: syscall.ENOENT}), "make a folder: /x: it does not exist"},
		"a connection":             {fmt.Errorf("serve HTTP: %w", &net.OpError{Op: "accept", Net: "tcp", Err: syscall.ECONNRESET}), "serve HTTP: the connection was cut"},
		"a call of the system":     {fmt.Errorf("print: %w", &os.SyscallError{Syscall: "write", Err: syscall.ENOSPC}), "print: there is no space left"},
		"a number of the system":   {fmt.Errorf("lock: %w", syscall.EMFILE), "lock: the log has the cause"},
		"a document":               {fmt.Errorf("%w: it cannot be read: %w", store.ErrSchema, &bson.DecodeError{}), "schema: it cannot be read: the log has the cause"},
		"a store":                  {fmt.Errorf("read the schema: %w: (Location7) the words of a driver", store.ErrNothingStored), "read the schema: the log has the cause"},
		"a store, interrupted":     {fmt.Errorf("read the schema: %w: the words of a driver: %w", store.ErrUnavailable, context.Canceled), "read the schema: interrupted"},
		"two inside of one":        {fmt.Errorf("wait: %w", errors.Join(errors.New("this"), context.Canceled)), "wait: this; interrupted"},
		"two":                      {errors.Join(store.ErrNoDatabaseID, full), store.ErrNoDatabaseID.Error() + "; " + noRoom},
		"an error and its closing": {errors.Join(&process.Failure{Sentence: "do this"}, nil), "do this"},
	} {
		t.Run(name, func(t *testing.T) {
			got := Explain(c.err, zerolog.Nop())
			if got.Error() != c.want || !errors.Is(got, c.err) {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
	if err := Explain(nil, zerolog.Nop()); err != nil {
		t.Errorf("no error is explained as %v", err)
	}
}

func TestExplainSQLite(t *testing.T) {
	file := filepath.Join(t.TempDir(), DatabaseFile)
	if err := os.WriteFile(file, bytes.Repeat([]byte("no database. "), 100), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := sqlitestore.Open(t.Context(), file)
	testenv.WantSentence(t, Explain(err, zerolog.Nop()), "the database file is not a database of Event.io", "--data")
	_, err = Database{Data: filepath.Dir(file)}.Open(t.Context(), zerolog.Nop())
	testenv.WantSentence(t, err, file+" is not a database of Event.io", "--data")
	late := fmt.Errorf("open it: %w: %w", store.ErrUnavailable, context.DeadlineExceeded)
	testenv.WantSentence(t, explainFile(late, file), file+" is in use by another process")
}

// TestFileThatCannotBeOpened: nobody waits for it.
func TestFileThatCannotBeOpened(t *testing.T) {
	dir := t.TempDir()
	for path, says := range map[string]string{
		filepath.Join(dir, "none", DatabaseFile):         filepath.Join(dir, "none", DatabaseFile) + " cannot be opened: it does not exist",
		filepath.Join(dir, "folder", DatabaseFile):       "it is a folder, not a file",
		filepath.Join(dir, "log", DatabaseFile) + "-wal": DatabaseFile + "-wal cannot be opened: it is a folder, not a file",
	} {
		if !strings.Contains(path, "none") {
			if err := os.MkdirAll(path, 0o700); err != nil {
				t.Fatal(err)
			}
		}
		_, err := Database{Data: filepath.Dir(path)}.Open(t.Context(), zerolog.Nop())
		testenv.WantSentence(t, err, says, "--data")
	}
}

func TestCheckURLs(t *testing.T) {
	for _, good := range []string{"nats://a:4222", "a", "a:4222,b:4222", "nats://u:p%40@a:4222, tls://b", "ws://a/path", "nats://[::1]:4222", "nats://token@a,"} {
		if err := CheckNATSURL("--nats-url", good); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
	for _, bad := range []string{"http://a", "nats://", "nats://a:0", "nats://a:99999", "nats://a:x", "nats://u:p@ss@a", "nats://u:p/w@a@b", "nats://a,nats://%zz"} {
		testenv.WantSentence(t, CheckNATSURL("--nats-url", bad), "--nats-url", "nats://user:password@host:4222")
	}
	for _, good := range []string{"mongodb://a", "mongodb://u:p%40@a:27017,b/x?replicaSet=rs0", "mongodb://a/?authSource=x%40y"} {
		if err := CheckMongoDBURI("--from", good); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
	for _, bad := range []string{"", "a", "mongodb://", "mongodb://a:99999", "mongodb://u:p@ss@a", "mongodb://u:p@ss/w@a/x"} {
		testenv.WantSentence(t, CheckMongoDBURI("--from", bad), "--from", "mongodb://user:password@host")
	}
}

// TestAwaitNATS: a server that refuses the password and one that is not there are told apart.
func TestAwaitNATS(t *testing.T) {
	refusing := testenv.StartNATSWith(t, func(o *server.Options) { o.Users = []*server.User{{Username: "ada", Password: "hunter2"}} })
	for url, says := range map[string]string{
		strings.Replace(refusing.URL(), "//", "//ada:hunter3@", 1): "refuses the user or the password",
		"nats://ada:hunter3@127.0.0.1:1":                           "cannot be reached at 127.0.0.1:1",
	} {
		conn, err := messages.Connect(url, "test", zerolog.Nop())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		err = AwaitNATS(ctx, conn, url)
		testenv.WantSentence(t, err, says)
		if strings.Contains(fmt.Sprint(err), "hunter3") {
			t.Errorf("the password is in %v", err)
		}
	}
}

// TestExplainAServerThatWasNotInitiated: a mongod that was only started with --replSet is told of in a
// sentence of its own.
func TestExplainAServerThatWasNotInitiated(t *testing.T) {
	got := explainSelection(description.Topology{Servers: []description.Server{{Addr: "h:27017", Kind: description.ServerKindRSGhost}}}, "--mongodb-uri")
	if !strings.Contains(got, "h:27017") || !strings.Contains(got, "no replica set yet: run rs.initiate()") {
		t.Errorf("it says %q", got)
	}
}
