package webhooks

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/rs/zerolog"

	"github.com/eventio/eventio/api/wire"
	"github.com/eventio/eventio/internal/telemetry/measure"
	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/changes"
	"github.com/eventio/eventio/pkg/store/hooks"
)

// delivery calls one webhook, whose lease this process holds.
type delivery struct {
	*Caller
	id     store.ID
	ending <-chan struct{} // closed when the process ends
	log    zerolog.Logger
	// told is how many items of the first row that an event's mark has not passed were told: a row may
	// have more than one call takes. When the process dies, they are told again.
	told map[store.ID]int
	last store.ID // the event that was told of last: the others come first
}

// errNoSlot means that too many webhooks are called whose calls fail.
var errNoSlot = errors.New("too many webhooks fail")

// run calls the webhook until it was told everything, or a call fails.
func (d *delivery) run(ctx context.Context) error {
	for ctx.Err() == nil {
		select {
		case <-d.ending:
			return nil
		default:
		}
		more, err := d.round(ctx)
		if err != nil || !more {
			return err
		}
	}
	return ctx.Err()
}

func (d *delivery) read(ctx context.Context) (store.Webhook, error) {
	ctx, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	return d.store.Webhook(ctx, d.id)
}

// round makes one call, if there is something to tell, and reports whether there may be more.
func (d *delivery) round(ctx context.Context) (more bool, err error) {
	b, err := d.collect(ctx)
	if err != nil || len(b.marks) == 0 && b.test == nil {
		return false, err
	}
	w, err := d.read(ctx) // after its marks: a mark may ask for what the webhook says, see hooks.Ask
	if err != nil || !w.Active || time.Now().Before(w.NextAt) {
		return false, err
	}
	if b.replay != nil { // it moves the other marks
		err := d.rewind(ctx, w)
		if err == nil {
			err = d.within(ctx, func(ctx context.Context) error { return d.store.ToldWebhook(ctx, *b.replay, b.replay.Due) })
		}
		return err == nil, err
	}
	if w.Failures > 0 && (b.test != nil || len(b.changes) > 0) {
		select {
		case d.slow <- struct{}{}:
			defer func() { <-d.slow }()
		default:
			return false, errNoSlot
		}
	}
	if b.test != nil {
		a := d.call(ctx, w, newTest(w))
		if ctx.Err() != nil {
			return false, ctx.Err()
		}
		// At once: if it waited for what follows, it would come again with each call that fails.
		err := d.within(ctx, func(ctx context.Context) error { return d.store.ToldWebhook(ctx, *b.test, b.test.Due) })
		if err == nil {
			err = d.keep(ctx, a.call)
		}
		if err != nil {
			return false, err
		}
	}
	if len(b.changes) > 0 {
		a := d.call(ctx, w, newMessage(w, b.changes))
		if ctx.Err() != nil { // the lease is lost, or the process ends: the next holder calls again
			return false, ctx.Err()
		}
		if err := d.keep(ctx, a.call); err != nil {
			return false, err
		}
		if err := d.settle(ctx, w, a); err != nil || !a.ok {
			return false, err
		}
	}
	return true, d.within(ctx, func(ctx context.Context) error {
		for _, m := range b.marks {
			if m.to > m.mark.Told {
				if err := d.store.ToldWebhook(ctx, m.mark, m.to); err != nil {
					return err
				}
			}
			d.told[m.mark.EventID] = m.items
			d.last = m.mark.EventID
		}
		return nil
	})
}

// call calls the webhook once.
func (d *delivery) call(ctx context.Context, w store.Webhook, m message) answer {
	begun := time.Now()
	a := send(ctx, d.client, w, m)
	if ctx.Err() == nil {
		d.stats.called(a, measure.Since(begun))
	}
	return a
}

// within bounds some calls of the store.
func (d *delivery) within(ctx context.Context, call func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	return call(ctx)
}

func (d *delivery) keep(ctx context.Context, call store.WebhookCall) error {
	return d.within(ctx, func(ctx context.Context) error { return d.store.KeepWebhookCall(ctx, d.id, call) })
}

