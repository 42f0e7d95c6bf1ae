// Package verify is the command eventio verify, which proves a whole database and, with
// --repair, has the workers repair what is safe to repair.
package verify

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"time"

	"github.com/rs/zerolog"

	"github.com/eventio/eventio/cmd/eventio/internal/progress"
	"github.com/eventio/eventio/internal/process"
	"github.com/eventio/eventio/internal/setup"
	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/verify"
)

// Command has the flags of eventio verify.
type Command struct {
	setup.Database
	Repair      bool   `help:"Set right what is safe to set right: counters, and free places that somebody waits for. It goes through the queue, like every change of a seat."`
	NATSURL     string `name:"nats-url" env:"NATS_URL" secret:"" placeholder:"URL" help:"For --repair: the NATS servers of the workers, comma-separated: nats://host:4222. Not needed for a data folder that no process serves."`
	NATSURLFile string `name:"nats-url-file" env:"NATS_URL_FILE" placeholder:"FILE" help:"File with these addresses, where they have a password."`
	setup.NATSLogin
	setup.Prefix
	StartTimeout time.Duration `env:"EVENTIO_START_TIMEOUT" default:"1m" help:"Longest wait for the database at the start."`
}

// ErrDamaged ends a proof that found damage and did not have all of it repaired.
var ErrDamaged = errors.New("the database breaks its promises, see above")

// Run proves the database and prints every damage. It fails with ErrDamaged unless the
// database is, or was made, as it should be.
func (c Command) Run(ctx context.Context, env process.Env, log zerolog.Logger) (err error) {
	if c.Database, err = c.Resolve(); err != nil {
		return err
	}
	if err := c.check(); err != nil {
		return err
	}
	starting, cancel := context.WithTimeout(ctx, c.StartTimeout)
	defer cancel()
	waited := setup.Waiting(starting, log, c.Database.String())
	reader, err := c.OpenVerifyReader(starting)
	waited()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, reader.Close()) }()
	v := verification{out: env.Stdout, started: time.Now()}
	if c.Repair {
		repairer, err := openRepairer(starting, c, reader, process.Quiet(log))
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, repairer.close()) }()
		// A reader that was opened while nobody had the folder open would not see what the worker writes.
		again, err := c.ReopenVerifyReader(starting)
		if err != nil {
			return err
		}
		if err := reader.Close(); err != nil {
			return errors.Join(err, again.Close())
		}
		reader = again
		fmt.Fprintf(env.Stdout, "repair: database %s\n", repairer.link.Namespace)
		v.repairer = repairer
	}
	v.reader = reader
	size, err := reader.Size(ctx)
	if err != nil {
		return c.Explain(err)
	}
	v.progress = progress.New(env.Stderr, "verify", size.Users+size.Events+size.Registrations)
	err = v.run(ctx)
	v.progress.Finish()
	if err != nil {
		return c.Explain(err)
	}
	return v.report()
}

// check fails with process.ErrUsage when the flags beside those of the database cannot be
// meant.
func (c Command) check() error {
	switch {
	case !c.Repair:
	case c.NATSURL != "":
		if err := setup.CheckNATSURL("--nats-url", c.NATSURL); err != nil {
			return err
		}
		if _, err := c.NATSOptions(c.NATSURL); err != nil {
			return err
		}
	case c.MongoDBURI != "":
		return process.Usage("--repair with --mongodb-uri goes through the queue: name the NATS servers of the workers with --nats-url")
	}
	return process.StartTimeout(c.StartTimeout)
}

// verification is one run of a proof.
type verification struct {
	reader   verify.Reader
	repairer *repairer // nil: nothing is to be repaired
	out      io.Writer
	progress *progress.Bar
	started  time.Time

	users, proved, registrations int64
	damaged, repaired            int64 // events
	elsewhere                    int64 // damages that are not about one event
	unknownOrganizers            int64 // events whose organizer is not a user
	olderKeys                    int64 // users, see store.KeptKey
	repairable                   int64 // events that a recount would repair
}

func (v *verification) say(format string, args ...any) {
	v.progress.Println(v.out, fmt.Sprintf(format, args...))
}

