// Package process holds what every binary does alike: arguments, signals, logs, and an
// HTTP server with all its limits.
package process

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	stdlog "log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/mattn/go-isatty"
	"github.com/rs/zerolog"

	"github.com/eventio/eventio/internal/framing"
)

// Env is what a process gets from outside. Tests give their own.
type Env struct {
	Args   []string // without the program's name
	Stdin  io.Reader
	Stdout io.Writer
	Stderr io.Writer // for the log
}

// gcPercent is how much the heap may grow between two collections, if GOGC does not say: a
// process here lives on a few ten MB, and collecting that often cost a tenth of its CPU
// under load. Where memory is scarce set GOMEMLIMIT, which the collector keeps to.
const gcPercent = 400

// The exit statuses of a program that fails.
const (
	exitFailed = 1
	exitUsage  = 2 // the command line is wrong, and nothing was done
)

// Main runs a program until it ends or SIGINT or SIGTERM comes. When it fails Main exits with
// 2 if the error matches ErrUsage, else with 1. A second signal ends it at once.
func Main(run func(context.Context, Env) error) {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // gives the signals their default meaning back
	go giveMemoryBack(ctx)
	env := Env{Args: os.Args[1:], Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr}
	flush := func() {}
	if !isatty.IsTerminal(os.Stderr.Fd()) {
		w := newLogWriter(os.Stderr)
		env.Stderr, flush = w, w.flush
	}
	err := run(ctx, env)
	flush()
	if err == nil || errors.Is(err, errAnswered) {
		return
	}
	fmt.Fprintln(os.Stderr, "error:", err)
	if errors.Is(err, ErrUsage) {
		os.Exit(exitUsage)
	}
	os.Exit(exitFailed)
}

// Logging is the part of every command line that says how to log.
type Logging struct {
	LogLevel string `name:"log-level" env:"EVENTIO_LOG_LEVEL" enum:"debug,info,warn,error" default:"info" help:"Least level that is logged: debug, info, warn or error. debug tells more of each seat."`
}

// Logger logs to env.Stderr, one line at a time: JSON, or for people when it is a terminal.
func (l Logging) Logger(env Env) zerolog.Logger {
	out := env.Stderr
	if f, ok := out.(*os.File); ok && isatty.IsTerminal(f.Fd()) {
		out = zerolog.ConsoleWriter{Out: out, TimeFormat: time.TimeOnly}
	}
	level, err := zerolog.ParseLevel(l.LogLevel)
	if err != nil || level == zerolog.NoLevel {
		level = zerolog.InfoLevel
	}
	return zerolog.New(zerolog.SyncWriter(out)).Level(level).With().Timestamp().Logger()
}

// The limits of every HTTP server. Go sets none of them, and without them one slow client
// holds a connection for ever.
const (
	readHeaderTimeout = 5 * time.Second
	readTimeout       = 15 * time.Second
	writeTimeout      = 30 * time.Second // streams extend it as they go
	maxHeaderBytes    = 32 << 10
)

// Idle is the flag of a server's idle timeout.
type Idle struct {
	IdleTimeout time.Duration `env:"EVENTIO_IDLE_TIMEOUT" default:"75s" help:"How long a connection may be without a request before it is closed, at most 1h. Above that of the gateway before this process, which must close first: usually 60s, on Google Cloud 600s."`
}

// defaultIdleTimeout is above the usual 60 s of gateways.
const defaultIdleTimeout = 75 * time.Second

// CheckIdle fails with ErrUsage when the idle timeout cannot be meant.
func (i Idle) CheckIdle() error {
	if i.IdleTimeout < time.Second || i.IdleTimeout > time.Hour {
		return Usage("--idle-timeout must be from 1s to 1h, and is %v", i.IdleTimeout)
	}
	return nil
}

// Server is an HTTP server on an open listener.
type Server struct {
	Listener net.Listener
	Handler  http.Handler
	// DrainDelay is how long the server goes on serving, unready, after its context has
	// ended: until gateways have noticed.
	DrainDelay time.Duration
	// MaxConnections bounds the open connections: see the flag of this name. Default: as the flag's.
	MaxConnections int
	// IdleTimeout is how long a connection may be without a request. Default 75 s.
	IdleTimeout time.Duration
	// ConnContext is that of http.Server. nil: none.
	ConnContext func(context.Context, net.Conn) context.Context
	Log         zerolog.Logger
}

// shutdownLimit bounds the wait for requests in flight: above the longest request.
const shutdownLimit = 20 * time.Second

// Serve answers requests until ctx ends, then those of who is on their way, and finishes those in
// flight.
func (s Server) Serve(ctx context.Context) error {
	var came arrivals
	open := newConnections(framing.Listen(s.Listener), cmp.Or(s.MaxConnections, connectionBound(descriptors())), s.Log)
	server := &http.Server{
		Handler: framing.Handler(noteWork(drainable(ctx, s.Handler))),
		ConnState: func(c net.Conn, state http.ConnState) {
			open.track(c, state)
			came.noteConnection(c, state)
		},
		ConnContext:       open.note(s.connContext),
		ReadHeaderTimeout: readHeaderTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       cmp.Or(s.IdleTimeout, defaultIdleTimeout),
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          stdlog.New(s.Log, "", 0),
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(open) }()
	select {
	case err := <-served:
		return fmt.Errorf("serve HTTP: %w", err)
	case <-ctx.Done():
	}
	s.Log.Info().Msg("draining: finishing the requests in flight")
	time.Sleep(s.DrainDelay)
	came.awaitQuiet()
	if barDoor(s.Listener) {
		time.Sleep(doorTime)
	}
	limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownLimit)
	defer cancel()
	if err := server.Shutdown(limit); err != nil {
		return errors.Join(fmt.Errorf("finish the requests in flight: %w", err), server.Close())
	}
	return nil
}

// connContext makes the context of a connection's requests.
func (s Server) connContext(ctx context.Context, c net.Conn) context.Context {
	if s.ConnContext != nil {
		ctx = s.ConnContext(ctx, c)
	}
	return framing.Context(ctx, c)
}

// EndOn returns a context that ends with ctx, and also with the first error that one of lost
// gives: something that the process stands on is gone for good. Serve under that context, so
// that what is in flight is finished. end must be called after it, once; it returns that
// error, or nil, for the program to end with: whoever runs it starts it again.
func EndOn(ctx context.Context, log zerolog.Logger, lost ...<-chan error) (_ context.Context, end func() error) {
	ctx, cancel := context.WithCancelCause(ctx)
	first := make(chan error, 1)
	for _, c := range lost {
		go func() {
			select {
			case err := <-c:
				if ctx.Err() != nil {
					return // it is closed at the end, by us
				}
				select {
				case first <- err:
					log.Error().Err(err).Msg("ending, to be started again")
					cancel(err)
				default: // another one was first
				}
			case <-ctx.Done():
			}
		}()
	}
	return ctx, func() error {
		cancel(nil)
		select {
		case err := <-first:
			return err
		default:
			return nil
		}
	}
}

// drainable tells load balancers and clients to go elsewhere once ctx has ended, and browsers to embed
// nothing of ours in pages of other origins.
func drainable(ctx context.Context, next http.Handler) http.Handler {
	ownPages := []string{"same-origin"} // for all answers; nobody changes it
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header()["Cross-Origin-Resource-Policy"] = ownPages
		if ctx.Err() != nil && r.URL.Path == "/readyz" {
			w.Header().Set("Connection", "close")
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		answer := &lastAnswer{ResponseWriter: w, ctx: ctx}
		next.ServeHTTP(answer, r)
		answer.begin() // an empty one begins now
	})
}
