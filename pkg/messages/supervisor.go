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
	// lookEvery is how often a connection that is away is asked why: nats.go does not tell
	// of a refusal during the handshake.
	lookEvery = 250 * time.Millisecond
	// sayAgain is how long the same reason is not logged again.
	sayAgain = time.Minute
	// The pause between two looks whether the server takes now what it has refused grows
	// from the first to the last of these.
	firstTrial = 250 * time.Millisecond
	lastTrial  = 15 * time.Second
	// trialLimit bounds one such look.
	trialLimit = 2 * time.Second
)

// upkeep keeps one connection of use, and says in the log what becomes of it.
//
// nats.go reconnects, and subscribes again when it does. But a server that takes a
// permission away drops the subscription and not the connection, and one that gives it back
// says nothing; likewise with limits of payload and of subscriptions. So upkeep tries them
// on a second connection, which disturbs nobody, and reconnects the first when the second
// is served. It is safe for concurrent use.
type upkeep struct {
	options nats.Options
	log     zerolog.Logger
	closed  chan struct{}

	mu        sync.Mutex             // guards all below
	refused   map[subscription]error // by the server, since the connection was made
	small     bool                   // the payload limit is below MaxMessage
	repairing bool
	away      bool                 // a goroutine asks why
	said      map[string]time.Time // when each reason was logged last
}

// subscription is what a server may refuse. One without a subject stands for any: the limit
// on their number does not say which one it has hit.
type subscription struct{ subject, queue string }

func newUpkeep(options nats.Options, log zerolog.Logger) *upkeep {
	return &upkeep{
		options: options, log: log, closed: make(chan struct{}),
		refused: make(map[subscription]error), said: make(map[string]time.Time),
	}
}

// connect opens the connection, or begins to try.
func (u *upkeep) connect() (*nats.Conn, error) {
	options := u.options
	options.ConnectedCB = u.connected // when a server is found after the first try
	options.ReconnectedCB = u.connected
	options.DisconnectedErrCB = u.disconnected
	options.ReconnectErrCB = func(_ *nats.Conn, err error) { u.waiting(err) }
	options.AsyncErrorCB = u.reported
	options.LameDuckModeHandler = func(c *nats.Conn) {
		u.log.Warn().Str("server", c.ConnectedUrlRedacted()).Msg("the NATS server is about to stop, another one will be looked for")
	}
	options.ClosedCB = func(*nats.Conn) { close(u.closed) }
	conn, err := options.Connect()
	if err != nil {
		return nil, err
	}
	if !conn.IsConnected() { // else u.connected is called, or will be
		u.lookAway(conn)
	}
	return conn, nil
}

// connected is called for the first connection and for each that follows.
func (u *upkeep) connected(c *nats.Conn) {
	err := payload(c)
	u.mu.Lock()
	clear(u.refused)
	clear(u.said)
	u.small = err != nil
	u.mu.Unlock()
	u.log.Info().Str("server", c.ConnectedUrlRedacted()).Msg("connected to NATS")
	if err != nil {
		u.log.Error().Err(err).Msg("NATS has a limit that stops seat requests, looking whether it is raised")
		u.repair(c)
	}
}

func (u *upkeep) disconnected(c *nats.Conn, err error) {
	if err != nil { // nil: we closed it ourselves
		u.log.Warn().Err(err).Msg("NATS connection lost, reconnecting")
	}
	if !c.IsClosed() {
		u.lookAway(c)
	}
}

// lookAway logs why a connection is away, until it is back.
func (u *upkeep) lookAway(c *nats.Conn) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.away {
		return
	}
	u.away = true
	go func() {
		tick := time.NewTicker(lookEvery)
		defer tick.Stop()
		for {
			select {
			case <-u.closed:
				return
			case <-tick.C:
			}
			u.mu.Lock()
			if u.away = !c.IsConnected(); !u.away {
				u.mu.Unlock()
				return
			}
			u.mu.Unlock()
			if err := c.LastError(); err != nil {
				u.waiting(err)
			}
		}
	}()
}

// waiting logs why there is no connection: each reason at once, and then once a minute.
func (u *upkeep) waiting(err error) {
	if u.first(err) {
		u.log.Warn().Err(err).Msg("NATS cannot be reached, trying on")
	}
}

