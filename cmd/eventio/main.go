// Command eventio is the whole of Event.io in one process, with an embedded NATS server and
// an embedded store, and the tools for its databases. It has the parts of cmd/api and
// cmd/worker.
//
// Everything lives in the folder given by --data: eventio.db (SQLite, with its -wal and
// -shm) and eventio.lock, which keeps a second process out.
package main

import (
	"cmp"
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/eventio/eventio/api"
	"github.com/eventio/eventio/cmd/eventio/internal/backup"
	"github.com/eventio/eventio/cmd/eventio/internal/event"
	"github.com/eventio/eventio/cmd/eventio/internal/importer"
	"github.com/eventio/eventio/cmd/eventio/internal/migrate"
	"github.com/eventio/eventio/cmd/eventio/internal/plan"
	"github.com/eventio/eventio/cmd/eventio/internal/simulate"
	"github.com/eventio/eventio/cmd/eventio/internal/token"
	"github.com/eventio/eventio/cmd/eventio/internal/user"
	"github.com/eventio/eventio/cmd/eventio/internal/verify"
	"github.com/eventio/eventio/internal/process"
	"github.com/eventio/eventio/internal/retention"
	"github.com/eventio/eventio/internal/setup"
	"github.com/eventio/eventio/internal/telemetry"
	"github.com/eventio/eventio/relay"
)

type config struct {
	process.Logging
	Serve    serveConfig      `cmd:"" default:"withargs" help:"Serve everything (the default)."`
	Simulate simulate.Command `cmd:"" help:"Prove that a burst never oversells: many users want few places at once."`
	Token    token.Command    `cmd:"" help:"Print a token that speaks for a user, for operators and load tools."`
	User     user.Command     `cmd:"" help:"Look at people, sign them up, lock them, end their log-ins, set their passwords, erase them. It works while Event.io serves."`
	Event    event.Command    `cmd:"" help:"Look at events, close their registration, delete them with their registrations. It works while Event.io serves."`
	Verify   verify.Command   `cmd:"" help:"Prove that a whole database keeps every promise. It reads only, also while Event.io serves; exit 1 when it does not hold."`
	Backup   backup.Command   `cmd:"" help:"Copy the database of a data folder into one new file, also while Event.io serves it."`
	Migrate  migrate.Command  `cmd:"" help:"Bring the schema of a database to the version of this program, before its processes start. They do it themselves otherwise."`
	Plan     plan.Command     `cmd:"" help:"Say what to run for so many people who want so few places, with which settings, and what to expect at the opening second. It asks nobody."`
	Import   importer.Command `cmd:"" help:"Take users, events and registrations over from a database of the original Event.io. It may be interrupted and repeated."`
}

// defaultAdmin is the default of --admin-addr.
const defaultAdmin = "127.0.0.1:9090"

type serveConfig struct {
	Addr               string `env:"EVENTIO_ADDR" default:"127.0.0.1:3000" help:"Address to listen on, host:port. Port 0 picks a free one."`
	Data               string `env:"EVENTIO_DATA" default:"./data" type:"path" help:"Folder for the data; it is made when it is missing."`
	AdminAddr          string `env:"EVENTIO_ADMIN_ADDR" default:"127.0.0.1:9090" help:"Address of /metrics (Prometheus) and /debug/pprof, host:port, for operators only: whoever reaches it needs no token. off: none. When another process has the default, there is none, and the log says so."`
	NATSListen         string `name:"nats-listen" env:"EVENTIO_NATS_LISTEN" placeholder:"HOST:PORT" help:"Also open the embedded NATS server to other processes, at this address, for those who know --nats-listen-auth. By default it has no port."`
	NATSListenAuth     string `name:"nats-listen-auth" env:"EVENTIO_NATS_LISTEN_AUTH" secret:"" placeholder:"USER:PASSWORD" help:"What other processes must prove to use --nats-listen; a password of at least 16 characters. Use the variable: other users of the machine can see flags."`
	NATSListenAuthFile string `name:"nats-listen-auth-file" env:"EVENTIO_NATS_LISTEN_AUTH_FILE" placeholder:"FILE" help:"File with these credentials."`
	telemetry.Traces
	setup.Prefix
	RequestTimeout time.Duration `env:"EVENTIO_REQUEST_TIMEOUT" default:"5s" help:"Longest time until an answer."`
	process.MaxConnections
	setup.Quotas
	process.Idle
	Auth string `env:"EVENTIO_AUTH" enum:"auto,token,trusted" default:"auto" help:"token: whoever acts must prove who they are. trusted: ids in bodies are believed; only for yourself, or behind a gateway that knows its users. auto: trusted, for the user who starts it, on a loopback address before which no proxy is named, else token."`
	setup.Identity
	setup.Leases
	retention.Flags
	retention.KeyFlags
	setup.Relay
	setup.WebhookAPI
	setup.Pages
}

