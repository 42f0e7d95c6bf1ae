package testenv

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// A Mongo is one mongod: the only node of the replica set rs0, or one of a [ReplicaSet]. Its methods return errors
// instead of failing a test, so that a goroutine that breaks things under load may call
// them; they are safe for concurrent use.
type Mongo struct {
	path string // of the executable
	dir  string // holds data/ and mongod.log
	args []string
	port int
	// member says that a ReplicaSet makes it part of a set, so it need not become a primary.
	member bool

	mu     sync.Mutex // guards all below and args, and keeps starts and ends apart
	proc   *Process
	frozen bool
	login  string // user:password@ of who starts it, if it wants one
	tls    string // options of a connection string, if it speaks TLS only: &tls=true...
}

// StartMongo starts a mongod for this test alone; it is gone when the test ends. The
// arguments are added to its command line.
func StartMongo(tb testing.TB, args ...string) *Mongo {
	tb.Helper()
	return startMongo(tb, "", args...)
}

// startMongo is StartMongo for a server that speaks TLS only, when tls says how to connect to it.
func startMongo(tb testing.TB, tls string, args ...string) *Mongo {
	tb.Helper()
	m, err := newMongo(&Mongo{dir: tb.TempDir(), tls: tls, args: append(forTests(), args...)})
	if err != nil {
		tb.Fatalf("testenv: %v", err)
	}
	m.killAfter(tb)
	return m
}

func (m *Mongo) killAfter(tb testing.TB) {
	tb.Cleanup(func() {
		if err := m.Kill(); err != nil {
			tb.Errorf("testenv: %v", err)
		}
	})
}

// forTests are the arguments of a mongod that serves a test.
func forTests() []string {
	return []string{
		// The default, half of the memory, is too much for several servers on one machine.
		"--wiredTigerCacheSizeGB", "0.25",
		// Fail points.
		"--setParameter", "enableTestCommands=1",
	}
}

// NewMongo is [StartMongo] for programs that are no tests, with nothing that only tests
// want: it keeps data and log in dir, and the caller ends it with Kill or Stop. It returns
// when the node is a writable primary.
func NewMongo(dir string, args ...string) (*Mongo, error) {
	return newMongo(&Mongo{dir: dir, args: args})
}

// newMongo starts m on a port that is free.
func newMongo(m *Mongo) (*Mongo, error) {
	var err error
	if m.path, err = findMongod(); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Join(m.dir, "data"), 0o700); err != nil {
		return nil, err
	}
	// A port that was free a moment ago may be taken by now; then another one will do.
	for range 10 {
		if m.port, err = FreePort(); err != nil {
			return nil, err
		}
		if err = m.start(); !errors.Is(err, errPortTaken) {
			break
		}
	}
	if err != nil {
		return nil, err
	}
	return m, nil
}

// URI is the connection string, with the database eventio in its path.
func (m *Mongo) URI() string { return "mongodb://" + m.Addr() + "/eventio?replicaSet=rs0" }

// Addr is host:port, for a proxy put before it; whoever connects through one also needs
// directConnection=true, as the node goes by this address in its replica set.
func (m *Mongo) Addr() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(m.port)) }

// Pid is the process id of the mongod running now or last.
func (m *Mongo) Pid() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.proc.Pid
}

// Signal sends sig: SIGSTOP freezes the server, SIGCONT thaws it.
func (m *Mongo) Signal(sig os.Signal) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.proc.Signal(sig); err != nil {
		return err
	}
	if sig == syscall.SIGSTOP || sig == syscall.SIGCONT {
		m.frozen = sig == syscall.SIGSTOP
	}
	return nil
}

// Frozen reports whether SIGSTOP was the last word to the server that runs now.
func (m *Mongo) Frozen() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.frozen
}

// Kill ends the server as a crash would, and returns when it is gone. It may come twice.
func (m *Mongo) Kill() error { return m.end(syscall.SIGKILL) }

// Stop shuts the server down cleanly, and returns when it is gone. It may come twice.
func (m *Mongo) Stop() error { return m.end(syscall.SIGTERM) }

func (m *Mongo) end(sig os.Signal) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.endProcess(sig)
}

// endProcess is called with mu held.
func (m *Mongo) endProcess(sig os.Signal) error {
	if err := m.proc.End(sig); err != nil {
		return err
	}
	// Behind the Docker wrapper mongod itself ends a moment after the process we started.
	return Poll(context.Background(), stopLimit, func() error {
		if m.dial() != nil {
			return nil
		}
		return fmt.Errorf("port %d still answers", m.port)
	})
}

// dial tells whether the port answers.
func (m *Mongo) dial() error {
	conn, err := net.Dial("tcp", m.Addr())
	if err != nil {
		return err
	}
	return conn.Close()
}

// Restart starts the server again with the same data on the same port, after killing it if
// it still runs. It returns when the node is a writable primary.
func (m *Mongo) Restart() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.endProcess(syscall.SIGKILL); err != nil {
		return err
	}
	// Another program may hold the port for a moment.
	var err error
	_ = Poll(context.Background(), startLimit, func() error {
		if err = m.start(); errors.Is(err, errPortTaken) {
			return err
		}
		return nil
	})
	return err
}

var errPortTaken = errors.New("the port is taken")

