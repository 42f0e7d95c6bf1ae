// Command bench measures Event.io against baselines held in the same run, in alternation,
// and proves after every scenario that no seat was sold twice or lost.
//
// It starts what it needs: a mongod, NATS servers, api, worker and eventio processes built
// for the run, and the baselines, each in a process of its own. It exits with 1 when a
// promise was broken; a goal that is not reached is only said.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/eventio/eventio/internal/process"
	"github.com/eventio/eventio/loadtest/report"
	"github.com/eventio/eventio/loadtest/role"
)

type config struct {
	Measure settings  `cmd:"" default:"withargs" help:"Measure (the default)."`
	Role    role.Role `cmd:"" hidden:"" help:"Be one of the processes that bench starts."`
}

type settings struct {
	Scenario []string      `placeholder:"S1,..." help:"Scenarios to run, comma-separated, of S1 to S18. By default all."`
	Rounds   int           `default:"5" help:"Rounds in which what is compared takes turns; medians are of these. One more comes first and does not count."`
	Window   time.Duration `default:"4s" help:"How long each load lasts in a round."`
	Auth     string        `enum:"trusted,token" default:"trusted" help:"trusted: ids in bodies are believed. token: each request brings a token, signed by this program with the key that it gives to the API."`
	Quick    bool          `help:"Run everything tiny, in 60 s: one round, windows of 200 ms, small rosters. It shows that all works; its figures mean nothing."`
	Out      string        `type:"path" placeholder:"DIR" help:"Folder for the table (results.md), the raw numbers (results.json) and the plots (*.svg). Scenarios that do not run keep what is there. By default only the table is printed."`
	Verbose  bool          `help:"Say what each round gave."`
}

func main() { process.Main(run) }

func run(ctx context.Context, env process.Env) error {
	var c config
	line, err := process.Parse(&c, env, "bench", "Measures Event.io under load against baselines in the same run.")
	if err != nil {
		return err
	}
	if strings.HasPrefix(line.Command, "role") {
		return c.Role.Play(ctx, env)
	}
	chosen, err := c.Measure.resolve()
	if err != nil {
		return err
	}
	return measure(ctx, c.Measure, chosen, env.Stdout)
}

// resolve checks the flags and finds the scenarios.
func (s *settings) resolve() ([]scenario, error) {
	if s.Rounds < 1 {
		return nil, process.Usage("--rounds: want at least 1")
	}
	if s.Window < 100*time.Millisecond {
		return nil, process.Usage("--window: want at least 100ms")
	}
	if s.Quick {
		s.Rounds, s.Window = 1, 200*time.Millisecond
		if s.Out != "" {
			return nil, process.Usage("--quick with --out: its figures mean nothing, so they are not written")
		}
	}
	all := scenarios()
	if len(s.Scenario) == 0 {
		return all, nil
	}
	var chosen []scenario
	for _, name := range s.Scenario {
		found := false
		for _, sc := range all {
			if strings.EqualFold(sc.name, name) {
				chosen, found = append(chosen, sc), true
			}
		}
		if !found {
			return nil, process.Usage("--scenario: there is no %q; there are %s", name, named())
		}
	}
	return chosen, nil
}

// measure runs the scenarios and reports.
func measure(ctx context.Context, s settings, chosen []scenario, out io.Writer) (err error) {
	started := time.Now()
	b, err := open(ctx, s, out)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.close()) }()
	all := report.Report{Machine: report.Machine()}
	var broken []error
	for i, sc := range chosen {
		b.say("%s (%d of %d): %s", sc.name, i+1, len(chosen), sc.title)
		result, err := b.run(ctx, sc)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			err = fmt.Errorf("%s: %w", sc.name, err)
			b.say("FAILED: %v", err)
			broken = append(broken, err)
			continue
		}
		all.Scenarios = append(all.Scenarios, result)
		if s.Out != "" { // a long run that is cut short keeps what it has
			if err := report.Write(s.Out, all); err != nil {
				return err
			}
		}
	}
	fmt.Fprintf(out, "\n%s\n", all.Table())
	b.say("done in %v", time.Since(started).Round(time.Second))
	return errors.Join(broken...)
}

// self is this program, which plays all roles.
func self() (string, error) {
	path, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("find this program: %w", err)
	}
	return path, nil
}
