// Command mutate finds out what the tests of a package do not look at. It changes the package's
// code in one place at a time, builds the tests with that, and runs them: tests that pass all the
// same have missed something, or the change means nothing.
//
//	go run -C tools ./mutate pkg/messages
//
// What survives is printed, and the program ends with 1, unless docs/mutations.md explains it.
// The files themselves are never touched: a change reaches the compiler by go build's -overlay.
// A mutant that makes a test hang is killed like one that makes it fail. One that a test kills
// only because the machine was busy hides: run it again on a quiet one.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
)

// plan says which tests judge a package.
type plan struct {
	tests []tests // the quickest first
	// slow are tests that only those mutants meet which all others let pass.
	slow string
}

// tests are those of a package, or only some of them.
type tests struct{ pkg, only string }

// plans has the packages whose tests alone do not judge them, or are slow.
func plans() map[string]plan {
	return map[string]plan{
		// The decision is compared with its model in the conformance suite.
		"pkg/store": {tests: []tests{{"pkg/store", ""}, {"pkg/store/sqlitestore", "TestConformance|TestTools"}}},
		// What packs, searches and proves is judged by what a store does with it, too.
		"pkg/store/changes":                     {tests: []tests{{"pkg/store/changes", ""}, {"pkg/store/sqlitestore", "TestConformance|TestTools"}}},
		"pkg/store/search":                      {tests: []tests{{"pkg/store/search", ""}, {"pkg/store/sqlitestore", "TestConformance"}}},
		"pkg/store/verify":                      {tests: []tests{{"pkg/store/verify", ""}, {"pkg/store/sqlitestore", "TestTools"}}},
		"pkg/store/outbox":                      {tests: []tests{{"pkg/store/outbox", ""}, {"pkg/store/sqlitestore", "TestOutbox"}}},
		"pkg/store/sqlitestore/internal/people": {tests: []tests{{"pkg/store/sqlitestore", "TestConformance|TestTools|TestAddresses|Quotas"}}},
		"pkg/store/mongostore/internal/people":  {tests: []tests{{"pkg/store/mongostore", "TestConformance|TestTools|TestAddresses|TestALogin|Quotas"}}},
		"pkg/messages":                          {tests: []tests{{"pkg/messages", ""}}, slow: "Frozen|Credentials|Password|Permission|Certificate|Hangs|Subscription|Reconnect|Drained|Payload|WhoseTheyAre|WithoutAServer|Strangers|VersionBefore|WhyThereIsNo|TestRequester|Forger|NoAttempt|DoNotMeet|PingsAgain|LostConnection"},
		"pkg/messages/internal/rendezvous":      {tests: []tests{{"pkg/messages/internal/rendezvous", ""}, {"pkg/messages", "ItsShare|ItsWorker|EventsAreShared|FollowTheWorkers|GoesElsewhere|IsForgotten"}}},
		"worker":                                {tests: []tests{{"worker", ""}}, slow: "EachDatabase|Readiness|Replaced|OneForgedTime|AnOldMessage"},
	}
}

type options struct {
	root    string
	limit   time.Duration
	seed    uint64
	files   string
	changes string
	verbose bool
	quick   bool
	workers int
}

func main() {
	var o options
	flag.StringVar(&o.root, "root", "..", "the repository")
	flag.DurationVar(&o.limit, "limit", 15*time.Minute, "stop after this long; 0: never")
	flag.Uint64Var(&o.seed, "seed", uint64(time.Now().Unix()), "the order, so that a run that was stopped can be repeated")
	flag.StringVar(&o.files, "files", ".", "only files whose name matches this regular expression")
	flag.StringVar(&o.changes, "changes", ".", "only changes that match this regular expression")
	flag.BoolVar(&o.verbose, "v", false, "print each mutant")
	flag.BoolVar(&o.quick, "quick", false, "run only the quickest tests of the plan: a first look, whose survivors others may kill")
	flag.IntVar(&o.workers, "workers", 2, "how many are tried at once")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	err := errors.New("name a package, such as pkg/store")
	if flag.NArg() == 1 {
		err = run(ctx, o, strings.TrimPrefix(filepath.Clean(flag.Arg(0)), "./"))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		stop()
		os.Exit(1)
	}
}

