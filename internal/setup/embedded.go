package setup

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strconv"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"github.com/eventio/eventio/api"
	"github.com/eventio/eventio/internal/process"
	"github.com/eventio/eventio/internal/telemetry/tracing"
	"github.com/eventio/eventio/pkg/messages"
	"github.com/eventio/eventio/pkg/store/sqlitestore"
	"github.com/eventio/eventio/web"
	"github.com/eventio/eventio/worker"
)

const (
	// natsStartLimit bounds the start of the embedded NATS server.
	natsStartLimit = 5 * time.Second
	// stopLimit bounds the end of the embedded worker.
	stopLimit = 10 * time.Second
)

// EmbeddedConfig has the settings of an Embedded. Data is required.
type EmbeddedConfig struct {
	// Data is the data folder; it is made when it is missing.
	Data string
	// NATSListen is the address, host:port, at which the NATS server is open to other
	// processes. Empty: none.
	NATSListen string
	// NATSListenAuth is USER:PASSWORD of the other processes, required with NATSListen.
	NATSListenAuth string
	Prefix         Prefix
	// SoldOutLease is worker.Config.SoldOutLease.
	SoldOutLease time.Duration
	// Metrics gets the metrics of all parts. nil: they are not registered.
	Metrics prometheus.Registerer
	// Tracer makes the spans of batches. nil: there are none.
	Tracer *tracing.Tracer
}

// Embedded is a database in a data folder together with a NATS server and a worker, all in
// this process.
type Embedded struct {
	Store     *sqlitestore.Store
	Namespace messages.Namespace

	log     zerolog.Logger
	metrics prometheus.Registerer
	nats    *server.Server
	auth    natsAuth
	closing []func() error // in the order of opening
	lost    []<-chan error
}

// OpenEmbedded locks the data folder, opens its database, starts the NATS server and has a
// worker take seat requests. It fails with ErrInUse when another process has the folder.
func OpenEmbedded(ctx context.Context, config EmbeddedConfig, log zerolog.Logger) (_ *Embedded, err error) {
	auth, err := newNATSAuth(config.NATSListen, config.NATSListenAuth)
	if err != nil {
		return nil, err
	}
	options, err := natsOptions(config.NATSListen)
	if err != nil {
		return nil, err
	}
	e := &Embedded{log: log, auth: auth, metrics: config.Metrics}
	defer func() {
		if err != nil {
			err = errors.Join(err, e.Close())
		}
	}()
	unlock, err := LockFolder(config.Data, log)
	if err != nil {
		return nil, err
	}
	e.atEnd(unlock)
	file := filepath.Join(config.Data, DatabaseFile)
	if err := requireWritable(file); err != nil {
		return nil, err
	}
	if e.Store, err = sqlitestore.Open(ctx, file); err != nil {
		return nil, explainFile(err, file)
	}
	e.atEnd(e.Store.Close)
	e.warnOfLog(file)
	e.lost = append(e.lost, e.Store.Lost())
	e.Namespace = config.Prefix.Namespace(e.Store.DatabaseID())
	log.Info().EmbedObject(e.Namespace).Msg("the database is open")
	options.Users = auth.users(e.Namespace)
	if e.nats, err = startNATS(options); err != nil {
		return nil, err
	}
	if config.NATSListen != "" {
		logPort(e.nats.Addr(), log)
	}
	e.atEnd(func() error {
		e.nats.Shutdown()
		e.nats.WaitForShutdown()
		return nil
	})
	link, err := e.Connect("worker")
	if err != nil {
		return nil, err
	}
	// SQLite has one writer, so one batch in flight gathers the most.
	w := worker.New(link.Conn, e.Store, worker.Config{InFlight: 1, Prefix: e.Namespace.Prefix, SoldOutLease: config.SoldOutLease, Tracer: config.Tracer}, log)
	e.atEnd(func() error {
		stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopLimit)
		defer cancel()
		return w.Stop(stopping)
	})
	register(e.metrics, e.Store.Metrics(), w.Metrics())
	if err := w.Start(); err != nil {
		return nil, err
	}
	return e, nil
}

// register registers metrics, if there is a registry.
func register(r prometheus.Registerer, all ...prometheus.Collector) {
	if r != nil {
		r.MustRegister(all...)
	}
}