// batch is what one call tells.
type batch struct {
	changes []wire.Change
	marks   []progress
	test    *store.WebhookMark
	replay  *store.WebhookMark
}

// progress is how far a batch leads the mark of an event: to a revision, and to so many items of the row
// after it.
type progress struct {
	mark  store.WebhookMark
	to    int64
	items int
}

// collect reads what is to be told next, of the events after the last one first.
func (d *delivery) collect(ctx context.Context) (b batch, err error) {
	err = d.within(ctx, func(ctx context.Context) error {
		marks, err := d.store.DueMarks(ctx, d.id, d.last, duePage)
		if err == nil && len(marks) == 0 && !d.last.IsZero() {
			d.last = store.ID{}
			marks, err = d.store.DueMarks(ctx, d.id, d.last, duePage)
		}
		if err != nil {
			return err
		}
		for _, m := range marks {
			switch m.EventID {
			case store.TestMark():
				b.test = &m
				continue
			case store.ReplayMark():
				b.replay = &m
				b.marks = append(b.marks, progress{m, m.Due, 0})
				continue
			}
			if len(b.changes) >= MaxChanges {
				break
			}
			p, err := d.collectEvent(ctx, m, &b)
			if err != nil {
				return err
			}
			b.marks = append(b.marks, p)
		}
		return nil
	})
	return b, err
}

// collectEvent adds the changes of an event, as far as there is room.
func (d *delivery) collectEvent(ctx context.Context, m store.WebhookMark, b *batch) (progress, error) {
	p := progress{m, m.Told, d.told[m.EventID]}
	for row, err := range d.store.EventChanges(ctx, m.EventID, m.Told, MaxChanges) {
		if err != nil {
			return p, err
		}
		items := changes.Items(row)
		for i := min(p.items, len(items)); i < len(items); i++ {
			if len(b.changes) == MaxChanges {
				return p, nil
			}
			b.changes = append(b.changes, wire.ChangeOf(row, items[i]))
			p.items++
		}
		p.to, p.items = row.Revision, 0
	}
	if p.to < m.Due && len(b.changes) < MaxChanges { // the record was removed
		p.to, p.items = m.Due, 0
	}
	return p, nil
}

// settle stores what a call means for the webhook.
func (d *delivery) settle(ctx context.Context, w store.Webhook, a answer) error {
	if a.ok && w.Failures == 0 {
		return nil
	}
	at := time.Now().UTC().Truncate(time.Millisecond)
	return d.within(ctx, func(ctx context.Context) error {
		then := w
		if d.judge(&then, a, at); !then.Active && d.config.SwitchOff != nil {
			if err := d.config.SwitchOff(ctx, then); err != nil {
				return err
			}
		}
		now, err := hooks.Edit(ctx, d.store, d.id, func(w *store.Webhook) error {
			d.judge(w, a, at)
			return nil
		})
		if err == nil && !now.Active && now.OffSince.Equal(at) {
			d.stats.switchedOff.Inc()
			d.log.Warn().Str("user_id", now.OwnerID.Hex()).Int("failures", now.Failures).Time("failing_since", now.FailingSince).
				Msg("a webhook was switched off, because its calls fail")
		}
		return err
	})
}

// judge changes a webhook by what became of a call.
func (d *delivery) judge(w *store.Webhook, a answer, now time.Time) {
	if a.ok {
		w.Failures, w.FailingSince, w.LastError, w.NextAt = 0, time.Time{}, "", time.Time{}
		return
	}
	w.Failures++
	w.LastError = a.call.Error
	if w.FailingSince.IsZero() {
		w.FailingSince = now
	}
	pause := d.config.FirstPause
	for range min(w.Failures-1, 20) {
		pause = min(2*pause, maxPause)
	}
	pause = max(pause/2+rand.N(pause), min(a.retryAfter, maxRetryAfter))
	w.NextAt = now.Add(pause).Truncate(time.Millisecond)
	if a.gone || now.Sub(w.FailingSince) >= d.config.GiveUp {
		w.Active, w.OffSince, w.NextAt = false, now, time.Time{}
	}
}
