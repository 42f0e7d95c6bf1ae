package setup

import (
	"context"
	"errors"
	"time"

	"github.com/rs/zerolog"

	"github.com/eventio/eventio/pkg/messages"
	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/worker"
)

// Queue is a NATS server and a worker in this process, for a tool whose seat requests go through
// the queue like everybody's. Other workers may serve the same database: the store decides.
type Queue struct {
	*messages.Requester
	close []func() error
}

// OpenQueue starts a queue over a store, which stays the caller's.
func OpenQueue(ctx context.Context, st store.Store, log zerolog.Logger) (_ *Queue, err error) {
	q := &Queue{}
	defer func() {
		if err != nil {
			err = errors.Join(err, q.Close())
		}
	}()
	e := &Embedded{log: log, Namespace: Prefix{NATSPrefix: messages.DefaultPrefix}.Namespace(st.DatabaseID())}
	q.close = append(q.close, e.Close)
	options, err := natsOptions("")
	if err != nil {
		return nil, err
	}
	if e.nats, err = startNATS(options); err != nil {
		return nil, err
	}
	e.atEnd(func() error { e.nats.Shutdown(); e.nats.WaitForShutdown(); return nil })
	link, err := e.Connect("worker")
	if err != nil {
		return nil, err
	}
	w := worker.New(link.Conn, st, worker.Config{InFlight: 1, Prefix: e.Namespace.Prefix}, log)
	e.atEnd(func() error {
		stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopLimit)
		defer cancel()
		return w.Stop(stopping)
	})
	if err := w.Start(); err != nil {
		return nil, err
	}
	asking, err := e.Connect("user")
	if err != nil {
		return nil, err
	}
	if err := AwaitNATS(ctx, asking.Conn, ""); err != nil {
		return nil, err
	}
	if q.Requester, err = messages.NewRequester(asking); err != nil {
		return nil, err
	}
	// Requests that no worker takes yet are refused, so it waits for the worker.
	for {
		err := q.Ready(ctx)
		if err == nil {
			return q, nil
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-time.After(connectPoll):
		}
	}
}

// Close answers what was accepted and ends the parts.
func (q *Queue) Close() error {
	var err error
	for _, end := range q.close {
		err = errors.Join(err, end())
	}
	return err
}
