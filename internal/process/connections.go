package process

import (
	"cmp"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/rs/zerolog"

	"github.com/eventio/eventio/internal/fairqueue"
)

const (
	// reservedDescriptors are left for everything but connections of clients: the database, NATS, files.
	reservedDescriptors = 160
	// leastConnections is the bound where the descriptors do not suffice for more.
	leastConnections = 16
	// mostConnections is the default bound where nothing else sets one: about 1.5 GiB at work.
	mostConnections = 1 << 16
	// patience is how long a client may take to send a request, or to take an answer, before its
	// connection may be closed to make room. Without a need for room the limits of the server hold.
	patience = time.Second
	// fullPoll is the pause between two looks for room.
	fullPoll = 100 * time.Millisecond
	// fullLog is the least pause between two lines that tell of it.
	fullLog = time.Minute
)

// MaxConnections is the flag that bounds the connections of an HTTP server.
type MaxConnections struct {
	MaxConnections int `env:"EVENTIO_MAX_CONNECTIONS" default:"0" help:"Most connections of clients at a time. When there are as many, those that wait for their clients are closed for new ones, idle ones first. 0: three quarters of the files that the process may open, less where these are few, at most 65536."`
}

// Bound returns the bound. Its errors match ErrUsage.
func (m MaxConnections) Bound() (int, error) {
	all := descriptors()
	switch most := int(min(all, mostConnections<<8)); {
	case m.MaxConnections == 0:
		return connectionBound(all), nil
	case m.MaxConnections < leastConnections:
		return 0, Usage("--max-connections: %d is below %d", m.MaxConnections, leastConnections)
	case all > 0 && m.MaxConnections > most-reservedDescriptors:
		return 0, Usage("--max-connections: %d connections leave no files for the database, since the process may open %d (ulimit -n)", m.MaxConnections, all)
	}
	return m.MaxConnections, nil
}

// Streams returns how many live streams may be among so many connections: half of them, so that the other
// half is left for requests.
func Streams(connections int) int { return connections / 2 }

// Waits returns how many requests may wait for news among so many connections: an eighth of them. Streams and
// waits are at work as long as their clients like, so both together must leave some.
func Waits(connections int) int { return max(1, connections/8) }

// connectionBound returns the default bound for a process that may have so many descriptors; 0: it is
// not known how many.
func connectionBound(descriptors uint64) int {
	if descriptors == 0 {
		return mostConnections
	}
	descriptors = min(descriptors, 4*mostConnections)
	return max(leastConnections, min(mostConnections, int(descriptors)-max(reservedDescriptors, int(descriptors/4))))
}

// connections is a listener that bounds the open connections. When there are as many as may be, it
// makes room for the next one by closing what waits for its client: idle connections first, the one
// that is idle for the longest time before others, then those that send a request or take an answer
// slowly, of the network that has the most. While all are at work on whole requests it waits, and
// the next clients wait in the system's queue. It closes nothing that is at work.
type connections struct {
	net.Listener
	most int
	log  zerolog.Logger

	closed chan struct{} // when the listener is
	once   sync.Once
	left   chan struct{} // of capacity 1: a connection was closed

	mu   sync.Mutex // guards all below
	open map[*connection]struct{}
	told time.Time // when the log was told last
}

func newConnections(listener net.Listener, most int, log zerolog.Logger) *connections {
	return &connections{
		Listener: listener, most: most, log: log, closed: make(chan struct{}), left: make(chan struct{}, 1),
		open: make(map[*connection]struct{}),
	}
}

// Accept implements net.Listener.
func (l *connections) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		if errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) { // something else took the rest
			l.closeWaiting(time.Now())
		}
		return nil, err
	}
	for !l.room() {
		select {
		case <-l.left:
		case <-time.After(fullPoll):
		case <-l.closed:
			_ = conn.Close()
			return nil, net.ErrClosed
		}
	}
	c := &connection{Conn: conn, of: l, network: networkOf(conn)}
	c.wait(asking)
	l.mu.Lock()
	l.open[c] = struct{}{}
	l.mu.Unlock()
	return c, nil
}

// Close implements net.Listener.
func (l *connections) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.Listener.Close()
}

// networkOf returns the network of the client.
func networkOf(conn net.Conn) netip.Prefix {
	from, _ := netip.ParseAddrPort(conn.RemoteAddr().String()) // what is no address is in the zero network
	return fairqueue.Network(from.Addr())
}

// room reports whether there is room for one more, and makes it when it can.
func (l *connections) room() bool {
	l.mu.Lock()
	n := len(l.open)
	l.mu.Unlock()
	return n < l.most || l.closeWaiting(time.Now())
}

