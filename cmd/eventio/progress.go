package main

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/mattn/go-isatty"
	"github.com/schollz/progressbar/v3"
)

// progressInterval is how often a line about progress is written when there is no terminal.
const progressInterval = 5 * time.Second

// progress shows how far a long command is: a bar on a terminal, else a line every few
// seconds. It is safe for concurrent use.
type progress struct {
	what string
	bar  *progressbar.ProgressBar // nil without a terminal

	mu   sync.Mutex // guards all below
	out  io.Writer
	done int64
	all  int64
	said time.Time
}

// newProgress counts up to about `all` records.
func newProgress(out io.Writer, what string, all int64) *progress {
	p := &progress{what: what, out: out, all: max(all, 1), said: time.Now()}
	if f, ok := out.(*os.File); ok && isatty.IsTerminal(f.Fd()) {
		p.bar = progressbar.NewOptions64(p.all, progressbar.OptionSetWriter(f), progressbar.OptionSetDescription(what),
			progressbar.OptionShowCount(), progressbar.OptionShowIts(), progressbar.OptionThrottle(100*time.Millisecond),
			progressbar.OptionClearOnFinish())
	}
	return p
}

// add counts n records more.
func (p *progress) add(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done += int64(n)
	if p.bar != nil {
		_ = p.bar.Set64(min(p.done, p.all)) // the estimate may be short; the bar then waits at its end
		return
	}
	if time.Since(p.said) >= progressInterval {
		p.said = time.Now()
		fmt.Fprintf(p.out, "%s: %d of about %d\n", p.what, p.done, max(p.all, p.done))
	}
}

// above writes a line to out without tearing the bar.
func (p *progress) above(out io.Writer, line string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.bar != nil {
		_ = p.bar.Clear()
	}
	fmt.Fprintln(out, line)
}

// finish takes the bar away.
func (p *progress) finish() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.bar != nil {
		_ = p.bar.Finish()
		_ = p.bar.Clear()
	}
}
