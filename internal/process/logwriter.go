package process

import (
	"io"
	"runtime"
	"sync"
)

// maxUnwritten bounds what a slow log may keep in memory, in bytes. Whoever logs beyond it
// waits.
const maxUnwritten = 1 << 20

// logWriter writes the lines that come while a write is under way as one: under load a line
// does not cost a system call. There is no timer: a line that comes alone is written at
// once. It is safe for concurrent use.
type logWriter struct {
	out io.Writer

	mu      sync.Mutex // guards all below
	change  sync.Cond  // signalled when pending shrinks and when writing ends
	pending []byte
	spare   []byte // what was pending before, to be used again
	writing bool
	err     error // of the last write
}

func newLogWriter(out io.Writer) *logWriter {
	w := &logWriter{out: out}
	w.change.L = &w.mu
	return w
}

// Write takes lines. An error is that of an earlier write.
func (w *logWriter) Write(lines []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for len(w.pending) > maxUnwritten {
		w.change.Wait()
	}
	w.pending = append(w.pending, lines...)
	if !w.writing {
		w.writing = true
		go w.drain()
	}
	return len(lines), w.err
}

// drain writes until nothing is pending.
func (w *logWriter) drain() {
	for {
		runtime.Gosched() // whoever is about to log shares the write
		w.mu.Lock()
		if len(w.pending) == 0 {
			w.writing = false
			w.change.Broadcast()
			w.mu.Unlock()
			return
		}
		lines := w.pending
		w.pending, w.spare = w.spare[:0], nil
		w.change.Broadcast()
		w.mu.Unlock()
		_, err := w.out.Write(lines)
		w.mu.Lock()
		w.spare, w.err = lines, err
		w.mu.Unlock()
	}
}

// flush returns when all is written.
func (w *logWriter) flush() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for w.writing {
		w.change.Wait()
	}
}
