package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/rs/zerolog"

	"github.com/eventio/eventio/internal/process"
	"github.com/eventio/eventio/internal/production"
	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/audit"
	"github.com/eventio/eventio/pkg/store/mongostore"
	"github.com/eventio/eventio/pkg/store/sqlitestore"
)

type verifyConfig struct {
	database
	Repair  bool   `help:"Set right what is safe to set right: counters, and free places that somebody waits for. It goes through the queue, like every change of a seat."`
	NATSURL string `name:"nats-url" env:"NATS_URL" placeholder:"URL" help:"For --repair: the NATS servers of the workers, comma-separated: nats://host:4222. Not needed for a data folder that no process serves."`
	production.Naming
	StartTimeout time.Duration `env:"EVENTIO_START_TIMEOUT" default:"1m" help:"Longest wait for the database at the start."`
}

// errNotClean ends a proof that found damage.
var errNotClean = errors.New("the database breaks its promises, see above")

// verifyDatabase proves a whole database and, if asked, has it mended.
func verifyDatabase(ctx context.Context, c verifyConfig, env process.Env, log zerolog.Logger) (err error) {
	if c.database, err = c.resolve(); err != nil {
		return err
	}
	starting, cancel := context.WithTimeout(ctx, c.StartTimeout)
	defer cancel()
	auditor, err := openAuditor(starting, c.database)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, auditor.Close()) }()
	v := verification{auditor: auditor, out: env.Stdout, started: time.Now()}
	if c.Repair {
		mender, err := openMender(starting, c, auditor, log)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, mender.close()) }()
		fmt.Fprintf(env.Stdout, "repair: database %s\n", mender.namespace)
		v.mender = mender
	}
	size, err := auditor.Size(ctx)
	if err != nil {
		return err
	}
	v.progress = newProgress(env.Stderr, "verify", size.Users+size.Events+size.Registrations)
	err = v.run(ctx)
	v.progress.finish()
	if err != nil {
		return err
	}
	return v.report()
}

func openAuditor(ctx context.Context, d database) (store.Auditor, error) {
	if d.MongoDBURI != "" {
		return mongostore.OpenAuditor(ctx, d.MongoDBURI)
	}
	return sqlitestore.OpenAuditor(ctx, d.file())
}

// verification is one proof under way.
type verification struct {
	auditor  store.Auditor
	mender   *mender // nil: nothing is to be mended
	out      io.Writer
	progress *progress
	started  time.Time

	users, events, registrations int64
	damaged, mended              int64 // events
	elsewhere                    int64 // damage that is not about one event
	strangers                    int64 // events whose organizer is not a user
	couldMend                    int64 // events that a recount would mend
}

func (v *verification) say(format string, args ...any) {
	v.progress.above(v.out, fmt.Sprintf(format, args...))
}

func (v *verification) run(ctx context.Context) error {
	found := func(f audit.Finding) {
		v.elsewhere++
		v.say("%s", f.Text)
	}
	for err := range v.auditor.Protections(ctx) {
		if !errors.Is(err, store.ErrDamaged) {
			return err
		}
		found(audit.Damage(err))
	}
	var err error
	if v.users, err = audit.CheckUsers(v.auditor.AuditUsers(ctx), found, v.progress.add); err != nil {
		return err
	}
	for id, err := range v.auditor.AuditEvents(ctx) {
		switch {
		case errors.Is(err, store.ErrDamaged):
			found(audit.Damage(err))
			continue
		case err != nil:
			return err
		}
		if err := v.event(ctx, id); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// event proves one event, has it mended, and proves it again.
func (v *verification) event(ctx context.Context, id store.ID) error {
	e, err := audit.CheckEvent(ctx, v.auditor, id, v.progress.add)
	if err != nil {
		return err
	}
	v.progress.add(1)
	v.events++
	v.registrations += e.Registrations
	if !e.OrganizerKnown {
		v.strangers++
	}
	if len(e.Findings) == 0 {
		return nil
	}
	for _, f := range e.Findings {
		v.say("%s", f.Text)
	}
	if !e.Mendable() || v.mender == nil {
		v.damaged++
		if e.Mendable() {
			v.couldMend++
		}
		return nil
	}
	did, err := v.mender.mend(ctx, id)
	if err != nil {
		return fmt.Errorf("repair event %s: %w", id.Hex(), err)
	}
	after, err := audit.CheckEvent(ctx, v.auditor, id, nil)
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
		v.mended++
	}
	return nil
}

// changes says what became of the counters.
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

// report sums up, and fails when something is not as promised.
func (v *verification) report() error {
	fmt.Fprintf(v.out, "verify: %d events, %d registrations, %d users read in %v\n",
		v.events, v.registrations, v.users, time.Since(v.started).Round(time.Millisecond))
	if v.strangers > 0 {
		fmt.Fprintf(v.out, "note: the organizers of %d events are not users; that is no damage where ids are trusted\n", v.strangers)
	}
	if v.mended > 0 {
		fmt.Fprintf(v.out, "repaired: %d events\n", v.mended)
	}
	if v.damaged+v.elsewhere == 0 {
		fmt.Fprintln(v.out, "clean: every promise holds")
		return nil
	}
	fmt.Fprintf(v.out, "DAMAGED: %d events, %d other records\n", v.damaged, v.elsewhere)
	if v.couldMend > 0 {
		fmt.Fprintf(v.out, "--repair can set %d of the events right\n", v.couldMend)
	}
	return errNotClean
}
