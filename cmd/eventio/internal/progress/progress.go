// Package progress shows how far a long command is.
package progress

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/mattn/go-isatty"
	"github.com/schollz/progressbar/v3"
)

// Interval is the pause between two lines about progress when there is no terminal.
const Interval = 5 * time.Second

// Bar is a bar on a terminal, and elsewhere a line each Interval. It is safe for concurrent
// use.
type Bar struct {
	what string
	bar  *progressbar.ProgressBar // nil without a terminal

	mu      sync.Mutex // guards all below
	out     io.Writer
	done    int64
	all     int64
	printed time.Time // the last line
}

// New makes the bar of a command that goes through about all records; what says in a few
// words what it does. New shows nothing yet.
func New(out io.Writer, what string, all int64) *Bar {
	b := &Bar{what: what, out: out, all: max(all, 1), printed: time.Now()}
	if f, ok := out.(*os.File); ok && isatty.IsTerminal(f.Fd()) {
		b.bar = progressbar.NewOptions64(b.all, progressbar.OptionSetWriter(f), progressbar.OptionSetDescription(what),
			progressbar.OptionShowCount(), progressbar.OptionShowIts(), progressbar.OptionThrottle(100*time.Millisecond),
			progressbar.OptionClearOnFinish())
	}
	return b
}

// Add counts n more records as done.
func (b *Bar) Add(n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.done += int64(n)
	if b.bar != nil {
		_ = b.bar.Set64(min(b.done, b.all)) // an estimate that was too low leaves the bar at its end
		return
	}
	if time.Since(b.printed) >= Interval {
		b.printed = time.Now()
		fmt.Fprintf(b.out, "%s: %d of about %d\n", b.what, b.done, max(b.all, b.done))
	}
}

// Grow says anew how many records there are in all.
func (b *Bar) Grow(all int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.all = max(all, 1)
	if b.bar != nil {
		b.bar.ChangeMax64(b.all)
	}
}

// Println writes a line to out, above the bar if both are on one terminal.
func (b *Bar) Println(out io.Writer, line string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.bar != nil {
		_ = b.bar.Clear()
	}
	fmt.Fprintln(out, line)
}

// Finish takes the bar away.
func (b *Bar) Finish() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.bar != nil {
		_ = b.bar.Finish()
		_ = b.bar.Clear()
	}
}
