// Command worker applies seat requests to MongoDB. Any number of them may run, and come
// and go while the API serves.
package main

import (
	"cmp"
	"context"
	"errors"
	"net"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"github.com/eventio/eventio/internal/process"
	"github.com/eventio/eventio/internal/retention"
	"github.com/eventio/eventio/internal/setup"
	"github.com/eventio/eventio/internal/telemetry"
	"github.com/eventio/eventio/internal/telemetry/measure"
	"github.com/eventio/eventio/internal/telemetry/tracing"
	"github.com/eventio/eventio/worker"
)

type config struct {
	process.Logging
	Addr string `env:"EVENTIO_ADDR" default:"127.0.0.1:3001" help:"Address of /livez and /readyz, host:port. Port 0 picks a free one."`

	Serve       serveConfig `cmd:"" default:"withargs" help:"Take seat requests (the default)."`
	Healthcheck struct{}    `cmd:"" help:"Ask the worker at --addr whether it is ready; exit 1 when it is not."`
}

// defaultAdmin is the default of --admin-addr.
const defaultAdmin = "127.0.0.1:9091"

type serveConfig struct {
	AdminAddr string `env:"EVENTIO_ADMIN_ADDR" default:"127.0.0.1:9091" help:"Address of /metrics (Prometheus) and /debug/pprof, host:port, for operators only: whoever reaches it needs no token. off: none. When another process has the default, there is none, and the log says so."`
	telemetry.Traces
	setup.Servers
	retention.Flags
	MaxBatch          int  `env:"EVENTIO_MAX_BATCH" default:"512" help:"Most registrations in one transaction."`
	MaxWaiting        int  `env:"EVENTIO_MAX_WAITING" default:"20000" help:"Most requests that wait; more are answered 503."`
	NATSSharedSubject bool `name:"nats-shared-subject" env:"EVENTIO_NATS_SHARED_SUBJECT" help:"Also take requests from APIs of the version before, whose subject eventio.v2.seats does not say which database they are for. DANGER: on a NATS server that another database uses too, seats go into the wrong one. Only while upgrading."`
	setup.Leases
	StopTimeout time.Duration `env:"EVENTIO_STOP_TIMEOUT" default:"8s" help:"Longest time to finish accepted requests after SIGTERM."`
}

// The highest values that --max-batch and --max-waiting may have: a larger batch would be killed by
// transactionLifetimeLimitSeconds, and a longer queue holds what nobody waits for any more.
const (
	maxBatch   = 10_000
	maxWaiting = 10_000_000
)

// Schema implements process.Schemed.
func (*config) Schema() string {
	return setup.MongoDBSchema()
}

func main() { process.Main(run) }

func run(ctx context.Context, env process.Env) (err error) {
	var c config
	line, err := process.Parse(&c, env, "worker", "Applies seat requests to MongoDB.")
	if err != nil {
		return err
	}
	log := c.Logger(env)
	line.WarnOfSecrets(log)
	defer func() { err = line.Named(setup.Explain(err, log)) }()
	if line.Command == "healthcheck" {
		return process.Healthcheck(ctx, c.Addr)
	}
	if err := cmp.Or(process.InRange("--max-batch", c.Serve.MaxBatch, 1, maxBatch), process.InRange("--max-waiting", c.Serve.MaxWaiting, 1, maxWaiting),
		process.InRange("--stop-timeout", c.Serve.StopTimeout, 1, process.MaxStop)); err != nil {
		return err
	}
	if err := cmp.Or(c.Serve.Check(), c.Serve.CheckLeases()); err != nil {
		return err
	}
	listener, err := process.Listen(c.Addr)
	if err != nil {
		return err
	}
	defer listener.Close()
	metrics := telemetry.NewRegistry("worker")
	admin, err := telemetry.Open(telemetry.AdminAddr{Addr: c.Serve.AdminAddr, Default: defaultAdmin}, metrics, log)
	if err != nil {
		return err
	}
	defer admin.Close()
	tracer, endTraces, err := c.Serve.Traces.Open(ctx, "worker", log)
	if err != nil {
		return err
	}
	defer endTraces()
	connections, err := c.Serve.Servers.Open(ctx, "worker", log)
	if err != nil {
		return err
	}
	defer connections.Close()
	return serve(ctx, c, listener, parts{connections, metrics, tracer}, log)
}

// parts are what a worker works with.
type parts struct {
	*setup.Connections
	metrics *prometheus.Registry
	tracer  *tracing.Tracer
}

// serve works until ctx ends, answers what it has accepted, and only then stops telling
// that it lives.
func serve(ctx context.Context, c config, listener net.Listener, connections parts, log zerolog.Logger) error {
	ctx, end := process.EndOn(ctx, log, connections.Lost)
	w := worker.New(connections.NATS, connections.Store, worker.Config{
		MaxBatch: c.Serve.MaxBatch, MaxWaiting: c.Serve.MaxWaiting,
		Prefix: c.Serve.NATSPrefix, SharedSubject: c.Serve.NATSSharedSubject, SoldOutLease: c.Serve.SoldOutLease, Tracer: connections.tracer,
	}, log)
	if err := w.Start(); err != nil {
		return errors.Join(err, end())
	}
	up := measure.NewDependencies("queue", "store")
	connections.metrics.MustRegister(connections.Metrics(), w.Metrics(), up)
	readiness := w.Readiness(connections.Store.Ping, up)
	_ = readiness.Ask(ctx) // logs whether requests are taken already
	log.Info().Str("addr", listener.Addr().String()).EmbedObject(connections.Namespace).
		Msg("serving /livez and /readyz")
	go readiness.Watch(ctx)
	var forgetting sync.WaitGroup
	forgetting.Go(func() { c.Serve.Flags.Run(ctx, connections.Store, log) })
	health, stopHealth := context.WithCancel(context.WithoutCancel(ctx))
	defer stopHealth()
	served := make(chan error, 1)
	go func() {
		served <- process.Server{Listener: listener, Handler: worker.Health(readiness), Log: log}.Serve(health)
	}()
	var err error
	select {
	case err = <-served:
	case <-ctx.Done():
	}
	stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.Serve.StopTimeout)
	defer cancel()
	err = errors.Join(err, end(), w.Stop(stopping))
	forgetting.Wait()
	stopHealth()
	log.Info().Msg("stopped: every accepted request is answered")
	return err
}
