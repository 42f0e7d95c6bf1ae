package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/rs/zerolog"

	"github.com/eventio/eventio/internal/process"
	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/mongostore"
	"github.com/eventio/eventio/pkg/store/sqlitestore"
)

type migrateConfig struct {
	database
	Status       bool          `xor:"what" help:"Only print the version of the database, the version of this program and the pending steps. It changes nothing."`
	To           *int          `xor:"what" placeholder:"N" help:"Go no further than version N. Default: the newest that this program knows. It never goes back."`
	StartTimeout time.Duration `env:"EVENTIO_START_TIMEOUT" default:"1m" help:"Longest wait for the database at the start; the steps may take as long as they need."`
}

// migrateDatabase brings the schema of a database to a version, or tells which one it has.
func migrateDatabase(ctx context.Context, c migrateConfig, env process.Env, log zerolog.Logger) (err error) {
	if c.database, err = c.resolve(); err != nil {
		return err
	}
	starting, cancel := context.WithTimeout(ctx, c.StartTimeout)
	defer cancel()
	// Its steps are told on stdout; the log has what it waits for.
	m, err := openMigrator(starting, c.database, log.Level(zerolog.WarnLevel))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, m.Close()) }()
	before, err := m.Schema(starting)
	if err != nil {
		return err
	}
	printSchema(env.Stdout, before)
	if c.Status {
		return before.Fits()
	}
	to := before.Known
	if c.To != nil {
		to = *c.To
	}
	if err := before.Reaches(to); err != nil {
		return err
	}
	p := migrationProgress{out: env.Stdout, stderr: env.Stderr}
	err = m.Migrate(ctx, to, p.report)
	p.finish()
	if ctx.Err() != nil {
		return fmt.Errorf("the migration was interrupted; run it again to go on: %w", err)
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(env.Stdout, "migrate: the database has version %d\n", to)
	return nil
}

func openMigrator(ctx context.Context, d database, log zerolog.Logger) (store.Migrator, error) {
	if d.MongoDBURI != "" {
		return mongostore.OpenMigrator(ctx, d.MongoDBURI, log)
	}
	return sqlitestore.OpenMigrator(d.file())
}

func printSchema(out io.Writer, s store.Schema) {
	none := ""
	if s.Version == 0 {
		none = " (it is empty, or was made before versions were stored)"
	}
	fmt.Fprintf(out, "version of the database  %d%s\nversion of the program   %d\n", s.Version, none, s.Known)
	for _, step := range s.Pending {
		fmt.Fprintf(out, "pending                  %s\n", step)
	}
}

// migrationProgress tells how far the steps are.
type migrationProgress struct {
	out, stderr io.Writer
	bar         *progress // of the step under way, once it counts
	done        int64     // by it
	begun       time.Time
}

func (p *migrationProgress) report(m store.Migration) {
	switch {
	case m.Over:
		p.finish()
		fmt.Fprintf(p.out, "step %s: done in %v\n", m.Step, time.Since(p.begun).Round(time.Millisecond))
	case m.All == 0 && m.Done == 0:
		p.finish()
		p.begun = time.Now()
		fmt.Fprintf(p.out, "step %s: begun\n", m.Step)
	default:
		if p.bar == nil {
			p.bar, p.done = newProgress(p.stderr, m.Step.String(), m.All), 0
		}
		p.bar.add(int(m.Done - p.done))
		p.done = m.Done
	}
}

func (p *migrationProgress) finish() {
	if p.bar != nil {
		p.bar.finish()
		p.bar = nil
	}
}

// requireSchema refuses a database that is not up to date: a tool that only looks something
// up must not be what changes it.
func requireSchema(ctx context.Context, d database, log zerolog.Logger) (err error) {
	m, err := openMigrator(ctx, d, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, m.Close()) }()
	s, err := m.Schema(ctx)
	if err == nil {
		err = s.Fits()
	}
	if err == nil && len(s.Pending) > 0 {
		err = fmt.Errorf("%w: the database has version %d and this program needs version %d: start Event.io of this version, or run eventio migrate, first",
			store.ErrSchema, s.Version, s.Known)
	}
	return err
}
