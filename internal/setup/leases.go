package setup

import (
	"time"

	"github.com/eventio/eventio/internal/process"
	"github.com/eventio/eventio/pkg/store"
)

// Leases has the flag of a worker that lets API processes say for a while by themselves that an event is sold out.
type Leases struct {
	SoldOutLease time.Duration `env:"EVENTIO_SOLD_OUT_LEASE" default:"0s" help:"How long API processes may say by themselves, from memory, that an event is sold out, once a worker has told them so; at most 1s. A seat that is given up meanwhile is free when that time is over. 0: not at all. Only when no worker of a version before runs any more."`
}

// CheckLeases fails with process.ErrUsage when the flag cannot be meant.
func (l Leases) CheckLeases() error {
	if l.SoldOutLease == 0 {
		return nil
	}
	return process.InRange("--sold-out-lease", l.SoldOutLease, time.Millisecond, store.MaxLease)
}
