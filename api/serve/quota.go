package serve

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/eventio/eventio/internal/fairqueue"
	"github.com/eventio/eventio/internal/security"
	"github.com/eventio/eventio/pkg/messages"
	"github.com/eventio/eventio/pkg/store"
)

// Quotas bound what is stored for somebody in a day of UTC, together by all API processes over a
// database. They hold where gate.Config.RateLimits are on. A field that is 0 has its default, and one
// below 0 bounds nothing.
type Quotas struct {
	// Events and EventBytes bound the events that a person creates, and the size of their texts,
	// edits included: each event or edit counts as eventOverhead bytes more. Defaults 200 and 4 MiB.
	Events, EventBytes int64
	// SignUps bounds the sign-ups from a network: an IPv4 /24 or an IPv6 /48. Default 100.
	SignUps int64
	// Webhooks bounds the webhooks that a person creates. Default 50.
	Webhooks int64
	// Keys bounds the API keys that a person creates. Default 100.
	Keys int64
}

// The defaults of Quotas.
const (
	DefaultEvents     = 200
	DefaultEventBytes = 4 << 20
	DefaultSignUps    = 100
	DefaultWebhooks   = 50
	DefaultKeys       = 100
)

// eventOverhead is what an event or an edit takes beside its texts, about, in bytes.
const eventOverhead = 512

// The kinds of quotas. They are stored: never rename, never reuse.
const (
	quotaEvents     = "events"
	quotaEventBytes = "event_bytes"
	quotaSignUps    = "sign_ups"
	quotaWebhooks   = "webhooks"
	quotaMails      = "mails"
	quotaKeys       = "keys"
)

// networkMails and personMails are how many mails a network and a person may ask for in a day.
const networkMails, personMails = 200, 20

// TextBytes returns how many bytes an event or an edit with these texts takes, about.
func TextBytes(texts ...string) int64 {
	n := eventOverhead
	for _, t := range texts {
		n += len(t)
	}
	return int64(n)
}

// UseEvents counts events and bytes of a person. It fails with *store.QuotaError.
func (a *Core) UseEvents(ctx context.Context, r *Request, person store.ID, events, bytes int64) error {
	q := a.Config.Quotas
	return a.use(ctx, r, "person "+person.Hex(),
		quota(quotaEvents, events, q.Events, DefaultEvents), quota(quotaEventBytes, bytes, q.EventBytes, DefaultEventBytes))
}

// UseSignUp counts a sign-up from the client's network. It fails with *store.QuotaError.
func (a *Core) UseSignUp(ctx context.Context, r *Request) error {
	network := fairqueue.Network(a.Gate.Client(r.Request))
	return a.use(ctx, r, "network "+network.String(), quota(quotaSignUps, 1, a.Config.Quotas.SignUps, DefaultSignUps))
}

// UseWebhook counts a webhook that a person creates. It fails with *store.QuotaError.
func (a *Core) UseWebhook(ctx context.Context, r *Request, person store.ID) error {
	return a.use(ctx, r, "person "+person.Hex(), quota(quotaWebhooks, 1, a.Config.Quotas.Webhooks, DefaultWebhooks))
}

// UseKey counts an API key that a person creates. It fails with *store.QuotaError.
func (a *Core) UseKey(ctx context.Context, r *Request, person store.ID) error {
	return a.use(ctx, r, "person "+person.Hex(), quota(quotaKeys, 1, a.Config.Quotas.Keys, DefaultKeys))
}

// UseMail counts a mail that the client's network asks for. It fails with *store.QuotaError.
func (a *Core) UseMail(ctx context.Context, r *Request) error {
	network := fairqueue.Network(a.Gate.Client(r.Request))
	return a.use(ctx, r, "network "+network.String(), quota(quotaMails, 1, 0, networkMails))
}

// UseOwnMail counts a mail that a person asks for. It fails with *store.QuotaError.
func (a *Core) UseOwnMail(ctx context.Context, r *Request, person store.ID) error {
	return a.use(ctx, r, "person "+person.Hex(), quota(quotaMails, 1, 0, personMails))
}

// quota makes an amount of a kind, with the limit as it is configured.
func quota(kind string, amount, limit, otherwise int64) store.QuotaAmount {
	if limit == 0 {
		limit = otherwise
	}
	return store.QuotaAmount{Kind: kind, Amount: amount, Limit: limit}
}

// use counts amounts of somebody, but for those that are not bounded. It fails with *store.QuotaError,
// and tells the log of the first one for somebody in a day.
func (a *Core) use(ctx context.Context, r *Request, subject string, amounts ...store.QuotaAmount) error {
	u := store.QuotaUse{Subject: subject, At: time.Now()}
	for _, amount := range amounts {
		if amount.Limit > 0 && amount.Amount > 0 {
			u.Amounts = append(u.Amounts, amount)
		}
	}
	if !a.Config.Access.RateLimits || len(u.Amounts) == 0 {
		return nil
	}
	err := a.Store.UseQuota(ctx, u)
	if used, ok := errors.AsType[*store.QuotaError](err); ok && a.told.first(used) {
		a.Tell(r, security.QuotaUsedUp, messages.ActorPerson, security.About{Reason: used.Kind})
	}
	return err
}

// toldQuotas remembers of which quotas the log was told. It is safe for concurrent use.
type toldQuotas struct {
	mu   sync.Mutex // guards told
	told map[store.QuotaError]bool
}

// maxTold bounds a toldQuotas; when it is full, it forgets all, and some are told twice.
const maxTold = 4096

// first reports whether this is the first time for the quota and its day.
func (t *toldQuotas) first(e *store.QuotaError) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.told[*e] {
		return false
	}
	if t.told == nil || len(t.told) >= maxTold {
		t.told = make(map[store.QuotaError]bool)
	}
	t.told[*e] = true
	return true
}
