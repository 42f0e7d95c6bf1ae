// Package migrate is the command eventio migrate, which brings the schema of a database to
// the version of the program.
package migrate

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/rs/zerolog"

	"github.com/eventio/eventio/cmd/eventio/internal/progress"
	"github.com/eventio/eventio/internal/process"
	"github.com/eventio/eventio/internal/setup"
	"github.com/eventio/eventio/pkg/store/schema"
)

// Command has the flags of eventio migrate.
type Command struct {
	setup.Database
	Status       bool          `xor:"what" help:"Only print the version of the database, the version of this program and the pending steps. It changes nothing."`
	To           *int          `xor:"what" placeholder:"N" help:"Go no further than version N. Default: the newest that this program knows. It never goes back."`
	StartTimeout time.Duration `env:"EVENTIO_START_TIMEOUT" default:"1m" help:"Longest wait for the database at the start; the steps may take as long as they need."`
}

// Run migrates the database, or only prints its version. It fails with store.ErrSchema
// when no steps lead to the version that is wanted.
func (c Command) Run(ctx context.Context, env process.Env, log zerolog.Logger) (err error) {
	if c.Database, err = c.Resolve(); err != nil {
		return err
	}
	if err := process.StartTimeout(c.StartTimeout); err != nil {
		return err
	}
	starting, cancel := context.WithTimeout(ctx, c.StartTimeout)
	defer cancel()
	waited := setup.Waiting(starting, log, c.Database.String())
	defer waited()
	// The steps are printed on stdout; the log says what the command waits for.
	m, err := c.OpenMigrator(starting, process.Quiet(log))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, m.Close()) }()
	before, err := m.Schema(starting)
	if err != nil {
		return c.Explain(err)
	}
	waited()
	printSchema(env.Stdout, before)
	if c.Status {
		return before.CheckKnown()
	}
	to := before.Known
	if c.To != nil {
		to = *c.To
	}
	if err := before.CheckTarget(to); err != nil {
		return err
	}
	p := printer{out: env.Stdout, stderr: env.Stderr}
	err = m.Migrate(ctx, to, p.report)
	p.finish()
	if ctx.Err() != nil {
		return &process.Failure{Sentence: "the migration was interrupted; run it again to go on", Cause: err}
	}
	if err != nil {
		return c.Explain(err)
	}
	fmt.Fprintf(env.Stdout, "migrate: the database has version %d\n", to)
	if to < before.Known {
		return nil
	}
	for kept, err := range m.SettleKeys(ctx) {
		if err != nil {
			return c.Explain(err)
		}
		fmt.Fprintln(env.Stdout, "note:", kept)
	}
	return nil
}

// printSchema prints both versions and the pending steps.
func printSchema(out io.Writer, s schema.State) {
	none := ""
	if s.Version == 0 {
		none = " (it is empty, or was made before versions were stored)"
	}
	fmt.Fprintf(out, "version of the database  %d%s\nversion of the program   %d\n", s.Version, none, s.Known)
	for _, step := range s.Pending {
		fmt.Fprintf(out, "pending                  %s\n", step)
	}
}

// printer prints how far the steps of a migration are.
type printer struct {
	out, stderr io.Writer
	bar         *progress.Bar // of the current step, once the step counts records
	done        int64         // records of the current step
	begun       time.Time
}

func (p *printer) report(m schema.Migration) {
	switch {
	case m.Finished:
		p.finish()
		fmt.Fprintf(p.out, "step %s: done in %v\n", m.Step, time.Since(p.begun).Round(time.Millisecond))
	case m.All == 0 && m.Done == 0:
		p.finish()
		p.begun = time.Now()
		fmt.Fprintf(p.out, "step %s: begun\n", m.Step)
	default:
		if p.bar == nil {
			p.bar, p.done = progress.New(p.stderr, m.Step.String(), m.All), 0
		}
		p.bar.Add(int(m.Done - p.done))
		p.done = m.Done
	}
}

func (p *printer) finish() {
	if p.bar != nil {
		p.bar.Finish()
		p.bar = nil
	}
}
