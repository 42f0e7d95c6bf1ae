package setup

import (
	"cmp"
	"fmt"

	"github.com/eventio/eventio/pkg/messages"
)

// Prefix is the flag that keeps apart those who share a NATS server and have copies of one
// database. Different databases are apart without it.
type Prefix struct {
	NATSPrefix string `name:"nats-prefix" env:"EVENTIO_NATS_PREFIX" default:"eventio" help:"What every NATS subject begins with, before the database's id: names of letters, digits, - and _, joined by dots. The same for all processes of a database. A copy of a database's files has the id of the original and needs another prefix."`
}

// Validate fails on a prefix that cannot begin a subject. It is called when the command line
// is read.
func (p Prefix) Validate() error {
	if err := messages.CheckPrefix(p.NATSPrefix); err != nil {
		return fmt.Errorf("--nats-prefix: %w", err)
	}
	return nil
}

// Namespace returns the namespace of a database under the prefix, or under the default one
// when no command line was read.
func (p Prefix) Namespace(database string) messages.Namespace {
	return messages.Namespace{Prefix: cmp.Or(p.NATSPrefix, messages.DefaultPrefix), Database: database}
}
