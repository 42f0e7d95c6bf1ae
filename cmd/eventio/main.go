// Command eventio is the whole of Event.io in one process, with an embedded NATS server
// and an embedded store: the same parts as cmd/api and cmd/worker, with other plugs.
//
// Everything lives in the folder given by --data: eventio.db (SQLite, with its -wal and
// -shm) and eventio.lock, which keeps a second process out.
package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/eventio/eventio/internal/access"
	"github.com/eventio/eventio/internal/process"
)

type config struct {
	process.Logging
	Serve    serveConfig    `cmd:"" default:"withargs" help:"Serve everything (the default)."`
	Simulate simulateConfig `cmd:"" help:"Prove that a burst never oversells: many users want few places at once."`
	Token    tokenConfig    `cmd:"" help:"Print a token that speaks for a user, for operators and load tools."`
	Verify   verifyConfig   `cmd:"" help:"Prove that a whole database keeps every promise. It reads only, also while Event.io serves; exit 1 when it does not hold."`
	Migrate  migrateConfig  `cmd:"" help:"Bring the schema of a database to the version of this program, before its processes start. They do it themselves otherwise."`
	Import   importConfig   `cmd:"" help:"Take users, events and registrations over from a database of the original Event.io. It may be interrupted and repeated."`
}

type serveConfig struct {
	Addr           string        `env:"EVENTIO_ADDR" default:"127.0.0.1:3000" help:"Address to listen on, host:port. Port 0 picks a free one."`
	Data           string        `env:"EVENTIO_DATA" default:"./data" type:"path" help:"Folder for the data; it is made when it is missing."`
	NATSListen     string        `name:"nats-listen" env:"EVENTIO_NATS_LISTEN" placeholder:"HOST:PORT" help:"Also open the embedded NATS server to other processes, at this address. By default it has no port."`
	RequestTimeout time.Duration `env:"EVENTIO_REQUEST_TIMEOUT" default:"5s" help:"Longest time until an answer."`
	Auth           string        `env:"EVENTIO_AUTH" enum:"auto,token,trusted" default:"auto" help:"token: whoever acts must prove who they are. trusted: ids in bodies are believed; only for yourself, or behind a gateway that knows its users. auto: trusted on a loopback address, else token."`
	access.Flags
}

// stopLimit bounds the end of the embedded parts.
const stopLimit = 10 * time.Second

func main() { process.Main(run) }

func run(ctx context.Context, env process.Env) error {
	var c config
	command, err := process.Parse(&c, env, "eventio", "Event.io in one process. Registrations for the same few places: never one too many.")
	if err != nil {
		return err
	}
	switch command {
	case "simulate":
		return simulate(ctx, c.Simulate, env, c.Logger(env))
	case "token":
		return printToken(ctx, c.Token, env, c.Logger(env))
	case "verify":
		return verifyDatabase(ctx, c.Verify, env, c.Logger(env))
	case "migrate":
		return migrateDatabase(ctx, c.Migrate, env, c.Logger(env))
	case "import":
		return importDatabase(ctx, c.Import, env, c.Logger(env))
	}
	return serve(ctx, c, env)
}

func serve(ctx context.Context, c config, env process.Env) (err error) {
	log := c.Logger(env)
	listener, err := net.Listen("tcp", c.Serve.Addr)
	if err != nil {
		return fmt.Errorf("listen: %w (choose another address with --addr)", err)
	}
	defer listener.Close()
	settings, err := c.Serve.Resolve(c.Serve.Auth, listener.Addr(), log)
	if err != nil {
		return err
	}
	s, err := openStack(ctx, stackConfig{
		data: c.Serve.Data, natsListen: c.Serve.NATSListen, requestTimeout: c.Serve.RequestTimeout, access: settings,
	}, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close(stopLimit)) }()
	url := "http://" + listener.Addr().String()
	fmt.Fprintf(env.Stdout, `Event.io is listening on %s
  data      %s
  auth      %s
  pages     open %s in a browser
  events    curl %s/api/events
  proof     eventio simulate --url %s
  stop      Ctrl-C
`, url, c.Serve.Data, settings.Mode(), url, url, url)
	return process.Server{Listener: listener, Handler: s.api, Log: log}.Serve(ctx)
}
