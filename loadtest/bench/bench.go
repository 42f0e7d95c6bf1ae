package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/eventio/eventio/internal/testenv"
	"github.com/eventio/eventio/loadtest/crowd"
	"github.com/eventio/eventio/loadtest/report"
	"github.com/eventio/eventio/loadtest/role"
)

// scenario is one row, or a few, of the table.
type scenario struct {
	name, title string
	run         func(context.Context, *bench) error
}

// bench is a run of the program. What belongs to the scenario that runs is in the fields
// below the line.
type bench struct {
	settings
	out     io.Writer
	started time.Time
	dir     string // for data, logs and programs
	mongo   *testenv.Mongo
	admin   *mongo.Client
	crowd   *crowd.Crowd

	result report.Result
	atEnd  []func(context.Context) error // last first
	made   int                           // databases, whose names differ by it
	env    []string                      // more of the environment of api and worker processes
}

// open starts what all scenarios share.
func open(ctx context.Context, s settings, out io.Writer) (_ *bench, err error) {
	b := &bench{settings: s, out: out, started: time.Now()}
	if b.dir, err = os.MkdirTemp("", "eventio-bench-"); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, b.close())
		}
	}()
	if b.crowd, err = crowd.New(); err != nil {
		return nil, err
	}
	b.say("building api, worker and eventio")
	if err := testenv.Build(ctx, b.dir, "api", "worker", "eventio"); err != nil {
		return nil, err
	}
	b.say("starting mongod")
	// Half of a small machine's memory, which is the default there.
	if b.mongo, err = testenv.NewMongo(filepath.Join(b.dir, "mongo"), "--wiredTigerCacheSizeGB", "2"); err != nil {
		return nil, err
	}
	if b.admin, err = mongo.Connect(options.Client().ApplyURI(b.mongo.URI())); err != nil {
		return nil, fmt.Errorf("connect to MongoDB: %w", err)
	}
	return b, nil
}

// close ends what open began. The data is thrown away, so a kill will do for mongod.
func (b *bench) close() error {
	var err error
	if b.admin != nil {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		err = b.admin.Disconnect(ctx)
	}
	if b.mongo != nil {
		err = errors.Join(err, b.mongo.Kill())
	}
	return errors.Join(err, os.RemoveAll(b.dir))
}

// say tells how far the run is.
func (b *bench) say(format string, args ...any) {
	fmt.Fprintf(b.out, "%6.1fs  %s\n", time.Since(b.started).Seconds(), fmt.Sprintf(format, args...))
}

// run runs a scenario, then checks what it has stored, and ends its processes.
func (b *bench) run(ctx context.Context, sc scenario) (report.Result, error) {
	b.result = report.Result{
		Name: sc.name, Title: sc.title, Auth: b.Auth, Rounds: b.Rounds, Window: b.Window.String(),
		Date: time.Now().UTC().Format(time.DateOnly),
	}
	err := sc.run(ctx, b)
	b.tellFaults()
	// Processes are ended also when the run was interrupted.
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Minute)
	defer cancel()
	for _, end := range slices.Backward(b.atEnd) {
		err = errors.Join(err, end(ending))
	}
	b.atEnd, b.env = nil, nil
	return b.result, err
}

// role starts this program in that role, to the scenario's end.
func (b *bench) role(ctx context.Context, name string, args ...string) (*testenv.Program, string, error) {
	path, err := self()
	if err != nil {
		return nil, "", err
	}
	return b.start(ctx, name, exec.Command(path, append([]string{"role", name}, args...)...), role.Ready)
}

// start starts a process, to the scenario's end, and waits for the line of its output with that
// text; the address in it is returned.
func (b *bench) start(ctx context.Context, name string, cmd *exec.Cmd, text string) (*testenv.Program, string, error) {
	p, err := testenv.StartProgram(b.dir, name, cmd)
	if err != nil {
		return nil, "", err
	}
	b.atEnd = append(b.atEnd, func(context.Context) error { return p.Remove() })
	addr, err := p.Find(ctx, text)
	return p, addr, err
}

// database names a new database, which is dropped at the scenario's end.
func (b *bench) database() string {
	b.made++
	name := fmt.Sprintf("bench_%d", b.made)
	b.atEnd = append(b.atEnd, func(ctx context.Context) error { return b.admin.Database(name).Drop(ctx) })
	return testenv.WithDatabase(b.mongo.URI(), name)
}

// size is how much of something a scenario takes, or little of it in a quick run.
func (b *bench) size(full, quick int) int {
	if b.Quick {
		return quick
	}
	return full
}

// expected is more requests than are made in a window in token mode.
func (b *bench) expected() int { return int(30_000 * b.Window.Seconds()) }

// figures are what one load gave, by name; names end in the unit.
type figures map[string]float64

// arm is one of those that take turns.
type arm struct {
	name string
	run  func(context.Context) (figures, error)
}

// alternate lets the arms take turns, round by round, and keeps what each gave. One round
// comes before and does not count: it opens connections and fills caches.
func (b *bench) alternate(ctx context.Context, arms ...arm) error {
	first := 0
	if b.Quick {
		first = 1
	}
	for round := first; round <= b.Rounds; round++ {
		for _, a := range arms {
			got, err := a.run(ctx)
			if err != nil {
				return fmt.Errorf("%s: %w", a.name, err)
			}
			if b.Verbose {
				b.say("  round %d of %d  %-28s %v", round, b.Rounds, a.name, got)
			}
			if round > 0 {
				b.result.Keep(a.name, got)
			}
		}
		if !b.Verbose {
			b.say("  round %d of %d is done", round, b.Rounds)
		}
	}
	return nil
}

func (f figures) String() string {
	var parts []string
	for _, name := range []string{goodput, p50, p99, took} {
		if v, ok := f[name]; ok {
			parts = append(parts, fmt.Sprintf("%s %.4g", name, v))
		}
	}
	return strings.Join(parts, ", ")
}

// tellFaults adds a row for each arm that could not answer all: its other figures are of the
// rest.
func (b *bench) tellFaults() {
	for _, name := range slices.Sorted(maps.Keys(b.result.Raw)) {
		if b.result.Of(name, faults).Max > 0 {
			b.result.Judge(name, faults, report.Goal{})
		}
	}
}