// run tries the mutants of a package. It fails when one survives that is not explained.
func run(ctx context.Context, o options, pkg string) error {
	all, err := find(o, pkg)
	if err != nil {
		return err
	}
	explained, err := read(filepath.Join(o.root, "docs", "mutations.md"), pkg)
	if err != nil {
		return err
	}
	p, ok := plans()[pkg]
	if !ok {
		p.tests = []tests{{pkg, ""}}
	}
	if o.quick {
		p.tests = p.tests[:1]
	}
	j, err := newJudge(ctx, o.root, p, o.quick)
	if err != nil {
		return err
	}
	defer j.close()
	if o.limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, o.limit)
		defer cancel()
	}
	rand.New(rand.NewPCG(o.seed, 0)).Shuffle(len(all), func(i, k int) { all[i], all[k] = all[k], all[i] })
	var mu sync.Mutex // guards count and survivors
	count := make(map[verdict]int)
	var survivors []mutant
	jobs := make(chan mutant)
	var crowd sync.WaitGroup
	for range o.workers {
		crowd.Go(func() {
			for m := range jobs {
				v := j.try(ctx, m)
				mu.Lock()
				if v == survived && explained[m.place()+": "+m.change()] {
					v = equivalent
				}
				count[v]++
				if v == survived {
					survivors = append(survivors, m)
				}
				if v == survived || o.verbose {
					fmt.Printf("%-10s %s:%d %s: %s\n", v, m.file, m.line, m.function, m.change())
				}
				mu.Unlock()
			}
		})
	}
	left := len(all)
	for _, m := range all {
		if ctx.Err() != nil {
			break
		}
		jobs <- m
		left--
	}
	close(jobs)
	crowd.Wait()
	fmt.Printf("%s: %d mutants: %d killed, %d survived, %d explained, %d do not build, %d not tried (seed %d)\n",
		pkg, len(all), count[killed], len(survivors), count[equivalent], count[unbuilt], left+count[stopped], o.seed)
	if len(survivors) > 0 {
		return fmt.Errorf("%d mutants survived", len(survivors))
	}
	return nil
}

// find makes the mutants of a package's files.
func find(o options, pkg string) ([]mutant, error) {
	wanted, err := regexp.Compile(o.files)
	if err != nil {
		return nil, err
	}
	changes, err := regexp.Compile(o.changes)
	if err != nil {
		return nil, err
	}
	names, err := filepath.Glob(filepath.Join(o.root, pkg, "*.go"))
	if err != nil {
		return nil, err
	}
	var all []mutant
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") || !wanted.MatchString(filepath.Base(name)) {
			continue
		}
		path, err := filepath.Abs(name)
		if err != nil {
			return nil, err
		}
		some, err := mutants(path)
		if err != nil {
			return nil, err
		}
		all = append(all, slices.DeleteFunc(some, func(m mutant) bool {
			return !changes.MatchString(m.function + ": " + m.change())
		})...)
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("nothing to change in %s", pkg)
	}
	return all, nil
}

// read reads the rows that explain survivors of a package: | place | mutation | why |, below
// a heading that is the package's path.
func read(path, pkg string) (map[string]bool, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	explained := make(map[string]bool)
	here := false
	for line := range strings.Lines(string(data)) {
		if heading, ok := strings.CutPrefix(line, "## "); ok {
			here = strings.Trim(heading, "`\n ") == pkg
		}
		cells := strings.Split(strings.ReplaceAll(line, `\|`, "\x00"), "|")
		if !here || len(cells) != 5 {
			continue
		}
		cell := func(i int) string {
			return strings.ReplaceAll(strings.Trim(cells[i], "` "), "\x00", "|")
		}
		explained[cell(1)+": "+cell(2)] = true
	}
	return explained, nil
}
