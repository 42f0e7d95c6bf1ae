// Package role is the processes of a measurement that are no part of the product: a NATS server and the baselines.
package role

import (
	"context"
	"fmt"
	"net"
	"net/http"

	"github.com/nats-io/nats.go"
	"github.com/rs/zerolog"

	"github.com/eventio/eventio/internal/process"
	"github.com/eventio/eventio/internal/testenv"
	"github.com/eventio/eventio/loadtest/baseline"
	"github.com/eventio/eventio/pkg/messages"
)

// Role is a process that is measured apart from the one that makes the load.
type Role struct {
	Name       string `arg:"" enum:"nats,l0,l1,l1-worker,l1-embedded,p,p-find" help:"Which."`
	NATSURL    string `name:"nats-url" help:"For l1 and l1-worker."`
	MongoDBURI string `name:"mongodb-uri" help:"For p and p-find."`
}

// Ready is what a role logs when it works.
const Ready = "the role is played"

// Play is the role, until ctx ends.
func (r Role) Play(ctx context.Context, env process.Env) error {
	log := process.Logging{LogLevel: "info"}.Logger(env)
	switch r.Name {
	case "nats":
		server, err := testenv.NewNATS()
		if err != nil {
			return err
		}
		defer server.Stop()
		return wait(ctx, log, server.URL())
	case "l0":
		return serve(ctx, baseline.Null(), log)
	case "l1":
		conn, err := messages.Connect(r.NATSURL, r.Name, log)
		if err != nil {
			return err
		}
		defer conn.Close()
		return serve(ctx, baseline.Queued(conn), log)
	case "l1-worker":
		conn, err := messages.Connect(r.NATSURL, r.Name, log)
		if err != nil {
			return err
		}
		defer conn.Close()
		if err := baseline.Reply(conn); err != nil {
			return err
		}
		return wait(ctx, log, "")
	case "l1-embedded":
		return playEmbedded(ctx, log)
	default:
		e, err := baseline.OpenEmbedded(r.MongoDBURI) // closed by the end of the process
		if err != nil {
			return err
		}
		update := baseline.UpdateOne
		if r.Name == "p-find" {
			update = baseline.FindOneAndUpdate
		}
		return serve(ctx, e.Handler(update), log)
	}
}

// playEmbedded is L1 in one process: both sides and the server between them, joined as
// those of cmd/eventio are.
func playEmbedded(ctx context.Context, log zerolog.Logger) error {
	server, err := testenv.NewNATS()
	if err != nil {
		return err
	}
	defer server.Stop()
	var conns [2]*nats.Conn
	for i := range conns {
		if conns[i], err = messages.Connect("", "l1", log, nats.InProcessServer(server)); err != nil {
			return err
		}
		defer conns[i].Close()
	}
	if err := baseline.Reply(conns[0]); err != nil {
		return err
	}
	return serve(ctx, baseline.Queued(conns[1]), log)
}

// wait says that the role works, at addr if it has one, and stays until ctx ends.
func wait(ctx context.Context, log zerolog.Logger, addr string) error {
	log.Info().Str("addr", addr).Msg(Ready)
	<-ctx.Done()
	return nil
}

// serve serves with the limits of the product's servers.
func serve(ctx context.Context, handler http.Handler, log zerolog.Logger) error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	log.Info().Str("addr", listener.Addr().String()).Msg(Ready)
	return process.Server{Listener: listener, Handler: handler, Log: log}.Serve(ctx)
}
