package crowd

import (
	"context"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/eventio/eventio/internal/identity"
	"github.com/eventio/eventio/loadtest/load"
	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/apikeys"
)

const (
	// programsAtOnce is how many keys are made at a time, on programConnections connections.
	programsAtOnce     = 1000
	programConnections = 32
)

// Programs have an API key each, which are made once. It is for one caller at a time.
type Programs struct {
	store apikeys.Store
	made  []load.Request
}

// NewPrograms returns those that have their keys in a store.
func NewPrograms(s apikeys.Store) *Programs { return &Programs{store: s} }

// Request returns that of the n-th program, which acts for a person of its own.
func (p *Programs) Request(ctx context.Context, n int) (load.Request, error) {
	for n >= len(p.made) {
		more := make([]load.Request, programsAtOnce)
		group, ctx := errgroup.WithContext(ctx)
		group.SetLimit(programConnections)
		for i := range more {
			group.Go(func() error {
				text, hash := identity.NewAPIKey()
				now := time.Now().UTC().Truncate(time.Millisecond)
				k := apikeys.Key{
					ID: store.NewID(), OwnerID: store.NewID(), Hash: hash, Name: "program", Scopes: identity.ScopeRegister.String(),
					CreatedAt: now, ExpiresAt: now.Add(identity.MaxLifetime),
				}
				more[i] = load.Request{Seat: load.Seat{User: k.OwnerID}, Token: text}
				return p.store.CreateAPIKey(ctx, k)
			})
		}
		if err := group.Wait(); err != nil {
			return load.Request{}, err
		}
		p.made = append(p.made, more...)
	}
	return p.made[n], nil
}
