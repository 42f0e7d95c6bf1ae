// Package event is the command eventio event, by which operators look at events, close and delete them. It works on
// the database itself, while Event.io serves it or not.
package event

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"github.com/eventio/eventio/cmd/eventio/internal/listing"
	"github.com/eventio/eventio/internal/process"
	"github.com/eventio/eventio/internal/security"
	"github.com/eventio/eventio/internal/setup"
	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/leases"
)

// Command has the actions of eventio event.
type Command struct {
	setup.Database
	StartTimeout time.Duration `env:"EVENTIO_START_TIMEOUT" default:"1m" help:"Longest wait for the database at the start."`
	listing.JSON

	List   list    `cmd:"" help:"Print all events, by the time at which they begin."`
	Show   someone `cmd:"" help:"Print one event."`
	Close  someone `cmd:"" help:"Close the registration of an event, now. Registrations stay, and people may give theirs up. Its organizer may open it again."`
	Delete struct {
		IDs []string `arg:"" optional:"" name:"id" help:"Ids of events, of 24 hexadecimal digits each."`
		Of  string   `placeholder:"USER" help:"All events of this organizer, instead of ids."`
		Yes bool     `help:"Do it. Without it, only say what would be deleted."`
	} `cmd:"" help:"Delete events for good, with all their registrations. Each is cancelled first, so whoever registers meanwhile is told so; that it was deleted is remembered. May be interrupted and repeated."`
}

// Act does what the command line says: command is "event close <id>", for instance. It prints one JSON object a line for
// each event, or on a terminal what people read. It is not called Run, because kong would then take event alone for a command.
func (c Command) Act(ctx context.Context, env process.Env, command string, log zerolog.Logger) (err error) {
	action := strings.Fields(command)[1]
	ids, err := c.ids(action)
	if err != nil {
		return err
	}
	if c.Database, err = c.Resolve(); err != nil {
		return err
	}
	if err := process.StartTimeout(c.StartTimeout); err != nil {
		return err
	}
	if c.MongoDBURI == "" {
		if err := c.RequireFile(); err != nil {
			return err
		}
	}
	starting, cancel := context.WithTimeout(ctx, c.StartTimeout)
	defer cancel()
	waited := setup.Waiting(starting, log, c.Database.String())
	defer waited()
	if err := c.RequireSchema(starting, log); err != nil {
		return err
	}
	st, err := c.Open(starting, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	out := c.New(env.Stdout)
	look := looking{st, out}
	switch action {
	case "list":
		return look.list(ctx, ids)
	case "show":
		return look.show(ctx, ids[0])
	case "close":
		return look.close(ctx, ids[0])
	}
	d := deletion{st, out, log, c.Delete.Yes}
	if c.Delete.Of != "" {
		return d.allOf(ctx, ids[0])
	}
	for _, id := range ids {
		if err := d.event(ctx, id); err != nil {
			return err
		}
	}
	return nil
}

// ids reads the ids on the command line.
func (c Command) ids(action string) (ids []store.ID, err error) {
	var texts []string
	required := false
	switch action {
	case "list":
		texts = []string{c.List.Of}
	case "show":
		texts, required = []string{c.Show.ID}, true
	case "close":
		texts, required = []string{c.Close.ID}, true
	default:
		if (len(c.Delete.IDs) > 0) == (c.Delete.Of != "") {
			return nil, process.Usage("give ids of events, or the organizer of all of them with --of")
		}
		texts = append(c.Delete.IDs, c.Delete.Of)
	}
	for _, text := range texts {
		if text == "" && !required {
			continue
		}
		id, err := store.ParseID(text)
		if err != nil || id.IsZero() {
			return nil, process.Usage("an id is not of 24 hexadecimal digits, not all zero")
		}
		ids = append(ids, id)
	}
	return ids, nil
}

// deletion deletes events, or only says which.
type deletion struct {
	st  setup.Store
	out *listing.Printer
	log zerolog.Logger
	yes bool
}

// page is how many events of an organizer are looked up at once.
const page = 200

// allOf deletes all events of an organizer.
func (d deletion) allOf(ctx context.Context, organizer store.ID) error {
	query := store.EventQuery{OrganizerID: organizer, Limit: page}
	for {
		found, err := d.st.FindEvents(ctx, query)
		if err != nil {
			return err
		}
		for _, e := range found.Events {
			if err := d.event(ctx, e.ID); err != nil {
				return err
			}
		}
		if found.Next == nil {
			return nil
		}
		query.After = found.Next
	}
}

// told is what is printed of an event.
type told struct {
	ID            store.ID  `json:"id"`
	OrganizerID   store.ID  `json:"organizer_id"`
	Title         string    `json:"title,omitzero"`
	Registrations int64     `json:"registrations"` // numbers that were given
	TicketsSold   int64     `json:"tickets_sold,omitzero"`
	DeletedAt     time.Time `json:"deleted_at,omitzero"` // missing: it is not deleted
}

// event deletes one event: it cancels it as its organizer would, so that every answer that was given or
// is on its way stays true, and removes it then. One that was deleted before is only told.
func (d deletion) event(ctx context.Context, id store.ID) error {
	e, err := d.st.Event(ctx, id)
	if errors.Is(err, store.ErrEventNotFound) {
		return d.before(ctx, id)
	}
	if err != nil {
		return err
	}
	if !d.yes {
		return d.out.One(told{ID: e.ID, OrganizerID: e.OrganizerID, Title: e.Title, Registrations: e.LastNumber, TicketsSold: e.TicketsSold})
	}
	now := time.Now().UTC().Truncate(time.Millisecond)
	cancel := store.SeatRequest{
		Kind: store.EditEvent, EventID: id, RequestID: rand.Text(), At: now, Actor: store.Actor{Kind: store.ActorOperator},
		Edit: &store.Edit{Version: store.AnyVersion, Cancel: true},
	}
	results, err := leases.Apply(ctx, d.st, []store.SeatRequest{cancel})
	if err == nil && results[0].Outcome != store.Edited && results[0].Outcome != store.EventNotFound {
		err = fmt.Errorf("cancel event %s: %s", id.Hex(), results[0].Outcome)
	}
	if err != nil {
		return err
	}
	gone, err := d.st.DeleteEvent(ctx, id, now)
	if errors.Is(err, store.ErrEventNotFound) { // by somebody else meanwhile, or by a commit whose answer was lost
		return d.before(ctx, id)
	}
	if err != nil {
		return err
	}
	security.Log(d.log, security.EventDeleted, security.Operator(), security.About{Event: id, User: gone.OrganizerID})
	return d.out.One(told{ID: id, OrganizerID: gone.OrganizerID, Registrations: gone.Registrations, DeletedAt: gone.DeletedAt})
}

// before tells of an event that was deleted before.
func (d deletion) before(ctx context.Context, id store.ID) error {
	gone, err := d.st.DeletedEvent(ctx, id)
	if errors.Is(err, store.ErrEventNotFound) {
		return &process.Failure{Sentence: "no event has the id " + id.Hex(), Cause: err}
	}
	if err != nil {
		return err
	}
	return d.out.One(told{ID: id, OrganizerID: gone.OrganizerID, Registrations: gone.Registrations, DeletedAt: gone.DeletedAt})
}
