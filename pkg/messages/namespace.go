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
	// DefaultPrefix is the Prefix of a Namespace when an operator sets none.
	DefaultPrefix = "eventio"
	// SharedSeats is the subject of all seat requests in the version before subjects had a
	// database id. A request there does not say which database it is for, so a worker
	// subscribes to it only when an operator says so, during an upgrade.
	SharedSeats = "eventio.v2.seats"

	// maxPrefix bounds a prefix, in bytes, because every message carries it.
	maxPrefix = 64
)

var (
	prefixForm   = regexp.MustCompile(`^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$`)
	databaseForm = regexp.MustCompile(`^[a-z0-9]{1,32}$`)
)

// Namespace identifies the processes that work together over one database, and makes their
// subjects. Two namespaces have no subject in common, so processes of several databases may share
// a NATS server.
type Namespace struct {
	// Prefix is set by an operator: one or more tokens of letters, digits, hyphens and
	// underscores, joined by dots. Usually DefaultPrefix.
	Prefix string
	// Database is the id that store.Database returns.
	Database string
}

// CheckPrefix fails on a prefix that cannot begin a subject.
func CheckPrefix(prefix string) error {
	switch {
	case len(prefix) > maxPrefix:
		return fmt.Errorf("a prefix of %d characters, at most %d", len(prefix), maxPrefix)
	case strings.HasPrefix(prefix, inboxPrefix):
		return fmt.Errorf("prefix %q: subjects that begin with %s are those of replies", prefix, inboxPrefix)
	case !prefixForm.MatchString(prefix):
		return errors.New("a prefix is one or more names of letters, digits, - and _, joined by dots")
	}
	return nil
}

// Check fails when a part of the namespace cannot be in a subject.
func (n Namespace) Check() error {
	if err := CheckPrefix(n.Prefix); err != nil {
		return err
	}
	if !databaseForm.MatchString(n.Database) {
		return fmt.Errorf("database id %q: want 1 to 32 lower-case letters and digits", n.Database)
	}
	return nil
}

// String returns both parts, for people.
func (n Namespace) String() string { return n.Database + " (prefix " + n.Prefix + ")" }

// MarshalZerologObject writes both parts into a line of a log.
func (n Namespace) MarshalZerologObject(e *zerolog.Event) {
	e.Str("database", n.Database).Str("nats_prefix", n.Prefix)
}

// base returns the beginning of every subject.
func (n Namespace) base() string { return n.Prefix + "." + n.Database }

// Seats returns the subject of seat requests to any worker. The number in it is the major version
// of the wire: an incompatible change gets another subject, so that old and new processes can run
// side by side.
func (n Namespace) Seats() string { return n.base() + ".v2.seats" }

// Worker returns the subject of seat requests to one worker, by its id in NATS's service
// discovery.
func (n Namespace) Worker(id string) string { return n.Seats() + "." + id }

// Revocations returns the subject on which all API processes learn whose tokens have ended.
func (n Namespace) Revocations() string { return n.base() + ".v1.revocations" }

// EventNews returns the subject on which API processes learn that an event has changed.
func (n Namespace) EventNews(event ID) string { return n.base() + ".v1.news." + event.Hex() }

// PeopleNews returns the subject on which API processes learn whose registrations have changed.
func (n Namespace) PeopleNews() string { return n.base() + ".v1.people" }

// Rolls returns the subject on which API processes tell each other which workers have answered a ping.
func (n Namespace) Rolls() string { return n.base() + ".v1.workers" }

// Event returns the subject on which others are told that something of a type has happened to an event.
// It has no database id: ids of events are unique, and who listens knows the prefix only.
func (n Namespace) Event(eventID, changeType string) string {
	return n.Prefix + ".events." + eventID + "." + changeType
}

// Events returns the subjects of all events.
func (n Namespace) Events() string { return n.Event("*", "*") }

// The keys of a worker's metadata in NATS's service discovery.
const (
	metadataDatabase = "database"
	metadataPrefix   = "prefix"
)

// metadata returns what a worker of the namespace announces in service discovery.
func (n Namespace) metadata() map[string]string {
	return map[string]string{metadataDatabase: n.Database, metadataPrefix: n.Prefix}
}

// namespaceOf reads the metadata of a worker. It is zero for one of the version before, which
// has none.
func namespaceOf(metadata map[string]string) Namespace {
	return Namespace{Prefix: metadata[metadataPrefix], Database: metadata[metadataDatabase]}
}

// Link is a connection to NATS with the namespace of the process that uses it. Whoever opened the
// connection closes it.
type Link struct {
	Conn      *nats.Conn
	Namespace Namespace
}

// check fails on a link without a connection or with a namespace that cannot be in a subject.
func (l Link) check() error {
	if l.Conn == nil {
		return errors.New("no connection to NATS")
	}
	return l.Namespace.Check()
}