// start runs mongod on m.port and waits until it can be written to. Call it with mu held.
func (m *Mongo) start() error {
	args := append([]string{
		"--replSet", "rs0",
		"--bind_ip", "127.0.0.1",
		"--port", strconv.Itoa(m.port),
		"--dbpath", filepath.Join(m.dir, "data"),
		"--nounixsocket",
		// As in production: what a killed worker holds is free after two seconds.
		"--setParameter", "transactionLifetimeLimitSeconds=2",
	}, m.args...)
	logPath := filepath.Join(m.dir, "mongod.log")
	logStart := fileSize(logPath)
	proc, err := StartProcess(logPath, exec.Command(m.path, args...))
	if err != nil {
		return err
	}
	m.proc, m.frozen = proc, false
	if err := m.await(); err != nil {
		_ = proc.End(syscall.SIGKILL)
		said := tail(logPath, logStart)
		if strings.Contains(said, "Address already in use") {
			err = errPortTaken
		}
		return fmt.Errorf("start mongod on port %d: %w; its last words:\n%s", m.port, err, said)
	}
	return nil
}

// await waits until the node answers, and until it is a primary unless it is a member.
func (m *Mongo) await() error {
	life := m.proc.life // a mongod that has ended is not waited for
	// The driver looks again only after half a second when nobody listens, so it comes second.
	if err := Poll(life, startLimit, m.dial); err != nil {
		return err
	}
	return withAdmin(m.direct(), func(admin *mongo.Database) error {
		if m.member {
			var taken error // a member closes its connections when it finds that its set is another one
			err := Poll(life, startLimit, func() error {
				err := m.checkOwn(admin)
				if errors.Is(err, errPortTaken) {
					taken, err = err, nil
				}
				return err
			})
			return cmp.Or(err, taken)
		}
		err := Poll(life, startLimit, func() error {
			var hello struct {
				SetName           string `bson:"setName"`
				IsWritablePrimary bool   `bson:"isWritablePrimary"`
			}
			if err := run(life, admin, bson.D{{Key: "hello", Value: 1}}, &hello); err != nil || hello.IsWritablePrimary {
				return err
			}
			if hello.SetName == "" {
				_ = run(life, admin, bson.D{{Key: "replSetInitiate", Value: bson.D{
					{Key: "_id", Value: "rs0"},
					{Key: "members", Value: bson.A{bson.D{{Key: "_id", Value: 0}, {Key: "host", Value: m.Addr()}}}},
				}}}, nil) // if it did not work the next hello tells
			}
			return errors.New("no writable primary yet")
		})
		if err != nil {
			return err
		}
		return m.checkOwn(admin)
	})
}

// direct is the connection string for this node alone, whatever its set says.
func (m *Mongo) direct() string {
	return "mongodb://" + m.login + m.Addr() + "/?directConnection=true" + m.tls
}

// unauthorized is the code of a command that needs a user who has logged in.
const unauthorized = 13

// checkOwn tells whether our mongod answers, not one of another test that took the port
// while ours is still about to fail.
func (m *Mongo) checkOwn(admin *mongo.Database) error {
	var options struct {
		Parsed struct {
			Storage struct {
				DBPath string `bson:"dbPath"`
			} `bson:"storage"`
		} `bson:"parsed"`
	}
	err := run(m.proc.life, admin, bson.D{{Key: "getCmdLineOpts", Value: 1}}, &options)
	var refused mongo.CommandError
	if errors.As(err, &refused) && refused.Code == unauthorized {
		return nil // it wants users (--keyFile), which the others of the tests do not
	}
	if err != nil {
		return err
	}
	if options.Parsed.Storage.DBPath != filepath.Join(m.dir, "data") {
		return errPortTaken
	}
	return nil
}

// withAdmin connects, hands over the admin database and disconnects.
func withAdmin(uri string, use func(*mongo.Database) error) error {
	client, err := mongo.Connect(options.Client().SetServerSelectionTimeout(5 * time.Second).ApplyURI(uri))
	if err != nil {
		return err
	}
	defer disconnect(client)
	return use(client.Database("admin"))
}

// disconnect does not wait for a server that is gone to take note of the end of a session.
func disconnect(client *mongo.Client) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = client.Disconnect(ctx)
}

// run runs one command and decodes its reply into result, if that is not nil.
func run(ctx context.Context, db *mongo.Database, command bson.D, result any) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	reply := db.RunCommand(ctx, command)
	if result == nil {
		return reply.Err()
	}
	return reply.Decode(result)
}

// findMongod asks scripts/mongod.sh, which may download one.
var findMongod = sync.OnceValues(func() (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), fetchLimit)
	defer cancel()
	return Script(ctx, "mongod.sh")
})

// Script runs one of the folder scripts that prints a line, and returns it. The error has what it says.
func Script(ctx context.Context, name string, args ...string) (string, error) {
	root, err := moduleRoot()
	if err != nil {
		return "", err
	}
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, "sh", append([]string{filepath.Join(root, "scripts", name)}, args...)...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	cmd.WaitDelay = time.Second // a download left behind must not keep the pipes open
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%s: %w\n%s", name, err, stderr.String())
	}
	return strings.TrimSpace(stdout.String()), nil
}

// ReadFile reads a file of the project, whose path is as from its root.
func ReadFile(path string) (string, error) {
	root, err := moduleRoot()
	if err != nil {
		return "", err
	}
	text, err := os.ReadFile(filepath.Join(root, path))
	return string(text), err
}

// moduleRoot walks up to go.mod; go test runs every test in the folder of its package.
func moduleRoot() (string, error) {
	start, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for dir := start; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", fmt.Errorf("no go.mod above %s", start)
		}
	}
}

// FreePort is a port of 127.0.0.1 that was free a moment ago.
func FreePort() (int, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port, nil
}

func fileSize(path string) int64 {
	info, err := os.Stat(path)
	if err != nil {
		return 0 // not there yet
	}
	return info.Size()
}

// tail returns what was written to the file after the first from bytes, at most 4 KB of it.
func tail(path string, from int64) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	text = text[min(from, int64(len(text))):]
	return string(text[max(0, len(text)-4096):])
}
