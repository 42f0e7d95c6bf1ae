package telemetry

import (
	"cmp"
	"errors"
	"fmt"
	stdlog "log"
	"net"
	"net/http"
	"net/http/pprof"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/rs/zerolog"

	"github.com/eventio/eventio/internal/process"
)

// Off is the address that switches the listener off, as the empty one does.
const Off = "off"

const (
	headerTimeout = 5 * time.Second
	// answerTimeout is above that of a profile, which takes 30 s unless more is asked for.
	answerTimeout = 2 * time.Minute
	// scrapes is how many may read the metrics at once; more are answered 503.
	scrapes = 4
)

// AdminAddr says where to listen. Default is the value of the flag that nobody has set.
type AdminAddr struct{ Addr, Default string }

// Admin is the listener for operators. A nil Admin does nothing.
type Admin struct {
	server   *http.Server
	listener net.Listener
	served   chan struct{}
}

// Open begins to serve what is registered in metrics, now and later, and the profiles. It returns nil
// when it is switched off, and also, with a warning, when the default address is taken: the second
// process on a machine is not to fail because of its metrics. Its errors are Failures; they match
// process.ErrUsage when the address is none.
func Open(at AdminAddr, metrics *prometheus.Registry, log zerolog.Logger) (*Admin, error) {
	if at.Addr == "" || at.Addr == Off {
		return nil, nil
	}
	host, port, err := net.SplitHostPort(at.Addr)
	if n, wrong := strconv.Atoi(port); err != nil || wrong != nil || n < 0 || n > 65535 || !process.MayTell(host) {
		return nil, process.Usage("--admin-addr: %s is not an address like 127.0.0.1:9090, nor %s", process.Quote(at.Addr), Off)
	}
	listener, err := net.Listen("tcp", at.Addr)
	if err != nil && at.Addr == at.Default && errors.Is(err, syscall.EADDRINUSE) {
		log.Warn().Str("admin_addr", at.Addr).Msg("no metrics of this process: another one listens on the default address of --admin-addr. Give each an address of its own, or off")
		return nil, nil
	}
	if err != nil {
		return nil, &process.Failure{Sentence: fmt.Sprintf("cannot listen on %s: %s; choose another address with --admin-addr, or off",
			at.Addr, cmp.Or(process.Reason(err), "the system refuses it")), Cause: err}
	}
	a := &Admin{listener: listener, served: make(chan struct{}), server: &http.Server{
		Handler: local(handler(metrics, log)), ErrorLog: stdlog.New(log, "", 0),
		ReadHeaderTimeout: headerTimeout, ReadTimeout: headerTimeout, WriteTimeout: answerTimeout, MaxHeaderBytes: 16 << 10,
	}}
	log.Info().Str("admin_addr", listener.Addr().String()).Msg("serving /metrics and /debug/pprof")
	go func() {
		defer close(a.served)
		_ = a.server.Serve(listener) // until Close
	}()
	return a, nil
}

// Addr returns where it listens; "" of nil.
func (a *Admin) Addr() string {
	if a == nil {
		return ""
	}
	return a.listener.Addr().String()
}

// Close ends the listener, and what is being answered with it. It returns when nothing of it runs.
func (a *Admin) Close() error {
	if a == nil {
		return nil
	}
	err := a.server.Close()
	<-a.served
	return err
}

// handler serves /metrics and /debug/pprof/.
func handler(metrics *prometheus.Registry, log zerolog.Logger) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(metrics, promhttp.HandlerOpts{
		ErrorLog: stdlog.New(log, "", 0), ErrorHandling: promhttp.ContinueOnError, MaxRequestsInFlight: scrapes, EnableOpenMetrics: true,
	}))
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	// No /debug/pprof/cmdline: a command line may have a secret.
	mux.HandleFunc("GET /debug/pprof/cmdline", http.NotFound)
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = w.Write([]byte("/metrics\n/debug/pprof/\n")) // the reader may have left
	})
	return mux
}

// local refuses what comes over a loopback address for another host: a page in a browser of this machine
// whose name was made to lead here, and that would read the answer.
func local(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Cross-Origin-Resource-Policy", "same-origin")
		addr, _ := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
		if addr != nil && loopback(addr.String()) && !loopback(r.Host) {
			http.Error(w, "ask for 127.0.0.1 or localhost", http.StatusMisdirectedRequest)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// loopback reports whether host, with or without a port, is this machine only.
func loopback(host string) bool {
	name, _, err := net.SplitHostPort(host)
	if err != nil {
		name = strings.Trim(host, "[]")
	}
	return strings.EqualFold(name, "localhost") || net.ParseIP(name).IsLoopback()
}
