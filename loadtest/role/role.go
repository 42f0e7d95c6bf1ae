// Package role is the processes of a measurement that are no part of the product: a NATS server, the baselines, and distance.
package role

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/rs/zerolog"

	"github.com/eventio/eventio/internal/process"
	"github.com/eventio/eventio/internal/testenv"
	"github.com/eventio/eventio/loadtest/baseline"
	"github.com/eventio/eventio/pkg/messages"
)

// Role is a process that is measured apart from the one that makes the load.
type Role struct {
	Name       string `arg:"" enum:"nats,far,l0,l1,l1-worker,l1-embedded,p,p-find" help:"Which."`
	NATSURL    string `name:"nats-url" help:"For l1 and l1-worker."`
	MongoDBURI string `name:"mongodb-uri" help:"For p and p-find."`

	Server string        `help:"For far: whom to pass connections on to, host:port."`
	Trip   time.Duration `help:"For far: how much longer a round trip takes."`
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
		if err := tellTraffic(server); err != nil {
			return err
		}
		return wait(ctx, log, server.URL())
	case "far":
		return playFar(ctx, r.Server, r.Trip, log)
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

// trafficSubject is where a NATS server in the role tells what has passed.
const trafficSubject = "bench.traffic"

// tellTraffic has a server tell who asks what has passed through it.
func tellTraffic(server *testenv.NATS) error {
	conn, err := nats.Connect("", nats.InProcessServer(server))
	if err != nil {
		return err
	}
	_, err = conn.Subscribe(trafficSubject, func(m *nats.Msg) {
		if passed, err := server.Traffic(); err == nil {
			_ = m.Respond(fmt.Appendf(nil, "%d %d", passed.Messages, passed.Bytes)) // who asked waits in vain
		}
	})
	return err
}

// Traffic asks the NATS server at url, which is in the role, what has passed through it.
func Traffic(ctx context.Context, url string) (passed testenv.Traffic, err error) {
	conn, err := nats.Connect(url)
	if err != nil {
		return passed, err
	}
	defer conn.Close()
	answer, err := conn.RequestWithContext(ctx, trafficSubject, nil)
	if err == nil {
		_, err = fmt.Sscan(string(answer.Data), &passed.Messages, &passed.Bytes)
	}
	if err != nil {
		return passed, fmt.Errorf("ask the NATS server what has passed: %w", err)
	}
	return passed, nil
}
