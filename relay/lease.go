package relay

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/eventio/eventio/internal/wait"
	"github.com/eventio/eventio/pkg/store"
)

// Holding says which lease is taken, by whom, and how long it lasts without being renewed.
type Holding struct {
	Consumer, Owner string
	Length          time.Duration
}

// Held is a lease that this process holds. It is safe for concurrent use.
type Held struct {
	store  store.Consumers
	lease  store.Lease
	length time.Duration

	mu    sync.Mutex // guards until
	until time.Time  // when it ends at the earliest, by this process's clock
}

// Position returns where the consumer was when the lease was taken.
func (h *Held) Position() store.Position { return h.lease.Position }

// StorePosition stores how far the consumer has come, also when ctx has ended: what was told is not to be
// told again. The store refuses it when the lease is lost.
func (h *Held) StorePosition(ctx context.Context, to store.Position) error {
	return h.keep(context.WithoutCancel(ctx), func(ctx context.Context) error { return h.store.StorePosition(ctx, h.lease, to, h.length) })
}

// keep makes a call that renews the lease. The lease counts from before the call.
func (h *Held) keep(ctx context.Context, call func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	begun := time.Now()
	err := call(ctx)
	if err == nil {
		h.mu.Lock()
		defer h.mu.Unlock()
		if until := begun.Add(h.length); until.After(h.until) {
			h.until = until
		}
	}
	return err
}

// left returns how long the lease is surely held.
func (h *Held) left() time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	return time.Until(h.until)
}

// Hold takes a lease and calls work while it is held. The context of work ends when the lease is lost,
// before it ends in the store. Hold returns what work returns, after it has ended the lease, or why the
// lease cannot be taken: store.ErrLeaseHeld, store.ErrConsumerNotFound.
func Hold(ctx context.Context, st store.Consumers, of Holding, work func(context.Context, *Held) error) error {
	h := &Held{store: st, length: of.Length, until: time.Now().Add(of.Length)}
	taking, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	var err error
	if h.lease, err = st.TakeLease(taking, of.Consumer, of.Owner, of.Length); err != nil {
		return err
	}
	working, stop := context.WithCancelCause(ctx)
	var renewing sync.WaitGroup
	renewing.Go(func() { stop(h.renew(working)) })
	err = work(working, h)
	if lost := context.Cause(working); lost != nil && ctx.Err() == nil {
		err = errors.Join(lost, err)
	}
	stop(nil)
	renewing.Wait()
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), callLimit)
	defer cancel()
	_ = st.EndLease(ending, h.lease) // it ends by itself
	return err
}

// renew renews the lease until ctx ends, and returns when it is lost, or may soon be.
func (h *Held) renew(ctx context.Context) error {
	margin := h.length / 5 // what is under way has this time to end
	for every := h.length / 3; ; {
		wait.For(ctx, min(every, max(h.left()-margin, 0)))
		if ctx.Err() != nil {
			return ctx.Err()
		}
		err := h.keepUntil(ctx, margin)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, store.ErrLeaseLost), h.left() <= margin:
			return store.ErrLeaseLost
		case err != nil:
			every = h.length / 20
		default:
			every = h.length / 3
		}
	}
}

// keepUntil renews the lease, and gives up when only the margin of it is left.
func (h *Held) keepUntil(ctx context.Context, margin time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, max(h.left()-margin, 0))
	defer cancel()
	return h.keep(ctx, func(ctx context.Context) error { return h.store.RenewLease(ctx, h.lease, h.length) })
}
