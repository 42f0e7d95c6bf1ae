package production

import (
	"cmp"
	"fmt"

	"github.com/eventio/eventio/pkg/messages"
)

// Naming is the part of a command line that keeps apart those who share a NATS server. That
// databases are apart needs no flag.
type Naming struct {
	NATSPrefix string `name:"nats-prefix" env:"EVENTIO_NATS_PREFIX" default:"eventio" help:"What every NATS subject begins with, before the database's id: names of letters, digits, - and _, joined by dots. The same for all processes of a database. A copy of a database's files has the id of the original and needs another prefix."`
}

// Validate is called when the command line is read. It fails on a prefix that cannot begin a
// subject.
func (n Naming) Validate() error {
	if err := messages.CheckPrefix(n.NATSPrefix); err != nil {
		return fmt.Errorf("EVENTIO_NATS_PREFIX: %w", err)
	}
	return nil
}

// Namespace is that of a database. Where no command line was read it has the default prefix.
func (n Naming) Namespace(database string) messages.Namespace {
	return messages.Namespace{Prefix: cmp.Or(n.NATSPrefix, messages.DefaultPrefix), Database: database}
}
