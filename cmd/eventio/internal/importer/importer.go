// Package importer is the command eventio import, which takes everything over from a
// database of the original Event.io.
package importer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/eventio/eventio/pkg/store/imports"

	"github.com/rs/zerolog"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver/connstring"

	"github.com/eventio/eventio/cmd/eventio/internal/progress"
	"github.com/eventio/eventio/internal/original"
	"github.com/eventio/eventio/internal/process"
	"github.com/eventio/eventio/internal/setup"
	"github.com/eventio/eventio/internal/text"
	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/bounds"
	"github.com/eventio/eventio/pkg/store/verify"
)

// Command has the flags of eventio import.
type Command struct {
	setup.Database
	From         string        `env:"EVENTIO_IMPORT_FROM" secret:"required" placeholder:"URI" help:"MongoDB of the original Event.io, which is only read: mongodb://host:27017/infosys. The database is infosys when none is named."`
	FromFile     string        `env:"EVENTIO_IMPORT_FROM_FILE" placeholder:"FILE" help:"File with this address, where it has a password."`
	StartTimeout time.Duration `env:"EVENTIO_START_TIMEOUT" default:"1m" help:"Longest wait for each database at the start."`
	EmailsProven bool          `help:"Take the addresses of the original's users for proven, because it has proven them."`
}

// errLeftOut ends an import that could not take everything over.
var errLeftOut = errors.New("not everything could be brought over, see LEFT OUT above")

// Run takes over what is not in the database yet. It may be interrupted and repeated, and
// fails when a record had to be left out.
func (c Command) Run(ctx context.Context, env process.Env, log zerolog.Logger) (err error) {
	if c.Database, err = c.Resolve(); err != nil {
		return err
	}
	if err := setup.CheckMongoDBURI("--from", c.From); err != nil {
		return err
	}
	if err := process.StartTimeout(c.StartTimeout); err != nil {
		return err
	}
	if sameDatabase(c.From, c.MongoDBURI) {
		return process.Usage("--from and --mongodb-uri name the same database: the two have collections of the same names, so name another one in --mongodb-uri")
	}
	starting, cancel := context.WithTimeout(ctx, c.StartTimeout)
	defer cancel()
	from, err := openOriginal(starting, c.From, log)
	if err != nil {
		return setup.ExplainMongoDB(err, "--from")
	}
	defer func() { err = errors.Join(err, from.Close(context.WithoutCancel(ctx))) }()
	waited := setup.Waiting(starting, log, c.Database.String())
	defer waited()
	if c.MongoDBURI == "" {
		unlock, err := setup.LockFolder(c.Data, log)
		if err != nil {
			return err
		}
		defer func() { _ = unlock() }()
	}
	into, err := c.Open(starting, process.Quiet(log))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, into.Close()) }()
	waited()
	size, err := from.Size(ctx)
	if err != nil {
		return setup.ExplainMongoDB(err, "--from")
	}
	i := importer{from: from, into: into, proven: c.EmailsProven, out: env.Stdout, started: time.Now()}
	err = i.run(ctx, size, env.Stderr)
	i.report()
	if ctx.Err() != nil {
		return &process.Failure{Sentence: "the import was interrupted; run it again to go on", Cause: err}
	}
	if err == nil && i.leftOut > 0 {
		err = errLeftOut
	}
	return c.Explain(err)
}

// openOriginal opens the database at uri, and fails with a process.Failure when it is not one of the
// original: a name that was mistyped would else end in a success that brings nothing over.
func openOriginal(ctx context.Context, uri string, log zerolog.Logger) (_ *original.DB, err error) {
	defer setup.Waiting(ctx, log, "the MongoDB of --from")()
	from, err := original.Open(ctx, uri)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, from.Close(context.WithoutCancel(ctx)))
		}
	}()
	found, err := from.Look(ctx)
	switch {
	case err != nil:
		return nil, err
	case found.Newer:
		return nil, &process.Failure{Sentence: fmt.Sprintf("the database %s of --from is one of this Event.io, not of the original: name the original's, or copy this one with mongodump", from.Name())}
	case found.Empty && len(found.Others) > 0:
		return nil, &process.Failure{Sentence: fmt.Sprintf("the database %s of --from has neither users nor events; on that server these have: %s: correct the name after the host",
			from.Name(), strings.Join(found.Others, ", "))}
	case found.Empty:
		return nil, &process.Failure{Sentence: fmt.Sprintf("the database %s of --from has neither users nor events, and no other one was found on that server: correct the address or the name after the host", from.Name())}
	}
	return from, nil
}

// sameDatabase reports whether two connection strings share a host and name the same
// database. Those that cannot be read fail elsewhere.
func sameDatabase(from, into string) bool {
	a, err := connstring.ParseAndValidate(from)
	if err != nil || into == "" {
		return false
	}
	b, err := connstring.ParseAndValidate(into)
	if err != nil {
		return false
	}
	name := func(cs *connstring.ConnString, otherwise string) string {
		if cs.Database == "" {
			return otherwise
		}
		return cs.Database
	}
	return name(a, "infosys") == name(b, "eventio") &&
		slices.ContainsFunc(a.Hosts, func(h string) bool { return slices.Contains(b.Hosts, h) })
}

// importer is one run of an import. All counts are of this run.
type importer struct {
	from     *original.DB
	into     setup.Store
	out      io.Writer
	progress *progress.Bar
	started  time.Time
	proven   bool // the original has proven the addresses

	users, events, registrations int // taken over
	knownUsers, knownEvents      int // stored before this run
	odd, leftOut                 int // records
}

