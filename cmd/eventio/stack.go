package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/gofrs/flock"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/rs/zerolog"

	"github.com/eventio/eventio/api"
	"github.com/eventio/eventio/internal/access"
	"github.com/eventio/eventio/internal/identity"
	"github.com/eventio/eventio/internal/production"
	"github.com/eventio/eventio/pkg/messages"
	"github.com/eventio/eventio/pkg/store/sqlitestore"
	"github.com/eventio/eventio/web"
	"github.com/eventio/eventio/worker"
)

type stackConfig struct {
	data           string // folder
	natsListen     string // host:port, or none
	naming         production.Naming
	requestTimeout time.Duration
	access         access.Settings
}

// databaseFile is the store's file in the data folder.
const databaseFile = "eventio.db"

// stack is all of Event.io in this process. The API and the worker have a connection to
// NATS each, as if they were apart.
type stack struct {
	lock       *flock.Flock
	store      *sqlitestore.Store
	namespace  messages.Namespace
	nats       *server.Server
	apiConn    *nats.Conn
	workerConn *nats.Conn
	worker     *worker.Worker
	guard      *identity.Guard
	api        *api.API
}

// openStack starts everything. close must be called also on the parts of one that failed;
// openStack does it itself.
func openStack(ctx context.Context, c stackConfig, log zerolog.Logger) (_ *stack, err error) {
	s := &stack{}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close(stopLimit))
		}
	}()
	if err := os.MkdirAll(c.data, 0o700); err != nil {
		return nil, fmt.Errorf("make the data folder: %w", err)
	}
	if s.lock, err = lock(filepath.Join(c.data, "eventio.lock")); err != nil {
		return nil, err
	}
	if s.store, err = sqlitestore.Open(ctx, filepath.Join(c.data, databaseFile)); err != nil {
		return nil, err
	}
	s.namespace = c.naming.Namespace(s.store.DatabaseID())
	log.Info().EmbedObject(s.namespace).Msg("the database is open")
	if s.nats, err = startNATS(c.natsListen); err != nil {
		return nil, err
	}
	if s.workerConn, err = messages.Connect("", "worker", log, nats.InProcessServer(s.nats)); err != nil {
		return nil, err
	}
	if s.apiConn, err = messages.Connect("", "api", log, nats.InProcessServer(s.nats)); err != nil {
		return nil, err
	}
	// SQLite has one writer, so one batch in flight gathers the most.
	s.worker = worker.New(s.workerConn, s.store, worker.Config{InFlight: 1, Prefix: s.namespace.Prefix}, log)
	if err := s.worker.Start(); err != nil {
		return nil, err
	}
	link := messages.Link{Conn: s.apiConn, Namespace: s.namespace}
	who, err := c.access.Open(ctx, s.store, link)
	if err != nil {
		return nil, err
	}
	s.guard = who.Guard
	requester, err := messages.NewRequester(link)
	if err != nil {
		return nil, err
	}
	s.api = api.New(s.store, requester, api.Config{
		RequestTimeout: c.requestTimeout, Pages: web.Handler, Access: who,
	}, log)
	return s, nil
}

// close ends the parts in the order in which they need each other. HTTP has ended before.
func (s *stack) close(limit time.Duration) error {
	var err error
	if s.api != nil {
		s.api.Wait()
	}
	if s.worker != nil {
		ctx, cancel := context.WithTimeout(context.Background(), limit)
		defer cancel()
		err = errors.Join(err, s.worker.Stop(ctx))
	}
	if s.guard != nil {
		s.guard.Close()
	}
	for _, conn := range []*nats.Conn{s.apiConn, s.workerConn} {
		if conn != nil {
			conn.Close()
		}
	}
	if s.nats != nil {
		s.nats.Shutdown()
		s.nats.WaitForShutdown()
	}
	if s.store != nil {
		err = errors.Join(err, s.store.Close())
	}
	if s.lock != nil {
		err = errors.Join(err, s.lock.Unlock())
	}
	return err
}

// lock keeps a second process off the folder, and tells it who was first.
func lock(path string) (*flock.Flock, error) {
	l := flock.New(path)
	ok, err := l.TryLock()
	if err != nil {
		return nil, fmt.Errorf("lock the data folder: %w", err)
	}
	if !ok {
		pid, _ := os.ReadFile(path) // only names the culprit
		return nil, fmt.Errorf("the data folder is in use by process %s: stop it, or choose another folder with --data",
			strings.TrimSpace(string(pid)))
	}
	if err := os.WriteFile(path, []byte(strconv.Itoa(os.Getpid())), 0o600); err != nil {
		return nil, errors.Join(fmt.Errorf("lock the data folder: %w", err), l.Unlock())
	}
	return l, nil
}

// natsStartLimit bounds the start of the embedded server.
const natsStartLimit = 5 * time.Second

// startNATS starts the embedded server, without a port unless listen names one.
func startNATS(listen string) (*server.Server, error) {
	options := &server.Options{ServerName: "eventio", DontListen: listen == "", NoSigs: true, NoLog: true,
		MaxPayload: 2 * messages.MaxMessage}
	if listen != "" {
		host, port, err := net.SplitHostPort(listen)
		if err == nil {
			options.Host = host
			options.Port, err = strconv.Atoi(port)
		}
		if err != nil {
			return nil, fmt.Errorf("--nats-listen: %w", err)
		}
		if options.Port == 0 {
			options.Port = server.RANDOM_PORT
		}
	}
	ns, err := server.NewServer(options)
	if err != nil {
		return nil, fmt.Errorf("start the embedded NATS server: %w", err)
	}
	ns.Start()
	if !ns.ReadyForConnections(natsStartLimit) {
		ns.Shutdown()
		return nil, errors.New("the embedded NATS server did not start: is the address of --nats-listen free?")
	}
	return ns, nil
}
