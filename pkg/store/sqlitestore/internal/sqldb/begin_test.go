package sqldb

import (
	"context"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// TestWhoWritesSeldomHasItsTurn: beside somebody who has the lock of the file all but some microseconds of the time.
func TestWhoWritesSeldomHasItsTurn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	greedy, seldom := openTableAt(t, path), openAt(t, path)
	ctx, stop := context.WithCancel(t.Context())
	var all sync.WaitGroup
	defer all.Wait()
	defer stop()
	began := make(chan struct{})
	all.Go(func() {
		once := sync.OnceFunc(func() { close(began) })
		for ctx.Err() == nil {
			tx, err := greedy.BeginTx(context.WithoutCancel(ctx), nil)
			if err != nil {
				t.Errorf("who writes all the time: %v", err)
				return
			}
			once()
			time.Sleep(5 * time.Millisecond) // of work
			if err := tx.Commit(); err != nil {
				t.Error(err)
				return
			}
		}
	})
	<-began
	for range 60 {
		tx, err := seldom.BeginTx(t.Context(), nil)
		if err != nil {
			t.Fatalf("who writes seldom: %v", err)
		}
		if err := tx.Rollback(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestAnInterruptedWaitForTheLock ends at once.
func TestAnInterruptedWaitForTheLock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	holder, waiting := openTableAt(t, path), openAt(t, path)
	tx, err := holder.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback() }()
	ctx, stop := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer stop()
	began := time.Now()
	if _, err := waiting.BeginTx(ctx, nil); err == nil {
		t.Error("two have the lock")
	}
	if took := time.Since(began); took > BusyTimeout/2 {
		t.Errorf("it waits for %v after its end", took)
	}
}