func (i *importer) run(ctx context.Context, size verify.Size, stderr io.Writer) error {
	i.progress = progress.New(stderr, "users", size.Users)
	err := i.importUsers(ctx)
	i.progress.Finish()
	if err != nil {
		return err
	}
	i.progress = progress.New(stderr, "events and registrations", size.Events+size.Registrations)
	err = i.importEvents(ctx)
	i.progress.Finish()
	return err
}

func (i *importer) say(format string, args ...any) {
	i.progress.Println(i.out, fmt.Sprintf(format, args...))
}

// notes tells what is odd about a record, and what became of it.
func (i *importer) notes(subject string, notes []string) {
	if len(notes) == 0 {
		return
	}
	i.odd++
	for _, note := range notes {
		i.say("%s: %s", subject, note)
	}
}

func (i *importer) leaveOut(format string, args ...any) {
	i.leftOut++
	i.say("LEFT OUT: "+format, args...)
}

// report sums up.
func (i *importer) report() {
	fmt.Fprintf(i.out, "import: %d users, %d events and %d registrations brought over in %v; %d users and %d events were there already\n",
		i.users, i.events, i.registrations, time.Since(i.started).Round(time.Millisecond), i.knownUsers, i.knownEvents)
	if i.users+i.events == 0 && i.knownUsers+i.knownEvents > 0 {
		fmt.Fprintln(i.out, "nothing was changed")
	}
	if i.odd > 0 {
		fmt.Fprintf(i.out, "odd: %d records, see above\n", i.odd)
	}
	if i.leftOut > 0 {
		fmt.Fprintf(i.out, "LEFT OUT: %d records, see above\n", i.leftOut)
	}
}

func (i *importer) importEvents(ctx context.Context) error {
	for e, err := range i.from.Events(ctx) {
		if err != nil {
			return err
		}
		if !e.HasID {
			i.leaveOut("event %s (%q): its _id is not an ObjectID", e.Key, e.Title)
		} else if err := i.importEvent(ctx, e); err != nil {
			return err
		}
		i.progress.Add(1)
	}
	return ctx.Err()
}

// importEvent takes one event over. Nobody loses a seat: more registered than capacity
// raises the capacity.
func (i *importer) importEvent(ctx context.Context, e original.Event) error {
	notes := e.Odd
	note := func(format string, args ...any) { notes = append(notes, fmt.Sprintf(format, args...)) }
	n := int64(len(e.Roster))
	capacity := max(e.Capacity, n, 1)
	switch {
	case n > e.Capacity && e.Capacity > 0:
		note("OVERBOOKED: %d are registered and capacity is %d; all keep their place and capacity becomes %d", n, e.Capacity, capacity)
	case capacity != e.Capacity:
		note("capacity is %d; it becomes %d", e.Capacity, capacity)
	}
	if e.TicketsSold != n {
		note("tickets_sold is %d and %d are registered; it becomes %d", e.TicketsSold, n, n)
	}
	if len(e.Duplicates) > 0 {
		note("registration_ids has %d entries that repeat an earlier one; each user keeps the first: %s", len(e.Duplicates), someIDs(e.Duplicates))
	}
	event := store.Event{
		ID: e.ID, OrganizerID: e.OrganizerID, Capacity: capacity, StartsAt: e.StartsAt, EndsAt: e.EndsAt, CreatedAt: e.CreatedAt,
		Title:       normal(e.Title, "the title", text.Line, bounds.MaxTitle, note),
		Description: normal(e.Description, "the description", text.Lines, bounds.MaxDescription, note),
	}
	if !event.StartsAt.IsZero() && !event.EndsAt.IsZero() { // else that is noted already
		for _, wrong := range event.CheckTimes() {
			note("%v; it stays as it is until somebody edits it", wrong)
		}
	}
	outcome, err := i.into.ImportEvent(ctx, event, e.Roster, i.progress.Add)
	if err != nil {
		return err
	}
	switch outcome {
	case imports.Imported:
		i.events++
		i.registrations += len(e.Roster)
		unknown, err := i.unknownUsers(ctx, e.Roster)
		if err != nil {
			return err
		}
		if len(unknown) > 0 {
			note("%d registered users do not exist; they keep their place: %s", len(unknown), someIDs(unknown))
		}
	case imports.AlreadyThere:
		i.knownEvents++
		there, err := i.into.Event(ctx, e.ID)
		if err != nil {
			return err
		}
		if late := n - there.LastNumber; late > 0 {
			i.leaveOut("event %s: %d have registered in the original since the event was brought over: %s",
				e.Key, late, someIDs(e.Roster[there.LastNumber:]))
		}
	case imports.NotFromImport:
		i.leaveOut("event %s: it is not there, and yet there are registrations of it that no import has made; run eventio verify", e.Key)
	}
	i.notes("event "+e.Key, notes)
	for _, entry := range e.Unreadable {
		i.leaveOut("event %s: an entry of registration_ids is not an id: %s", e.Key, entry)
	}
	return nil
}

// unknownUsers returns those of a roster who are not users.
func (i *importer) unknownUsers(ctx context.Context, roster []store.ID) ([]store.ID, error) {
	var unknown []store.ID
	for page := range slices.Chunk(roster, 5000) {
		known, err := i.into.KnownUsers(ctx, page)
		if err != nil {
			return nil, err
		}
		for _, id := range page {
			if !known[id] {
				unknown = append(unknown, id)
			}
		}
	}
	return unknown, nil
}

// someIDs names the first few.
func someIDs(ids []store.ID) string {
	const most = 10
	var b strings.Builder
	for i, id := range ids[:min(most, len(ids))] {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(id.Hex())
	}
	if more := len(ids) - most; more > 0 {
		fmt.Fprintf(&b, " and %d more", more)
	}
	return b.String()
}
