// Command api is the HTTP side of Event.io. Any number of them may run: they share nothing
// but NATS and MongoDB.
package main

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/eventio/eventio/api"
	"github.com/eventio/eventio/internal/process"
	"github.com/eventio/eventio/internal/retention"
	"github.com/eventio/eventio/internal/setup"
	"github.com/eventio/eventio/internal/telemetry"
	"github.com/eventio/eventio/pkg/messages"
)

type config struct {
	process.Logging
	Addr string `env:"EVENTIO_ADDR" default:"127.0.0.1:3000" help:"Address to listen on, host:port. Port 0 picks a free one."`

	Serve       serveConfig `cmd:"" default:"withargs" help:"Serve the API and the pages (the default)."`
	Healthcheck struct{}    `cmd:"" help:"Ask the API at --addr whether it is ready; exit 1 when it is not."`
}

// defaultAdmin is the default of --admin-addr.
const defaultAdmin = "127.0.0.1:9090"

type serveConfig struct {
	AdminAddr string `env:"EVENTIO_ADMIN_ADDR" default:"127.0.0.1:9090" help:"Address of /metrics (Prometheus) and /debug/pprof, host:port, for operators only: whoever reaches it needs no token. off: none. When another process has the default, there is none, and the log says so."`
	telemetry.Traces
	setup.Servers
	RequestTimeout time.Duration `env:"EVENTIO_REQUEST_TIMEOUT" default:"5s" help:"Longest time until an answer, in which a registration is sent to at most two workers that do not reply."`
	process.MaxConnections
	setup.Quotas
	process.Idle
	DrainDelay time.Duration `env:"EVENTIO_DRAIN_DELAY" default:"1s" help:"How long to go on serving, unready, after SIGTERM, until gateways have noticed."`
	Auth       string        `env:"EVENTIO_AUTH" enum:"token,trusted" default:"token" help:"token: whoever acts must prove who they are. trusted: ids in bodies are believed; only behind a gateway that knows its users."`
	setup.Identity
	retention.KeyFlags
	setup.WebhookTargets
	setup.WebhookAPI
	setup.Pages
	Mail bool `env:"EVENTIO_MAIL" help:"A notifier sends mail (--smtp-url there): take requests for links that set a new password or prove an address."`
}

// Schema implements process.Schemed.
func (*config) Schema() string {
	return setup.MongoDBSchema()
}

func main() { process.Main(run) }

func run(ctx context.Context, env process.Env) (err error) {
	var c config
	line, err := process.Parse(&c, env, "api", "The HTTP side of Event.io.")
	if err != nil {
		return err
	}
	log := c.Logger(env)
	line.WarnOfSecrets(log)
	defer func() { err = line.Named(setup.Explain(err, log)) }()
	if line.Command == "healthcheck" {
		return process.Healthcheck(ctx, c.Addr)
	}
	if err := cmp.Or(process.RequestTimeout(c.Serve.RequestTimeout), process.DrainDelay(c.Serve.DrainDelay), c.Serve.CheckIdle()); err != nil {
		return err
	}
	if err := c.Serve.KeyFlags.Check(); err != nil {
		return err
	}
	most, err := c.Serve.Bound()
	if err != nil {
		return err
	}
	quotas, err := c.Serve.APIQuotas()
	if err != nil {
		return err
	}
	hooks, err := c.Serve.APIWebhooks(c.Serve.WebhookTargets)
	if err != nil {
		return err
	}
	pages, err := c.Serve.Pages.Handler()
	if err != nil {
		return err
	}
	listener, err := process.Listen(c.Addr)
	if err != nil {
		return err
	}
	defer listener.Close()
	access, err := c.Serve.Access(c.Serve.Auth, listener.Addr(), log)
	if err != nil {
		return err
	}
	metrics := telemetry.NewRegistry("api")
	admin, err := telemetry.Open(telemetry.AdminAddr{Addr: c.Serve.AdminAddr, Default: defaultAdmin}, metrics, log)
	if err != nil {
		return err
	}
	defer admin.Close()
	tracer, endTraces, err := c.Serve.Traces.Open(ctx, "api", log)
	if err != nil {
		return err
	}
	defer endTraces()
	connections, err := c.Serve.Servers.Open(ctx, "api", log)
	if err != nil {
		return err
	}
	defer connections.Close()
	starting, cancel := context.WithTimeout(ctx, c.Serve.StartTimeout)
	defer cancel()
	endGuard, err := c.Serve.OpenGuard(starting, &access, setup.Base{Store: connections.Store, Link: connections.Link(), Log: log})
	if err != nil {
		return err
	}
	defer endGuard()
	if access.APIKeys, err = c.Serve.OpenAPIKeys(starting, connections.Store, log); err != nil {
		return err
	}
	defer access.APIKeys.Close()
	requester, err := messages.NewRequester(connections.Link())
	if err != nil {
		return err
	}
	if err := requester.ShareRolls(); err != nil {
		return err
	}
	settings := api.Config{RequestTimeout: c.Serve.RequestTimeout, KeyLife: c.Serve.KeepKeys, RepeatsWithin: c.Serve.RepeatsWithin, Pages: pages, Access: access, Quotas: quotas, Webhooks: hooks,
		LiveStreams: process.Streams(most), ChangeWaits: process.Waits(most), Tracer: tracer}
	if c.Serve.Mail {
		settings.Mail = connections.Store
	}
	handler := api.New(connections.Store, requester, settings, log)
	defer handler.Wait()
	metrics.MustRegister(connections.Metrics(), access.Guard.Metrics(), requester.Metrics(), handler.Metrics())
	log.Info().Str("addr", listener.Addr().String()).Str("auth", setup.AuthOf(access.Mode)).
		EmbedObject(connections.Namespace).Msg("serving HTTP")
	ctx, end := process.EndOn(ctx, log, connections.Lost)
	go handler.Watch(ctx)
	defer context.AfterFunc(ctx, handler.EndWaits)()
	err = process.Server{
		Listener: listener, Handler: handler, DrainDelay: c.Serve.DrainDelay, IdleTimeout: c.Serve.IdleTimeout, MaxConnections: most, Log: log,
	}.Serve(ctx)
	return errors.Join(err, end())
}