func (v *verification) run(ctx context.Context) error {
	found := func(f verify.Finding) {
		v.elsewhere++
		v.say("%s", f.Text)
	}
	for err := range v.reader.CheckConstraints(ctx) {
		if !errors.Is(err, store.ErrDamaged) {
			return err
		}
		found(verify.Damage(err))
	}
	var err error
	if v.users, err = verify.CheckUsers(v.readUsers(ctx), found, v.progress.Add); err != nil {
		return err
	}
	page := make([]store.ID, 0, pageSize)
	for id, err := range v.reader.ReadEventIDs(ctx) {
		switch {
		case errors.Is(err, store.ErrDamaged):
			found(verify.Damage(err))
			continue
		case err != nil:
			return err
		}
		if page = append(page, id); len(page) == pageSize {
			if err := v.events(ctx, page); err != nil {
				return err
			}
			page = page[:0]
		}
	}
	return errors.Join(v.events(ctx, page), ctx.Err())
}

// pageSize is how many events are read together.
const pageSize = 1000

// readUsers reads all users and counts those with older keys of their addresses.
func (v *verification) readUsers(ctx context.Context) iter.Seq2[verify.StoredUser, error] {
	return func(yield func(verify.StoredUser, error) bool) {
		for u, err := range v.reader.ReadUsers(ctx) {
			if err == nil && u.KeepsOlderKey() {
				v.olderKeys++
			}
			if !yield(u, err) {
				return
			}
		}
	}
}

// events proves some events and, if that is wanted, has them repaired and proves them again.
func (v *verification) events(ctx context.Context, ids []store.ID) error {
	var broken []verify.EventReport // told of when all are read: a repair takes longer than a snapshot may
	err := verify.CheckEvents(ctx, v.reader, ids, v.progress.Add, func(e verify.EventReport) error {
		v.progress.Add(1)
		v.proved++
		v.registrations += e.Registrations
		if !e.OrganizerKnown {
			v.unknownOrganizers++
		}
		if len(e.Findings) > 0 {
			broken = append(broken, e)
		}
		return nil
	})
	for _, e := range broken {
		if err := v.broken(ctx, e); err != nil {
			return err
		}
	}
	return err
}

// broken tells what was found in an event and, if that is wanted, has it repaired and proves it again.
func (v *verification) broken(ctx context.Context, e verify.EventReport) error {
	id := e.ID
	for _, f := range e.Findings {
		v.say("%s", f.Text)
	}
	if !e.Repairable() || v.repairer == nil {
		v.damaged++
		if e.Repairable() {
			v.repairable++
		}
		return nil
	}
	did, err := v.repairer.repair(ctx, id)
	if err != nil {
		return fmt.Errorf("repair event %s: %w", id.Hex(), err)
	}
	after, err := verify.CheckEvent(ctx, v.reader, id, nil)
	if err != nil {
		return err
	}
	v.say("event %s: %s; %s", id.Hex(), did, changes(e.State, after.State))
	for _, f := range after.Findings {
		v.say("still: %s", f.Text)
	}
	if len(after.Findings) > 0 {
		v.damaged++
	} else {
		v.repaired++
	}
	return nil
}

// changes lists the counters that differ.
func changes(before, after store.Event) string {
	text := ""
	for _, c := range []struct {
		name          string
		before, after int64
	}{
		{"tickets_sold", before.TicketsSold, after.TicketsSold},
		{"waiting", before.Waiting, after.Waiting},
		{"last_number", before.LastNumber, after.LastNumber},
		{"confirmed_through", before.ConfirmedThrough, after.ConfirmedThrough},
	} {
		if c.before == c.after {
			continue
		}
		if text != "" {
			text += ", "
		}
		text += fmt.Sprintf("%s %d -> %d", c.name, c.before, c.after)
	}
	if text == "" {
		return "nothing changed"
	}
	return text
}

// report prints the totals, and fails with ErrDamaged when damage is left.
func (v *verification) report() error {
	fmt.Fprintf(v.out, "verify: %d events, %d registrations, %d users read in %v\n",
		v.proved, v.registrations, v.users, time.Since(v.started).Round(time.Millisecond))
	if v.unknownOrganizers > 0 {
		fmt.Fprintf(v.out, "note: the organizers of %d events are not users; that is no damage where ids are trusted\n", v.unknownOrganizers)
	}
	if v.olderKeys > 0 {
		fmt.Fprintf(v.out, "note: %d users may have the address of another user in another form; eventio migrate lists them\n", v.olderKeys)
	}
	if v.repaired > 0 {
		fmt.Fprintf(v.out, "repaired: %d events\n", v.repaired)
	}
	if v.damaged+v.elsewhere == 0 {
		fmt.Fprintln(v.out, "clean: every promise holds")
		return nil
	}
	fmt.Fprintf(v.out, "DAMAGED: %d events, %d other records\n", v.damaged, v.elsewhere)
	if v.repairable > 0 {
		fmt.Fprintf(v.out, "--repair can set %d of the events right\n", v.repairable)
	}
	return ErrDamaged
}
