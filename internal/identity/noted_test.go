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

// slowUsers is a store that nobody is in, and that takes a millisecond for each answer.
type slowUsers struct{ created atomic.Int64 }

func (*slowUsers) User(context.Context, store.ID) (store.User, error) {
	time.Sleep(time.Millisecond)
	return store.User{}, store.ErrUserNotFound
}

func (*slowUsers) ErasedAt(context.Context, store.ID) (time.Time, error) {
	time.Sleep(time.Millisecond)
	return time.Time{}, nil
}

func (u *slowUsers) CreateUser(context.Context, store.User) error {
	time.Sleep(time.Millisecond)
	u.created.Add(1)
	return nil
}

// TestNotingGivesWay: while seats are asked for people are noted at a tenth of the pace, and nobody is forgotten.
func TestNotingGivesWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		users := &slowUsers{}
		n := NewNoter(users, zerolog.Nop())
		defer n.Close()
		var busy atomic.Bool
		busy.Store(true)
		n.GiveWay(busy.Load)
		const people = 1000
		for range people {
			n.Note(store.NewID(), Profile{Name: "Ada"})
		}
		const each = 3 * time.Millisecond
		time.Sleep(10*(1+notedRest)*each - each)
		synctest.Wait()
		if got := users.created.Load(); got != 10*notedAtOnce {
			t.Errorf("while others are busy %d are noted, want %d", got, 10*notedAtOnce)
		}
		busy.Store(false)
		time.Sleep(notedRest*each + people/notedAtOnce*each)
		synctest.Wait()
		if got := users.created.Load(); got != people {
			t.Errorf("at last %d of %d are noted", got, people)
		}
	})
}
