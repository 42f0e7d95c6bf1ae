// Command worker applies seat requests to MongoDB. Any number of them may run, and come
// and go while the API serves.
package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/rs/zerolog"

	"github.com/eventio/eventio/internal/process"
	"github.com/eventio/eventio/pkg/messages"
	"github.com/eventio/eventio/pkg/store/mongostore"
	"github.com/eventio/eventio/worker"
)

type config struct {
	process.Logging
	Addr string `env:"EVENTIO_ADDR" default:"127.0.0.1:3001" help:"Address of /livez and /readyz, host:port. Port 0 picks a free one."`

	Serve       serveConfig `cmd:"" default:"withargs" help:"Take seat requests (the default)."`
	Healthcheck struct{}    `cmd:"" help:"Ask the worker at --addr whether it is ready; exit 1 when it is not."`
}

type serveConfig struct {
	NATSURL      string        `name:"nats-url" env:"NATS_URL" required:"" help:"NATS servers, comma-separated: nats://host:4222."`
	MongoDBURI   string        `name:"mongodb-uri" env:"MONGODB_URI" required:"" help:"MongoDB replica set: mongodb://host:27017/eventio?replicaSet=rs0. The database is eventio when none is named."`
	MaxBatch     int           `env:"EVENTIO_MAX_BATCH" default:"512" help:"Most registrations in one transaction."`
	MaxWaiting   int           `env:"EVENTIO_MAX_WAITING" default:"20000" help:"Most requests that wait; more are answered 503."`
	StartTimeout time.Duration `env:"EVENTIO_START_TIMEOUT" default:"1m" help:"Longest wait for MongoDB at the start."`
	StopTimeout  time.Duration `env:"EVENTIO_STOP_TIMEOUT" default:"8s" help:"Longest time to finish accepted requests after SIGTERM."`
}

func main() { process.Main(run) }

func run(ctx context.Context, env process.Env) error {
	var c config
	command, err := process.Parse(&c, env, "worker", "Applies seat requests to MongoDB.")
	if err != nil {
		return err
	}
	if command == "healthcheck" {
		return process.Healthcheck(ctx, c.Addr)
	}
	log := c.Logger(env)
	listener, err := net.Listen("tcp", c.Addr)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	defer listener.Close()
	conn, err := messages.Connect(c.Serve.NATSURL, "worker", log)
	if err != nil {
		return err
	}
	defer conn.Close()
	starting, cancel := context.WithTimeout(ctx, c.Serve.StartTimeout)
	defer cancel()
	st, err := mongostore.Open(starting, c.Serve.MongoDBURI, log)
	if err != nil {
		return err
	}
	defer st.Close()
	return serve(ctx, c, parts{listener, conn, st}, log)
}

// parts are what a worker works with; run opens and closes them.
type parts struct {
	listener net.Listener
	conn     *nats.Conn
	store    *mongostore.Store
}

// serve works until ctx ends, answers what it has accepted, and only then stops telling
// that it lives.
func serve(ctx context.Context, c config, p parts, log zerolog.Logger) error {
	w := worker.New(p.conn, p.store, worker.Config{MaxBatch: c.Serve.MaxBatch, MaxWaiting: c.Serve.MaxWaiting}, log)
	if err := w.Start(); err != nil {
		return err
	}
	log.Info().Str("addr", p.listener.Addr().String()).Msg("taking seat requests")
	health, stopHealth := context.WithCancel(context.WithoutCancel(ctx))
	defer stopHealth()
	served := make(chan error, 1)
	go func() {
		served <- process.Server{Listener: p.listener, Handler: w.Health(p.store.Ping), Log: log}.Serve(health)
	}()
	var err error
	select {
	case err = <-served:
	case <-ctx.Done():
	}
	stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.Serve.StopTimeout)
	defer cancel()
	err = errors.Join(err, w.Stop(stopping))
	stopHealth()
	log.Info().Msg("stopped: every accepted request is answered")
	return err
}