// reported is called for asynchronous errors: refused subscriptions and messages, refused
// reconnects, and messages dropped by a full subscription.
func (u *upkeep) reported(c *nats.Conn, _ *nats.Subscription, err error) {
	sub, ok := refusedSubscription(err)
	switch {
	case ok:
		u.log.Error().Err(err).Msg("NATS refuses a subscription, looking whether it takes it later")
		u.mu.Lock()
		u.refused[sub] = err
		u.mu.Unlock()
		u.repair(c)
	case !c.IsConnected():
		u.waiting(err)
	case u.first(err):
		u.log.Error().Err(err).Msg("NATS reports an error")
	}
}

// first reports whether an error is to be logged, because it was not for a while: a refused
// message says the same as the one before it, thousands of times a second.
func (u *upkeep) first(err error) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	text := strings.ToLower(err.Error()) // nats.go tells a refusal twice, in two spellings
	if last, known := u.said[text]; known && time.Since(last) < sayAgain {
		return false
	}
	if len(u.said) >= maxSaid {
		clear(u.said)
	}
	u.said[text] = time.Now()
	return true
}

// maxSaid bounds the reasons that are remembered; a subject may be part of one.
const maxSaid = 1000

// violation is how a server names a subscription that is not permitted. nats.go reads the
// text too: there is nothing else.
var violation = regexp.MustCompile(`(?i)Permissions Violation for Subscription to "([^"]+)"(?: using queue "([^"]+)")?`)

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

// repair looks with growing pauses whether the server takes now what it refuses, and
// reconnects when it does: every subscription is made again then.
func (u *upkeep) repair(c *nats.Conn) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.repairing {
		return
	}
	u.repairing = true
	go func() {
		for pause := firstTrial; ; pause = min(2*pause, lastTrial) {
			select {
			case <-u.closed:
				return
			case <-time.After(pause/2 + rand.N(pause)):
			}
			subs, small, done := u.troubles()
			if done {
				return
			}
			if c.IsConnected() && u.cured(subs, small) {
				u.log.Info().Msg("NATS takes now what it has refused: reconnecting")
				if err := c.ForceReconnect(); err != nil { // closed
					return
				}
			}
		}
	}()
}

// troubles tells what the server refuses. With none, repairing is over.
func (u *upkeep) troubles() (subs []subscription, small, done bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for sub := range u.refused {
		subs = append(subs, sub)
	}
	if len(subs) == 0 && !u.small {
		u.repairing = false
		return nil, false, true
	}
	return subs, u.small, false
}

// cured tries on a connection of its own whether one of the refused subscriptions is
// permitted, or whether the payload limit is raised. A member of a queue group may get a
// message meanwhile that is lost then, which only happens when the permission is back.
func (u *upkeep) cured(subs []subscription, small bool) bool {
	options := u.options
	options.AllowReconnect, options.RetryOnFailedConnect = false, false
	options.PermissionErrOnSubscribe = true
	options.AsyncErrorCB = func(*nats.Conn, *nats.Subscription, error) {} // the default prints it
	trial, err := options.Connect()
	if err != nil {
		return false // nothing is better yet; the connection itself tells when it is lost
	}
	defer trial.Close()
	if small && payload(trial) == nil {
		return true
	}
	return slices.ContainsFunc(subs, func(s subscription) bool { return permitted(trial, s) })
}

func permitted(trial *nats.Conn, s subscription) bool {
	if s.subject == "" {
		s.subject = trial.NewInbox()
	}
	subscribe := func() (*nats.Subscription, error) { return trial.SubscribeSync(s.subject) }
	if s.queue != "" {
		subscribe = func() (*nats.Subscription, error) { return trial.QueueSubscribeSync(s.subject, s.queue) }
	}
	sub, err := subscribe()
	if err != nil || trial.FlushTimeout(trialLimit) != nil || errors.Is(trial.LastError(), nats.ErrMaxSubscriptionsExceeded) {
		return false
	}
	_, err = sub.NextMsg(time.Nanosecond) // does not wait for one: a refusal comes first
	return !errors.Is(err, nats.ErrPermissionViolation) && sub.IsValid()
}
