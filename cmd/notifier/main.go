// Command notifier reads the record of changes from MongoDB and tells others of it. Any number of
// them may run; they share the work, and one that dies is replaced by another.
package main

import (
	"context"
	"errors"
	"net"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"github.com/eventio/eventio/internal/process"
	"github.com/eventio/eventio/internal/ready"
	"github.com/eventio/eventio/internal/setup"
	"github.com/eventio/eventio/internal/telemetry"
	"github.com/eventio/eventio/internal/telemetry/measure"
	"github.com/eventio/eventio/internal/telemetry/tracing"
	"github.com/eventio/eventio/relay"
	"github.com/eventio/eventio/worker"
)

type config struct {
	process.Logging
	Addr string `env:"EVENTIO_ADDR" default:"127.0.0.1:3002" help:"Address of /livez and /readyz, host:port. Port 0 picks a free one."`

	Serve       serveConfig `cmd:"" default:"withargs" help:"Tell others of changes (the default)."`
	Healthcheck struct{}    `cmd:"" help:"Ask the notifier at --addr whether it is ready; exit 1 when it is not."`
}

// defaultAdmin is the default of --admin-addr.
const defaultAdmin = "127.0.0.1:9092"

type serveConfig struct {
	AdminAddr string `env:"EVENTIO_ADMIN_ADDR" default:"127.0.0.1:9092" help:"Address of /metrics (Prometheus) and /debug/pprof, host:port, for operators only: whoever reaches it needs no token. off: none. When another process has the default, there is none, and the log says so."`
	telemetry.Traces
	setup.Servers
	setup.Relay
}

// Schema implements process.Schemed.
func (*config) Schema() string {
	return setup.MongoDBSchema()
}

func main() { process.Main(run) }

func run(ctx context.Context, env process.Env) (err error) {
	var c config
	line, err := process.Parse(&c, env, "notifier", "Tells others of changes: reads their record from MongoDB.")
	if err != nil {
		return err
	}
	log := c.Logger(env)
	line.WarnOfSecrets(log)
	defer func() { err = line.Named(setup.Explain(err, log)) }()
	if line.Command == "healthcheck" {
		return process.Healthcheck(ctx, c.Addr)
	}
	if err := c.Serve.Relay.Check(); err != nil {
		return err
	}
	listener, err := process.Listen(c.Addr)
	if err != nil {
		return err
	}
	defer listener.Close()
	metrics := telemetry.NewRegistry("notifier")
	admin, err := telemetry.Open(telemetry.AdminAddr{Addr: c.Serve.AdminAddr, Default: defaultAdmin}, metrics, log)
	if err != nil {
		return err
	}
	defer admin.Close()
	tracer, endTraces, err := c.Serve.Traces.Open(ctx, "notifier", log)
	if err != nil {
		return err
	}
	defer endTraces()
	connections, err := c.Serve.Servers.Open(ctx, "notifier", log)
	if err != nil {
		return err
	}
	defer connections.Close()
	return serve(ctx, c, listener, parts{connections, metrics, tracer}, log)
}

// parts are what a notifier works with.
type parts struct {
	*setup.Connections
	metrics *prometheus.Registry
	tracer  *tracing.Tracer
}

// serve tells others of changes until ctx ends, gives its leases back, and only then stops telling that
// it lives.
func serve(ctx context.Context, c config, listener net.Listener, connections parts, log zerolog.Logger) error {
	ctx, end := process.EndOn(ctx, log, connections.Lost)
	up := measure.NewDependencies("store")
	connections.metrics.MustRegister(connections.Metrics(), up)
	readiness := ready.New(func(ctx context.Context) error {
		err := connections.Store.Ping(ctx)
		up.Set("store", err == nil)
		return err
	}, "ready: the store answers", log)
	_ = readiness.Ask(ctx) // logs whether it is ready already
	log.Info().Str("addr", listener.Addr().String()).EmbedObject(connections.Namespace).
		Msg("serving /livez and /readyz")
	go readiness.Watch(ctx)
	var telling sync.WaitGroup
	telling.Go(func() {
		parts := setup.RelayParts{Store: connections.Store, Link: connections.Link(), Metrics: connections.metrics, Tracer: connections.tracer}
		c.Serve.Relay.Run(ctx, parts, relay.Config{}, log)
	})
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
	err = errors.Join(err, end())
	telling.Wait()
	stopHealth()
	log.Info().Msg("stopped: others go on from here")
	return err
}
