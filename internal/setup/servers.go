package setup

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"github.com/eventio/eventio/internal/process"
	"github.com/eventio/eventio/internal/telemetry/measure"
	"github.com/eventio/eventio/pkg/messages"
	"github.com/eventio/eventio/pkg/store/mongostore"
)

// Servers are the flags that name the servers of the production processes: NATS and a
// MongoDB replica set.
type Servers struct {
	Prefix
	NATSURL     string `name:"nats-url" env:"NATS_URL" secret:"required" placeholder:"URL" help:"NATS servers, comma-separated: nats://host:4222, or tls://host:4222."`
	NATSURLFile string `name:"nats-url-file" env:"NATS_URL_FILE" placeholder:"FILE" help:"File with these addresses, where they have a password."`
	NATSLogin
	MongoDBURI     string        `name:"mongodb-uri" env:"MONGODB_URI" secret:"required" placeholder:"URI" help:"MongoDB replica set: mongodb://host:27017/eventio?replicaSet=rs0. The database is eventio when none is named."`
	MongoDBURIFile string        `name:"mongodb-uri-file" env:"MONGODB_URI_FILE" placeholder:"FILE" help:"File with this address, where it has a password."`
	StartTimeout   time.Duration `env:"EVENTIO_START_TIMEOUT" default:"1m" help:"Longest wait for MongoDB at the start."`
}

// Connections are the open connections to both servers.
type Connections struct {
	NATS      *nats.Conn
	Store     *mongostore.Store
	Namespace messages.Namespace
	// Lost gets an error when NATS is closed for good, and also by Close.
	Lost <-chan error
}

// Open connects the process called name to both servers. NATS may be away and is connected
// to later; MongoDB is waited for, StartTimeout at most.
func (s Servers) Open(ctx context.Context, name string, log zerolog.Logger) (*Connections, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	extra, err := s.NATSOptions(s.NATSURL)
	if err != nil {
		return nil, err
	}
	conn, err := messages.Connect(s.NATSURL, name, log, extra...)
	if err != nil {
		return nil, err
	}
	starting, cancel := context.WithTimeout(ctx, s.StartTimeout)
	defer cancel()
	st, err := mongostore.Open(starting, s.MongoDBURI, log)
	if err != nil {
		conn.Close()
		return nil, err
	}
	return &Connections{conn, st, s.Namespace(st.DatabaseID()), messages.Lost(conn)}, nil
}

// check looks at the flags before anything is opened. Its errors are Failures.
func (s Servers) check() error {
	if err := process.StartTimeout(s.StartTimeout); err != nil {
		return err
	}
	if err := CheckMongoDBURI("--mongodb-uri", s.MongoDBURI); err != nil {
		return err
	}
	return CheckNATSURL("--nats-url", s.NATSURL)
}

// Link returns the way to the other processes of the database.
func (c *Connections) Link() messages.Link {
	return messages.Link{Conn: c.NATS, Namespace: c.Namespace}
}

// Metrics returns the metrics of both connections.
func (c *Connections) Metrics() prometheus.Collector {
	g := &measure.Group{}
	g.Add(c.Store.Metrics())
	g.Add(messages.ConnectionMetrics(c.NATS))
	return g
}

// Close closes NATS, then the store. Answers must have been flushed before.
func (c *Connections) Close() error {
	c.NATS.Close()
	return c.Store.Close()
}

// connectPoll is the pause between two looks at a connection that is being made.
const connectPoll = 20 * time.Millisecond

// AwaitNATS waits for the first connection of conn to the servers of a NATS URL, which
// messages.Connect does not. It fails with a Failure when ctx ends first.
func AwaitNATS(ctx context.Context, conn *nats.Conn, servers string) error {
	for !conn.IsConnected() {
		select {
		case <-ctx.Done():
			sentence := noNATS(conn.LastError(), servers)
			if errors.Is(ctx.Err(), context.Canceled) {
				sentence = "interrupted while NATS was asked"
			}
			return &process.Failure{Sentence: sentence, Cause: errors.Join(ctx.Err(), conn.LastError())}
		case <-time.After(connectPoll):
		}
	}
	return nil
}

// noNATS says why NATS could not be connected to.
func noNATS(last error, servers string) string {
	if messages.Refused(last) {
		return "NATS refuses the user or the password of --nats-url, or the credentials: correct them"
	}
	return fmt.Sprintf("NATS cannot be reached at %s (%s): start it, or correct --nats-url", hosts(servers),
		cmp.Or(process.Reason(last), "no answer in time"))
}
