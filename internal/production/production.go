// Package production opens what the production processes stand on: a NATS server and a
// MongoDB replica set.
package production

import (
	"context"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/rs/zerolog"

	"github.com/eventio/eventio/pkg/messages"
	"github.com/eventio/eventio/pkg/store/mongostore"
)

// Backing is the part of a command line that says where they are.
type Backing struct {
	Naming
	NATSURL      string        `name:"nats-url" env:"NATS_URL" required:"" help:"NATS servers, comma-separated: nats://host:4222."`
	NATSCreds    string        `name:"nats-creds" env:"NATS_CREDS" placeholder:"FILE" help:"Credentials file for NATS (a JWT and its key), read again at each connection, so that it can be renewed while this runs."`
	NATSCA       string        `name:"nats-ca" env:"NATS_CA" placeholder:"FILE" help:"Certificates (PEM) of the authorities that are believed about NATS servers, in place of the system's; read again at each connection."`
	MongoDBURI   string        `name:"mongodb-uri" env:"MONGODB_URI" required:"" help:"MongoDB replica set: mongodb://host:27017/eventio?replicaSet=rs0. The database is eventio when none is named."`
	StartTimeout time.Duration `env:"EVENTIO_START_TIMEOUT" default:"1m" help:"Longest wait for MongoDB at the start."`
}

// Ground is both, open, and the names under which the processes of the database meet.
type Ground struct {
	Conn      *nats.Conn
	Store     *mongostore.Store
	Namespace messages.Namespace
	// Lost gets an error when Conn is closed for good, and also by Close.
	Lost <-chan error
}

// Link is what the database's processes talk over.
func (g *Ground) Link() messages.Link { return messages.Link{Conn: g.Conn, Namespace: g.Namespace} }

// Open connects to both as the process called name. NATS may still be away; MongoDB is
// waited for, StartTimeout at most.
func (b Backing) Open(ctx context.Context, name string, log zerolog.Logger) (*Ground, error) {
	var extra []nats.Option
	if b.NATSCreds != "" {
		extra = append(extra, nats.UserCredentials(b.NATSCreds))
	}
	if b.NATSCA != "" {
		extra = append(extra, nats.RootCAs(b.NATSCA))
	}
	conn, err := messages.Connect(b.NATSURL, name, log, extra...)
	if err != nil {
		return nil, err
	}
	starting, cancel := context.WithTimeout(ctx, b.StartTimeout)
	defer cancel()
	st, err := mongostore.Open(starting, b.MongoDBURI, log)
	if err != nil {
		conn.Close()
		return nil, err
	}
	return &Ground{conn, st, b.Namespace(st.DatabaseID()), messages.Lost(conn)}, nil
}

// Close closes NATS, then the store: what is still answered has been flushed before.
func (g *Ground) Close() error {
	g.Conn.Close()
	return g.Store.Close()
}
