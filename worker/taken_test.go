package worker

import (
	"fmt"
	"testing"
	"time"
)

// TestAMessageIsTakenOnce: a copy of a message is noticed for a minute at least, and forgotten at some time.
func TestAMessageIsTakenOnce(t *testing.T) {
	now := time.Now()
	n := newTakenNames()
	if n.again("a", now) || n.again("b", now) {
		t.Error("a new message is taken for an old one")
	}
	for _, later := range []time.Duration{0, time.Second, takenWindow, takenWindow + time.Second} {
		if !n.again("a", now.Add(later)) {
			t.Errorf("its copy after %v is not noticed", later)
		}
	}
	if !n.again("b", now.Add(takenWindow)) {
		t.Error("a copy in the next window is not noticed")
	}
	if now = now.Add(10 * takenWindow); n.again("c", now) || n.again("d", now.Add(2*takenWindow)) || n.again("a", now.Add(4*takenWindow)) {
		t.Error("names are kept for ever")
	}
}

// TestTakenNamesAreBounded: a flood of messages takes little memory, and a copy that follows at once is still noticed.
func TestTakenNamesAreBounded(t *testing.T) {
	now := time.Now()
	n := newTakenNames()
	for i := range 3 * maxTaken {
		name := fmt.Sprint(i)
		if n.again(name, now) || !n.again(name, now) {
			t.Fatalf("message %d is not known", i)
		}
		if kept := len(n.names.current) + len(n.names.previous); kept > 2*maxTaken {
			t.Fatalf("%d names are kept", kept)
		}
	}
}
