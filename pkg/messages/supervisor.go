package messages

import (
	"errors"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/rs/zerolog"
)

const (
	// statusInterval is how often a supervisor reads the last error of a connection that is away:
	// nats.go reports no refusal during the handshake.
	statusInterval = 250 * time.Millisecond
	// logInterval is the least time between two log lines with the same reason.
	logInterval = time.Minute
	// maxLogged bounds the reasons that are remembered; each may contain a subject.
	maxLogged = 1000
	// minTrialBackoff is the pause before the first trial connection. The pause doubles with each
	// trial up to maxTrialBackoff.
	minTrialBackoff = 250 * time.Millisecond
	maxTrialBackoff = 15 * time.Second
	// trialTimeout bounds the test of one subscription on a trial connection.
	trialTimeout = 2 * time.Second
)

// supervisor keeps one connection usable, and logs its changes.
//
// nats.go reconnects, and subscribes again when it does. But a server that withdraws a
// permission drops the subscription and keeps the connection, and a server that gives the
// permission back says nothing; likewise with the limits of payload and of subscriptions. So a
// supervisor tests them on a second connection, the trial connection, which disturbs nobody, and
// has the first one reconnect when the test succeeds. It is safe for concurrent use.
type supervisor struct {
	options nats.Options
	log     zerolog.Logger
	closed  chan struct{} // closed with the connection

	mu           sync.Mutex             // guards all below
	refused      map[subscription]error // what the server has refused since the connection was made
	exposed      string                 // the last warning that the server does not protect messages
	smallPayload bool                   // the server's payload limit is below MaxMessage
	trying       bool                   // a goroutine makes trial connections
	watching     bool                   // a goroutine logs why the connection is away
	logged       map[string]time.Time   // when each reason was logged last
}

// subscription is one that a server may refuse. The zero subscription stands for any: a server
// does not say which one is above its limit.
type subscription struct{ subject, queue string }

// newSupervisor makes the supervisor of a connection with the given options.
func newSupervisor(options nats.Options, log zerolog.Logger) *supervisor {
	return &supervisor{
		options: options, log: log, closed: make(chan struct{}),
		refused: make(map[subscription]error), logged: make(map[string]time.Time),
	}
}

// connect opens the connection, or begins to retry.
func (s *supervisor) connect() (*nats.Conn, error) {
	options := s.options
	options.ConnectedCB = s.onConnect // for a server that is found after the first try
	options.ReconnectedCB = s.onConnect
	options.DisconnectedErrCB = s.onDisconnect
	options.ReconnectErrCB = func(_ *nats.Conn, err error) { s.logAway(err) }
	options.AsyncErrorCB = s.onAsyncError
	options.LameDuckModeHandler = func(c *nats.Conn) {
		s.log.Warn().Str("server", s.server(c)).Msg("the NATS server is about to stop, another one will be looked for")
	}
	options.ClosedCB = func(*nats.Conn) { close(s.closed) }
	conn, err := options.Connect()
	if err != nil {
		return nil, err
	}
	if !conn.IsConnected() { // else nats.go calls onConnect
		s.watchAway(conn)
	}
	return conn, nil
}

// onConnect is the callback for the first connection to a server and for each that follows.
func (s *supervisor) onConnect(c *nats.Conn) {
	err := checkPayload(c)
	s.mu.Lock()
	clear(s.refused)
	clear(s.logged)
	s.smallPayload = err != nil
	s.mu.Unlock()
	s.warnOfExposure(c)
	s.log.Info().Str("server", s.server(c)).Msg("connected to NATS")
	if err != nil {
		s.log.Error().Err(err).Msg("NATS has a limit that stops seat requests, looking whether it is raised")
		s.startTrials(c)
	}
}

// server returns where the NATS server of a connection is, without credentials. One in this process has
// no address: nats.go would name its default, where another server may listen.
func (s *supervisor) server(c *nats.Conn) string {
	if s.options.InProcessServer != nil {
		return "in this process"
	}
	return c.ConnectedUrlRedacted()
}

// onDisconnect is the callback for a connection that is lost. err is nil when this process closed
// it.
func (s *supervisor) onDisconnect(c *nats.Conn, err error) {
	if err != nil {
		s.log.Warn().Err(err).Msg("NATS connection lost, reconnecting")
	}
	if !c.IsClosed() {
		s.watchAway(c)
	}
}

// watchAway logs why a connection is away until it is back, in a goroutine of its own.
func (s *supervisor) watchAway(c *nats.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.watching {
		return
	}
	s.watching = true
	go func() {
		tick := time.NewTicker(statusInterval)
		defer tick.Stop()
		for {
			select {
			case <-s.closed:
				return
			case <-tick.C:
			}
			s.mu.Lock()
			if s.watching = !c.IsConnected(); !s.watching {
				s.mu.Unlock()
				return
			}
			s.mu.Unlock()
			if err := c.LastError(); err != nil {
				s.logAway(err)
			}
		}
	}()
}

