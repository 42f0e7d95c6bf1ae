package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// verdict is what became of a mutant.
type verdict int

const (
	killed     verdict = iota // a test failed or hung
	survived                  // all tests passed
	equivalent                // it survived, and docs/mutations.md says why
	unbuilt                   // it does not compile
	stopped                   // the time was up
)

func (v verdict) String() string {
	return [...]string{"killed", "survived", "explained", "unbuilt", "stopped"}[v]
}

const (
	// patience is how many times as long as without a change tests may take; leastLimit is what
	// they may take at least.
	patience   = 3
	leastLimit = 10 * time.Second
	// firstLimit is what they may take without a change.
	firstLimit = 5 * time.Minute
)

// judge runs tests against mutants. It is safe for concurrent use.
type judge struct {
	root, dir string
	plan      plan
	stages    [][]string        // arguments of a test binary: first what is quick, then what is slow
	limits    [][]time.Duration // by stage and tests of the plan: what they may take
	quiet     []bool            // by tests of the plan: they use rapid, which keeps what failed in files
}

// newJudge makes sure that the tests pass without a change, and finds out how long they take. quick leaves
// out the slow ones.
func newJudge(ctx context.Context, root string, p plan, quick bool) (*judge, error) {
	root, err := filepath.Abs(root)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "mutate")
	if err != nil {
		return nil, err
	}
	j := &judge{root: root, dir: dir, plan: p, stages: [][]string{nil}}
	if p.slow != "" {
		j.stages = [][]string{{"-test.skip", p.slow}, {"-test.run", p.slow}}
	}
	if quick {
		j.stages = j.stages[:1]
	}
	j.limits = make([][]time.Duration, len(j.stages))
	for i := range p.tests {
		if err := j.measure(ctx, i); err != nil {
			j.close()
			return nil, fmt.Errorf("without any change the tests of %s fail: %w", p.tests[i].pkg, err)
		}
	}
	return j, nil
}

// measure runs tests of the plan without a change.
func (j *judge) measure(ctx context.Context, i int) error {
	binary, err := j.build(ctx, j.dir, "", i)
	if err != nil {
		return err
	}
	// -h ends with an error and a list of the flags.
	usage, _ := exec.CommandContext(ctx, binary, "-h").CombinedOutput()
	j.quiet = append(j.quiet, bytes.Contains(usage, []byte("-rapid.nofailfile")))
	for stage, args := range j.stages {
		began := time.Now()
		if err := j.test(ctx, binary, i, firstLimit, args...); err != nil {
			return err
		}
		j.limits[stage] = append(j.limits[stage], max(leastLimit, patience*time.Since(began)))
	}
	return nil
}

func (j *judge) close() { _ = os.RemoveAll(j.dir) }

// try builds and runs the tests with a mutant.
func (j *judge) try(ctx context.Context, m mutant) verdict {
	dir, err := os.MkdirTemp(j.dir, "")
	if err != nil {
		return stopped
	}
	defer os.RemoveAll(dir)
	changed, overlay := filepath.Join(dir, "changed.go"), filepath.Join(dir, "overlay.json")
	replace, err := json.Marshal(map[string]map[string]string{"Replace": {m.file: changed}})
	if err == nil {
		err = os.WriteFile(changed, m.text, 0o600)
	}
	if err == nil {
		err = os.WriteFile(overlay, replace, 0o600)
	}
	if err != nil {
		return stopped
	}
	var binaries []string
	for stage, args := range j.stages {
		for i := range j.plan.tests {
			if stage == 0 { // not before it is needed
				binary, err := j.build(ctx, dir, overlay, i)
				switch {
				case ctx.Err() != nil:
					return stopped
				case err != nil:
					return unbuilt
				}
				binaries = append(binaries, binary)
			}
			err := j.test(ctx, binaries[i], i, j.limits[stage][i], args...)
			switch {
			case ctx.Err() != nil:
				return stopped
			case err != nil:
				return killed
			}
		}
	}
	return survived
}

// build makes the test binary of a package of the plan.
func (j *judge) build(ctx context.Context, dir, overlay string, i int) (binary string, err error) {
	binary = filepath.Join(dir, strconv.Itoa(i)+".test")
	args := []string{"test", "-c", "-vet=off", "-ldflags=-s -w", "-o", binary}
	if overlay != "" {
		args = append(args, "-overlay", overlay)
	}
	cmd := exec.CommandContext(ctx, "go", append(args, "./"+j.plan.tests[i].pkg)...)
	cmd.Dir = j.root
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the tests of %s: %w\n%s", j.plan.tests[i].pkg, err, out)
	}
	return binary, nil
}

// test runs a test binary in its package's folder. What it started ends with it.
func (j *judge) test(ctx context.Context, binary string, i int, limit time.Duration, args ...string) error {
	if only := j.plan.tests[i].only; only != "" {
		args = append(args, "-test.run", only)
	}
	if j.quiet[i] {
		args = append(args, "-rapid.nofailfile")
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, append([]string{"-test.failfast"}, args...)...)
	cmd.Dir = filepath.Join(j.root, j.plan.tests[i].pkg)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%w\n%s", err, out)
	}
	return nil
}
