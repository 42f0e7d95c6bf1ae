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
	MongoDBURI   string        `name:"mongodb-uri" env:"MONGODB_URI" required:"" help:"MongoDB replica set: mongodb://host:27017/eventio?replicaSet=rs0. The database is eventio when none is named."`
	StartTimeout time.Duration `env:"EVENTIO_START_TIMEOUT" default:"1m" help:"Longest wait for MongoDB at the start."`
}

// Ground is both, open, and the names under which the processes of the database meet.
type Ground struct {
	Conn      *nats.Conn
	Store     *mongostore.Store
	Namespace messages.Namespace
}

// Link is what the database's processes talk over.
func (g *Ground) Link() messages.Link { return messages.Link{Conn: g.Conn, Namespace: g.Namespace} }

// Open connects to both as the process called name. NATS may still be away; MongoDB is
// waited for, StartTimeout at most.
func (b Backing) Open(ctx context.Context, name string, log zerolog.Logger) (*Ground, error) {
	conn, err := messages.Connect(b.NATSURL, name, log)
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
	return &Ground{conn, st, b.Namespace(st.DatabaseID())}, nil
}

// Close closes NATS, then the store: what is still answered has been flushed before.
func (g *Ground) Close() error {
	g.Conn.Close()
	return g.Store.Close()
}
