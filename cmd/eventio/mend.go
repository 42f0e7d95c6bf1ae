package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/gofrs/flock"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/rs/zerolog"

	"github.com/eventio/eventio/pkg/messages"
	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/sqlitestore"
	"github.com/eventio/eventio/worker"
)

// mendTimeout bounds one recount. It counts all registrations of an event in one
// transaction, so it takes longer than a registration.
const mendTimeout = 20 * time.Second

// mender has events recounted through the queue: by the workers behind a NATS server, or,
// for a data folder that no process serves, by a worker of its own.
type mender struct {
	requester *messages.Requester
	conn      *nats.Conn
	namespace messages.Namespace

	// The parts of a worker of its own; nil when the workers are elsewhere.
	lock       *flock.Flock
	store      *sqlitestore.Store
	nats       *server.Server
	workerConn *nats.Conn
	worker     *worker.Worker
}

// openMender is ready to have events of the auditor's database recounted. It fails when the
// workers behind a NATS server are those of other databases, and says of which.
func openMender(ctx context.Context, c verifyConfig, auditor store.Auditor, log zerolog.Logger) (_ *mender, err error) {
	m := &mender{}
	defer func() {
		if err != nil {
			err = errors.Join(err, m.close())
		}
	}()
	log = log.Level(zerolog.WarnLevel)
	if c.NATSURL != "" {
		if m.conn, err = messages.Connect(c.NATSURL, "verify", log); err != nil {
			return nil, err
		}
		if err := m.connected(ctx); err != nil {
			return nil, err
		}
		database, err := auditor.DatabaseID(ctx)
		if err != nil {
			return nil, err
		}
		m.namespace = c.Namespace(database)
		if err := m.findWorker(ctx); err != nil {
			return nil, err
		}
		return m, m.ask()
	}
	if c.MongoDBURI != "" {
		return nil, errors.New("--repair goes through the queue: name the NATS servers of the workers with --nats-url")
	}
	if m.lock, err = lock(c.lockFile()); err != nil {
		return nil, fmt.Errorf("%w; or have that process repair: start it with --nats-listen and give the address here as --nats-url", err)
	}
	if m.store, err = sqlitestore.Open(ctx, c.file()); err != nil {
		return nil, err
	}
	m.namespace = c.Namespace(m.store.DatabaseID())
	if m.nats, err = startNATS(""); err != nil {
		return nil, err
	}
	if m.workerConn, err = messages.Connect("", "worker", log, nats.InProcessServer(m.nats)); err != nil {
		return nil, err
	}
	m.worker = worker.New(m.workerConn, m.store, worker.Config{InFlight: 1, Prefix: m.namespace.Prefix}, log)
	if err := m.worker.Start(); err != nil {
		return nil, err
	}
	if m.conn, err = messages.Connect("", "verify", log, nats.InProcessServer(m.nats)); err != nil {
		return nil, err
	}
	if err := m.connected(ctx); err != nil {
		return nil, err
	}
	return m, m.ask()
}

// ask makes the requester.
func (m *mender) ask() (err error) {
	m.requester, err = messages.NewRequester(messages.Link{Conn: m.conn, Namespace: m.namespace})
	return err
}

// connected waits for the first connection, which Connect does not.
func (m *mender) connected(ctx context.Context) error {
	conn := m.conn
	for !conn.IsConnected() {
		select {
		case <-ctx.Done():
			return fmt.Errorf("connect to NATS: %w (%w)", ctx.Err(), conn.LastError())
		case <-time.After(20 * time.Millisecond):
		}
	}
	return nil
}

// findLimit bounds the wait for a worker to say that it is there.
const findLimit = 3 * time.Second

// findWorker looks for a worker of this database. It fails when none answers, and names the
// databases of those that do.
func (m *mender) findWorker(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, findLimit)
	defer cancel()
	there, others := false, make(map[string]bool)
	err := messages.Discover(ctx, m.conn, func(n messages.Namespace) bool {
		there = n == m.namespace
		switch {
		case n == messages.Namespace{}:
			others["whatever database older workers use, which do not say it"] = true
		case !there:
			others[n.String()] = true
		}
		return !there
	})
	if err != nil || there {
		return err
	}
	found := "there are none at all"
	if len(others) > 0 {
		found = "those that are there serve: " + strings.Join(slices.Sorted(maps.Keys(others)), ", ")
	}
	return fmt.Errorf("no worker of database %s is on this NATS server; %s; nothing was changed", m.namespace, found)
}

func (m *mender) close() error {
	var err error
	if m.worker != nil {
		ctx, cancel := context.WithTimeout(context.Background(), stopLimit)
		defer cancel()
		err = errors.Join(err, m.worker.Stop(ctx))
	}
	for _, conn := range []*nats.Conn{m.conn, m.workerConn} {
		if conn != nil {
			conn.Close()
		}
	}
	if m.nats != nil {
		m.nats.Shutdown()
		m.nats.WaitForShutdown()
	}
	if m.store != nil {
		err = errors.Join(err, m.store.Close())
	}
	if m.lock != nil {
		err = errors.Join(err, m.lock.Unlock())
	}
	return err
}

// mend has one event recounted and says what became of it.
func (m *mender) mend(ctx context.Context, event store.ID) (string, error) {
	reply, err := m.requester.Request(ctx, messages.SeatRequest{
		Kind: messages.KindRecount, EventID: event, RequestID: "verify-" + store.NewID().Hex(),
	}, time.Now().Add(mendTimeout))
	switch reply.Outcome {
	case messages.OutcomeRecounted:
		return "repaired", nil
	case messages.OutcomeOverbooked:
		return "not repaired: more people hold a place than there are", nil
	case messages.OutcomeEventNotFound:
		return "not repaired: the workers do not know it", nil
	case messages.OutcomeInvalid:
		return "", errors.New("the workers do not know this request: they are older than this program")
	}
	return "", fmt.Errorf("the workers answered %s: %w", reply.Outcome, err)
}
