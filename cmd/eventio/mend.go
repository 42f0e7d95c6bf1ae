package main

import (
	"context"
	"errors"
	"fmt"
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

	// The parts of a worker of its own; nil when the workers are elsewhere.
	lock       *flock.Flock
	store      *sqlitestore.Store
	nats       *server.Server
	workerConn *nats.Conn
	worker     *worker.Worker
}

func openMender(ctx context.Context, c verifyConfig, log zerolog.Logger) (_ *mender, err error) {
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
		return m, m.connected(ctx)
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
	if m.nats, err = startNATS(""); err != nil {
		return nil, err
	}
	if m.workerConn, err = messages.Connect("", "worker", log, nats.InProcessServer(m.nats)); err != nil {
		return nil, err
	}
	m.worker = worker.New(m.workerConn, m.store, worker.Config{InFlight: 1}, log)
	if err := m.worker.Start(); err != nil {
		return nil, err
	}
	if m.conn, err = messages.Connect("", "verify", log, nats.InProcessServer(m.nats)); err != nil {
		return nil, err
	}
	return m, m.connected(ctx)
}

// connected makes the requester and waits for the first connection, which Connect does not.
func (m *mender) connected(ctx context.Context) (err error) {
	if m.requester, err = messages.NewRequester(m.conn); err != nil {
		return err
	}
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
		return "not repaired: the workers do not know it; do they use this database?", nil
	case messages.OutcomeInvalid:
		return "", errors.New("the workers do not know this request: they are older than this program")
	}
	return "", fmt.Errorf("the workers answered %s: %w", reply.Outcome, err)
}