// logAway logs why there is no connection: each reason at once, and then once a minute.
func (s *supervisor) logAway(err error) {
	advice := refusalAdvice(err)
	switch {
	case advice == "" && s.shouldLog(err):
		s.log.Warn().Err(err).Msg("NATS cannot be reached, trying on")
	case advice != "" && s.shouldLog(errors.New(advice)): // the error may have the port of the attempt
		s.log.Error().Err(err).Str("login", loginOf(s.options)).Msg(advice)
	}
}

// onAsyncError is the callback for refused subscriptions and messages, refused reconnects, and
// messages that a full subscription drops.
func (s *supervisor) onAsyncError(c *nats.Conn, _ *nats.Subscription, err error) {
	sub, ok := refusedSubscription(err)
	switch {
	case ok:
		s.log.Error().Err(err).Msg("NATS refuses a subscription, looking whether it takes it later")
		s.mu.Lock()
		s.refused[sub] = err
		s.mu.Unlock()
		s.startTrials(c)
	case !c.IsConnected():
		s.logAway(err)
	case s.shouldLog(err):
		s.log.Error().Err(err).Msg("NATS reports an error")
	}
}

// shouldLog reports whether an error was not logged for logInterval, and notes it as logged now.
// Refused messages give the same error thousands of times a second.
func (s *supervisor) shouldLog(err error) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	text := strings.ToLower(err.Error()) // nats.go reports one refusal twice, in two spellings
	if last, known := s.logged[text]; known && time.Since(last) < logInterval {
		return false
	}
	if len(s.logged) >= maxLogged {
		clear(s.logged)
	}
	s.logged[text] = time.Now()
	return true
}

// violation matches the text in which a server refuses a subscription. nats.go reads the text
// too: the protocol has no code for it.
var violation = regexp.MustCompile(`(?i)Permissions Violation for Subscription to "([^"]+)"(?: using queue "([^"]+)")?`)

// refusedSubscription returns the subscription that an error of the server refuses, if it does.
func refusedSubscription(err error) (subscription, bool) {
	if errors.Is(err, nats.ErrMaxSubscriptionsExceeded) {
		return subscription{}, true
	}
	if !errors.Is(err, nats.ErrPermissionViolation) {
		return subscription{}, false
	}
	found := violation.FindStringSubmatch(err.Error())
	if found == nil {
		return subscription{}, false
	}
	return subscription{found[1], found[2]}, true
}

// startTrials makes trial connections, with growing pauses and in a goroutine of its own, until
// nothing is refused any more. It reconnects c when a trial succeeds, which makes every
// subscription again.
func (s *supervisor) startTrials(c *nats.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.trying {
		return
	}
	s.trying = true
	go func() {
		for pause := minTrialBackoff; ; pause = min(2*pause, maxTrialBackoff) {
			select {
			case <-s.closed:
				return
			case <-time.After(pause/2 + rand.N(pause)):
			}
			subs, smallPayload, done := s.refusals()
			if done {
				return
			}
			if c.IsConnected() && s.trialSucceeds(subs, smallPayload) {
				s.log.Info().Msg("NATS takes now what it has refused: reconnecting")
				if err := c.ForceReconnect(); err != nil { // closed
					return
				}
			}
		}
	}()
}

// refusals returns what the server refuses. When that is nothing, done is true and trying ends.
func (s *supervisor) refusals() (subs []subscription, smallPayload, done bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for sub := range s.refused {
		subs = append(subs, sub)
	}
	if len(subs) == 0 && !s.smallPayload {
		s.trying = false
		return nil, false, true
	}
	return subs, s.smallPayload, false
}

// trialSucceeds reports whether the server permits one of the refused subscriptions on a trial
// connection, or has raised its payload limit. A trial subscription in a queue group may take a
// message, which is lost then; this happens only when the permission is back.
func (s *supervisor) trialSucceeds(subs []subscription, smallPayload bool) bool {
	options := s.options
	options.AllowReconnect, options.RetryOnFailedConnect = false, false
	options.PermissionErrOnSubscribe = true
	options.AsyncErrorCB = func(*nats.Conn, *nats.Subscription, error) {} // the default prints the error
	trial, err := options.Connect()
	if err != nil {
		return false // nothing is better yet; when the connection itself is lost, onDisconnect logs that
	}
	defer trial.Close()
	if smallPayload && checkPayload(trial) == nil {
		return true
	}
	return slices.ContainsFunc(subs, func(sub subscription) bool { return permitted(trial, sub) })
}

// permitted reports whether the server takes a subscription on a trial connection.
func permitted(trial *nats.Conn, s subscription) bool {
	if s.subject == "" {
		s.subject = newInbox(trial)
	}
	subscribe := func() (*nats.Subscription, error) { return trial.SubscribeSync(s.subject) }
	if s.queue != "" {
		subscribe = func() (*nats.Subscription, error) { return trial.QueueSubscribeSync(s.subject, s.queue) }
	}
	sub, err := subscribe()
	if err != nil || trial.FlushTimeout(trialTimeout) != nil || errors.Is(trial.LastError(), nats.ErrMaxSubscriptionsExceeded) {
		return false
	}
	_, err = sub.NextMsg(time.Nanosecond) // returns a refusal at once, and waits for no message
	return !errors.Is(err, nats.ErrPermissionViolation) && sub.IsValid()
}
