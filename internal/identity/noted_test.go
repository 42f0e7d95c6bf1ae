package identity

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"github.com/eventio/eventio/pkg/store"
)

// slowPeople is a store that takes a millisecond for each person.
type slowPeople struct{ noted atomic.Int64 }

func (p *slowPeople) NotePeople(_ context.Context, people []store.User) error {
	time.Sleep(time.Duration(len(people)) * time.Millisecond)
	p.noted.Add(int64(len(people)))
	return nil
}

// TestNotingGivesWay: while seats are asked for people are noted at a quarter of the pace, and nobody is forgotten.
func TestNotingGivesWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		people := &slowPeople{}
		n := NewNoter(people, zerolog.Nop())
		defer n.Close()
		var busy atomic.Bool
		busy.Store(true)
		n.GiveWay(busy.Load)
		const came, batches, batch = 1000, 4, notedAtOnce * time.Millisecond
		for range came {
			n.Note(store.NewID(), Profile{Name: "Ada"})
		}
		time.Sleep(batches*(1+notedRest)*batch - batch)
		synctest.Wait()
		if got := people.noted.Load(); got < (batches-1)*notedAtOnce || got > batches*notedAtOnce {
			t.Errorf("while others are busy %d are noted, want %d", got, batches*notedAtOnce)
		}
		busy.Store(false)
		time.Sleep(notedRest*batch + came*time.Millisecond)
		synctest.Wait()
		if got := people.noted.Load(); got != came {
			t.Errorf("at last %d of %d are noted", got, came)
		}
	})
}