// closeWaiting closes some of the connections that wait for their clients. It reports whether it has
// closed any.
func (l *connections) closeWaiting(now time.Time) bool {
	l.mu.Lock()
	all := len(l.open)
	var idle, slow []*connection
	ofNetwork := make(map[netip.Prefix]int)
	for c := range l.open {
		ofNetwork[c.network]++
		switch state, since := c.waitsSince(); {
		case state == idling:
			idle = append(idle, c)
		case (state == asking || state == writing) && now.Sub(since) >= patience:
			slow = append(slow, c)
		}
	}
	tell := now.Sub(l.told) >= fullLog
	if tell {
		l.told = now
	}
	l.mu.Unlock()
	victims := idle
	if len(victims) == 0 {
		victims = slow
		slices.SortFunc(victims, func(a, b *connection) int {
			return cmp.Or(cmp.Compare(ofNetwork[b.network], ofNetwork[a.network]), a.compareSince(b))
		})
	} else {
		slices.SortFunc(victims, (*connection).compareSince)
	}
	if tell {
		l.log.Warn().Int("connections", all).Int("idle", len(idle)).Int("slow", len(slow)).Int("networks", len(ofNetwork)).
			Msg("there are as many connections as may be: those that wait for their clients are closed for new ones")
	}
	// Several at once, because each look costs as much as there are connections.
	ended := 0
	for _, c := range victims {
		if state := c.state.Load(); state != idling || c.state.CompareAndSwap(idling, closing) { // else a request has come meanwhile
			_ = c.Close()
			ended++
		}
		if ended > l.most/64 {
			break
		}
	}
	return ended > 0
}

// track is for http.Server.ConnState.
func (l *connections) track(conn net.Conn, state http.ConnState) {
	c, ok := conn.(*connection)
	if !ok {
		return
	}
	switch state {
	case http.StateActive:
		c.wait(asking)
	case http.StateIdle:
		c.wait(idling)
	}
}

// connectionKey is the key of a request's connection in its context.
type connectionKey struct{}

// note returns what is for http.Server.ConnContext. more adds to the context, of the connection as it
// was accepted.
func (l *connections) note(more func(context.Context, net.Conn) context.Context) func(context.Context, net.Conn) context.Context {
	return func(ctx context.Context, conn net.Conn) context.Context {
		ctx = context.WithValue(ctx, connectionKey{}, conn)
		if c, ok := conn.(*connection); ok {
			return more(ctx, c.Conn)
		}
		return ctx
	}
}

// noteWork notes on the connection of each request when the request is whole.
func noteWork(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c, ok := r.Context().Value(connectionKey{}).(*connection); ok {
			if r.Body == nil || r.Body == http.NoBody {
				c.wait(working)
			} else {
				// On a copy: by the body of its own request the server knows that it must not wait for what
				// nobody has asked for (Expect: 100-continue), and when too much has been left unread.
				noted := *r
				noted.Body = &notedBody{r.Body, c}
				r = &noted
			}
		}
		next.ServeHTTP(w, r)
	})
}

// notedBody notes when a body has been read.
type notedBody struct {
	io.ReadCloser
	connection *connection
}

// Read implements io.Reader.
func (b *notedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil {
		b.connection.wait(working)
	}
	return n, err
}

// The states of a connection: what it waits for.
const (
	working int32 = iota // for us
	idling               // for the next request
	asking               // for the rest of a request
	writing              // for the client to take what was sent
	closing              // for nothing: it is closed to make room
)

// connection is one of connections. It is safe for concurrent use.
type connection struct {
	net.Conn
	of      *connections
	network netip.Prefix
	once    sync.Once

	state   atomic.Int32 // not writing
	since   atomic.Int64 // of state, in nanoseconds since 1970
	blocked atomic.Int64 // since when a Write is under way; 0: none is
}

// wait notes what the connection waits for from now on.
func (c *connection) wait(state int32) {
	c.state.Store(state)
	c.since.Store(time.Now().UnixNano())
}

// waitsSince returns what the connection waits for, and since when.
func (c *connection) waitsSince() (state int32, since time.Time) {
	if blocked := c.blocked.Load(); blocked != 0 {
		return writing, time.Unix(0, blocked)
	}
	return c.state.Load(), time.Unix(0, c.since.Load())
}

func (c *connection) compareSince(other *connection) int {
	_, mine := c.waitsSince()
	_, its := other.waitsSince()
	return mine.Compare(its)
}

// Read implements net.Conn. The server tells of a request only when its headers are whole.
func (c *connection) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 && c.state.CompareAndSwap(idling, asking) {
		c.since.Store(time.Now().UnixNano())
	}
	return n, err
}

// Write implements net.Conn.
func (c *connection) Write(p []byte) (int, error) {
	c.blocked.Store(time.Now().UnixNano())
	defer c.blocked.Store(0)
	return c.Conn.Write(p)
}

// CloseWrite ends what is sent, where the connection can end one direction alone. Package net/http does
// so after an answer to a request that it has not read to its end, so that the answer arrives.
func (c *connection) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

// Close implements net.Conn.
func (c *connection) Close() error {
	c.once.Do(func() {
		c.of.mu.Lock()
		delete(c.of.open, c)
		c.of.mu.Unlock()
		select {
		case c.of.left <- struct{}{}:
		default: // it is told already
		}
	})
	return c.Conn.Close()
}
