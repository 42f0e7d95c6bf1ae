package process

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"testing"
)

// slow is a log that takes nothing until it is released.
type slow struct {
	release chan struct{}
	writes  int
	got     bytes.Buffer
}

func (s *slow) Write(p []byte) (int, error) {
	<-s.release
	s.writes++
	return s.got.Write(p)
}

func TestLinesThatComeTogetherAreWrittenTogether(t *testing.T) {
	out := &slow{release: make(chan struct{})}
	w := newLogWriter(out)
	const writers, each = 8, 100
	var all sync.WaitGroup
	for i := range writers {
		all.Go(func() {
			for j := range each {
				if _, err := fmt.Fprintf(w, "%d %d\n", i, j); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait() // nobody waits for the log
	close(out.release)
	w.flush()
	if out.writes > 2 {
		t.Errorf("%d writes, want 2 at most: what came before the first, and what came meanwhile", out.writes)
	}
	next := make([]int, writers)
	for line := range strings.Lines(out.got.String()) {
		var i, j int
		if _, err := fmt.Sscanf(line, "%d %d\n", &i, &j); err != nil {
			t.Fatalf("line %q: %v", line, err)
		}
		if j != next[i] {
			t.Fatalf("writer %d's line %d comes before line %d", i, j, next[i])
		}
		next[i]++
	}
	for i, n := range next {
		if n != each {
			t.Errorf("%d lines of writer %d, want %d", n, i, each)
		}
	}
}

func TestASlowLogHoldsUpWhoeverFloodsIt(t *testing.T) {
	out := &slow{release: make(chan struct{})}
	w := newLogWriter(out)
	const lines = 12
	line := bytes.Repeat([]byte("x"), maxUnwritten)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range lines {
			_, _ = w.Write(line) // slow never fails
		}
	}()
	for range 3 { // each write lets at most two lines more into memory
		select {
		case <-done:
			t.Fatal("everything is in memory")
		case out.release <- struct{}{}:
		}
	}
	close(out.release)
	<-done
	w.flush()
	if out.got.Len() != lines*len(line) {
		t.Errorf("%d bytes are written, want %d", out.got.Len(), lines*len(line))
	}
}
