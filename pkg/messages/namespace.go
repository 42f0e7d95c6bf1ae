package messages

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/rs/zerolog"
)

const (
	// DefaultPrefix is the Prefix of a Namespace when an operator names none.
	DefaultPrefix = "eventio"
	// SharedSeats was the subject of all seat requests before subjects named a database.
	// Only requesters of that version use it. A worker listens to it only when it is told
	// to, during an upgrade: what comes here does not say which database it is for.
	SharedSeats = "eventio.v2.seats"

	// maxPrefix bounds a prefix, in bytes: every message carries it.
	maxPrefix = 64
)

var (
	prefixForm   = regexp.MustCompile(`^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$`)
	databaseForm = regexp.MustCompile(`^[a-z0-9]{1,32}$`)
)

// Namespace names the processes that work together over one database, and makes every
// subject on which they meet. Two namespaces have no subject in common, so processes of
// several databases may share a NATS server.
type Namespace struct {
	// Prefix is an operator's: one or more tokens of letters, digits, hyphens and
	// underscores, joined by dots. Usually DefaultPrefix.
	Prefix string
	// Database is store.Store's DatabaseID.
	Database string
}

// CheckPrefix looks at the form of a prefix. It fails on one that cannot begin a subject.
func CheckPrefix(prefix string) error {
	switch {
	case len(prefix) > maxPrefix:
		return fmt.Errorf("a prefix of %d characters, at most %d", len(prefix), maxPrefix)
	case !prefixForm.MatchString(prefix):
		return fmt.Errorf("prefix %q: want one or more names of letters, digits, - and _, joined by dots", prefix)
	}
	return nil
}

// Check looks at the form of both parts. It fails when they cannot be in a subject.
func (n Namespace) Check() error {
	if err := CheckPrefix(n.Prefix); err != nil {
		return err
	}
	if !databaseForm.MatchString(n.Database) {
		return fmt.Errorf("database id %q: want 1 to 32 lower-case letters and digits", n.Database)
	}
	return nil
}

// String names both parts, for people.
func (n Namespace) String() string { return n.Database + " (prefix " + n.Prefix + ")" }

// MarshalZerologObject writes both parts, as every process does at its start.
func (n Namespace) MarshalZerologObject(e *zerolog.Event) {
	e.Str("database", n.Database).Str("nats_prefix", n.Prefix)
}

// base begins every subject.
func (n Namespace) base() string { return n.Prefix + "." + n.Database }

// Seats is the subject of every request that moves a seat. The number is the wire's major
// version: an incompatible change gets a subject of its own, so that old and new processes
// can run side by side.
func (n Namespace) Seats() string { return n.base() + ".v2.seats" }

// Worker is the subject of the requests that are for one worker alone, by its id in NATS's
// service discovery.
func (n Namespace) Worker(id string) string { return n.Seats() + "." + id }

// TakesSeats reports whether a worker of the namespace may take what is sent to subject for
// a request.
func (n Namespace) TakesSeats(subject string) bool {
	for _, shared := range []string{n.Seats(), SharedSeats} {
		if rest, ok := strings.CutPrefix(subject, shared); ok && (rest == "" || rest[0] == '.') {
			return true
		}
	}
	return false
}

// Revocations is the subject that tells all API processes whose tokens have ended.
func (n Namespace) Revocations() string { return n.base() + ".v1.revocations" }

// The keys under which a worker says in NATS's service discovery whom it works for.
const (
	metadataDatabase = "database"
	metadataPrefix   = "prefix"
)

func (n Namespace) metadata() map[string]string {
	return map[string]string{metadataDatabase: n.Database, metadataPrefix: n.Prefix}
}

// namespaceOf reads metadata. A worker of the version before has none.
func namespaceOf(metadata map[string]string) Namespace {
	return Namespace{Prefix: metadata[metadataPrefix], Database: metadata[metadataDatabase]}
}

// Link is a connection to NATS and the namespace of those who use it. The connection stays
// its owner's.
type Link struct {
	Conn      *nats.Conn
	Namespace Namespace
}

// check fails on a link that cannot be used.
func (l Link) check() error {
	if l.Conn == nil {
		return errors.New("no connection to NATS")
	}
	return l.Namespace.Check()
}