// Connect makes a connection to the NATS server, as if from a process of that name. Close
// ends it.
func (e *Embedded) Connect(name string) (messages.Link, error) {
	conn, err := messages.Connect("", name, e.log, append(e.auth.options(), nats.InProcessServer(e.nats))...)
	if err != nil {
		return messages.Link{}, err
	}
	register(e.metrics, messages.ConnectionMetrics(conn))
	e.lost = append(e.lost, messages.Lost(conn))
	e.atEnd(func() error { conn.Close(); return nil })
	return messages.Link{Conn: conn, Namespace: e.Namespace}, nil
}

// NewAPI makes the HTTP API with the pages over the database. The guard of config.Access is
// made from identity. Whoever serves the API ends that before Close.
func (e *Embedded) NewAPI(ctx context.Context, config api.Config, identity Identity) (*api.API, error) {
	link, err := e.Connect("api")
	if err != nil {
		return nil, err
	}
	endGuard, err := identity.OpenGuard(ctx, &config.Access, Base{Store: e.Store, Link: link, Log: e.log})
	if err != nil {
		return nil, err
	}
	e.atEnd(func() error { endGuard(); return nil })
	if config.Access.APIKeys, err = identity.OpenAPIKeys(ctx, e.Store, e.log); err != nil {
		return nil, err
	}
	e.atEnd(func() error { config.Access.APIKeys.Close(); return nil })
	requester, err := messages.NewRequester(link)
	if err != nil {
		return nil, err
	}
	if config.Pages == nil {
		config.Pages = web.Handler
	}
	a := api.New(e.Store, requester, config, e.log)
	e.atEnd(func() error { a.Wait(); return nil })
	register(e.metrics, config.Access.Guard.Metrics(), requester.Metrics(), a.Metrics())
	return a, nil
}

// NATSURL returns the address of the NATS server when EmbeddedConfig.NATSListen opened one, without
// the credentials.
func (e *Embedded) NATSURL() string { return e.nats.ClientURL() }

// Lost returns a channel for each part that can be lost for good; process.EndOn ends a
// program on the first error of them.
func (e *Embedded) Lost() []<-chan error { return e.lost }

// Close answers the requests that were accepted and closes all parts.
func (e *Embedded) Close() error {
	var err error
	for len(e.closing) > 0 {
		last := len(e.closing) - 1
		err = errors.Join(err, e.closing[last]())
		e.closing = e.closing[:last]
	}
	return err
}

// atEnd has Close call end, before what was opened earlier is closed.
func (e *Embedded) atEnd(end func() error) { e.closing = append(e.closing, end) }

// natsOptions returns the settings of the embedded server, without a port unless listen names
// one. It fails with a Failure when listen is no address, and when it cannot be opened: the
// server would try it for seconds and not say why.
func natsOptions(listen string) (*server.Options, error) {
	options := &server.Options{ServerName: "eventio", DontListen: listen == "", NoSigs: true, NoLog: true,
		MaxPayload: 2 * messages.MaxMessage}
	if listen == "" {
		return options, nil
	}
	host, text, err := net.SplitHostPort(listen)
	port, wrong := strconv.Atoi(text)
	if err != nil || wrong != nil || port < 0 || port > 65535 || !process.MayTell(host) {
		return nil, process.Usage("--nats-listen is not an address like 127.0.0.1:4222")
	}
	probe, err := net.Listen("tcp", listen)
	if err != nil {
		return nil, &process.Failure{Sentence: fmt.Sprintf("NATS cannot listen on %s: %s; choose another address with --nats-listen",
			listen, cmp.Or(process.Reason(err), "the system refuses it")), Cause: err}
	}
	_ = probe.Close() // it was open; the server says if that has changed
	options.Host, options.Port = host, port
	if port == 0 {
		options.Port = server.RANDOM_PORT
	}
	return options, nil
}

// startNATS starts the embedded server.
func startNATS(options *server.Options) (*server.Server, error) {
	ns, err := server.NewServer(options)
	if err != nil {
		return nil, fmt.Errorf("start the embedded NATS server: %w", err)
	}
	ns.Start()
	if !ns.ReadyForConnections(natsStartLimit) {
		ns.Shutdown()
		return nil, errors.New("the embedded NATS server did not start: choose an address of this machine in --nats-listen that is free")
	}
	return ns, nil
}