// Schema implements process.Schemed.
func (*config) Schema() string {
	return setup.SQLiteSchema() + ", " + setup.MongoDBSchema()
}

func main() { process.Main(run) }

func run(ctx context.Context, env process.Env) error {
	var c config
	line, err := process.Parse(&c, env, "eventio", "Event.io in one process. Registrations for the same few places: never one too many.")
	if err != nil {
		return err
	}
	log := c.Logger(env)
	line.WarnOfSecrets(log)
	if strings.HasPrefix(line.Command, "user ") {
		return line.Named(setup.Explain(c.User.Act(ctx, env, line.Command, log), log))
	}
	if strings.HasPrefix(line.Command, "event ") {
		return line.Named(setup.Explain(c.Event.Act(ctx, env, line.Command, log), log))
	}
	switch line.Command {
	case "simulate":
		err = c.Simulate.Run(ctx, env, log)
	case "token":
		err = c.Token.Run(ctx, env, log)
	case "verify":
		err = c.Verify.Run(ctx, env, log)
	case "backup <file>":
		err = c.Backup.Run(ctx, env, log)
	case "migrate":
		err = c.Migrate.Run(ctx, env, log)
	case "plan":
		err = c.Plan.Run(env)
	case "import":
		err = c.Import.Run(ctx, env, log)
	default:
		err = c.Serve.run(ctx, env, log)
	}
	return line.Named(setup.Explain(err, log))
}

// run serves the API and the pages until ctx ends.
func (c serveConfig) run(ctx context.Context, env process.Env, log zerolog.Logger) (err error) {
	if err := cmp.Or(process.RequestTimeout(c.RequestTimeout), c.CheckIdle()); err != nil {
		return err
	}
	if err := cmp.Or(c.Flags.Check(), c.KeyFlags.Check(), c.Relay.Check(), c.CheckLeases()); err != nil {
		return err
	}
	most, err := c.Bound()
	if err != nil {
		return err
	}
	quotas, err := c.APIQuotas()
	if err != nil {
		return err
	}
	hooks, err := c.APIWebhooks(c.WebhookTargets)
	if err != nil {
		return err
	}
	pages, err := c.Pages.Handler()
	if err != nil {
		return err
	}
	listener, err := process.Listen(c.Addr)
	if err != nil {
		return err
	}
	defer listener.Close()
	access, err := c.Access(c.Auth, listener.Addr(), log)
	if err != nil {
		return err
	}
	metrics := telemetry.NewRegistry("eventio")
	admin, err := telemetry.Open(telemetry.AdminAddr{Addr: c.AdminAddr, Default: defaultAdmin}, metrics, log)
	if err != nil {
		return err
	}
	defer admin.Close()
	tracer, endTraces, err := c.Traces.Open(ctx, "server", log)
	if err != nil {
		return err
	}
	defer endTraces()
	embedded, err := setup.OpenEmbedded(ctx, setup.EmbeddedConfig{
		Data: c.Data, NATSListen: c.NATSListen, NATSListenAuth: c.NATSListenAuth, Prefix: c.Prefix, SoldOutLease: c.SoldOutLease, Metrics: metrics, Tracer: tracer,
	}, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, embedded.Close()) }()
	settings := api.Config{RequestTimeout: c.RequestTimeout, KeyLife: c.KeepKeys, RepeatsWithin: c.RepeatsWithin, Pages: pages, Access: access, Quotas: quotas, Webhooks: hooks,
		LiveStreams: process.Streams(most), ChangeWaits: process.Waits(most), Tracer: tracer}
	if c.Relay.On() {
		settings.Mail = embedded.Store
	}
	handler, err := embedded.NewAPI(ctx, settings, c.Identity)
	if err != nil {
		return err
	}
	ctx, end := process.EndOn(ctx, log, embedded.Lost()...)
	link, err := embedded.Connect("notifier")
	if err != nil {
		return errors.Join(err, end())
	}
	var background sync.WaitGroup
	background.Go(func() { c.Flags.Run(ctx, embedded.Store, log) })
	background.Go(func() {
		c.Relay.Run(ctx, setup.RelayParts{Store: embedded.Store, Link: link, Metrics: metrics, Tracer: tracer}, relay.Config{}, log)
	})
	defer func() { // before the parts are closed
		err = errors.Join(err, end())
		background.Wait()
	}()
	go handler.Watch(ctx)
	defer context.AfterFunc(ctx, handler.EndWaits)()
	banner{listener.Addr(), c.Data, embedded.Namespace.String(), access.Mode, c.AuthKeys != ""}.print(env.Stdout)
	return process.Server{Listener: listener, Handler: handler, IdleTimeout: c.IdleTimeout, ConnContext: setup.ConnContext(access, log), MaxConnections: most, Log: log}.Serve(ctx)
}
