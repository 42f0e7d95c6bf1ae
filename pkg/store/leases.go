package store

import (
	"slices"
	"time"
)

// This file has the rules of leases: for how long API processes may say by themselves that an event is sold out, and who
// waits until they say so no more. docs/decisions.md tells why that is exact.

// MaxLease is the longest lease that is granted.
const MaxLease = time.Second

// leasesOut reports whether leases of e may be out, for all that a batch knows.
func (e Event) leasesOut(batch []SeatRequest) bool {
	return e.LeaseMillis > 0 && !slices.ContainsFunc(batch, func(r SeatRequest) bool {
		return r.EventID == e.ID && r.LeasesEnded == e.LeasesGranted
	})
}

// endLeases notes at a time that no lease is out. Whom API processes have refused until now, nobody else knows.
func (e *eventDecision) endLeases(at time.Time) {
	if e.LeaseMillis > 0 {
		e.LeaseMillis, e.LeasesEnding, e.elsewhere.Refused = 0, false, at
	}
}

// putAside answers a request that nobody may decide before the leases have ended, and lets no more be granted.
func (e *eventDecision) putAside() SeatResult {
	e.LeasesEnding = true
	return SeatResult{Outcome: LeaseOut, Lease: time.Duration(e.LeaseMillis) * time.Millisecond, LeasesGranted: e.LeasesGranted}
}

// grantLeases grants one lease in each event, to all who were refused in it as sold out and asked for one. It grants none
// where the batch has changed anything else, where a change waits for the end of leases, and where other reasons may come before.
func (d *decision) grantLeases(batch []SeatRequest, results []SeatResult) {
	for i, req := range batch {
		if results[i].Outcome != SoldOut || req.Lease <= 0 {
			continue
		}
		e, lease := d.events[req.EventID], min(req.Lease, MaxLease)
		if !e.ClosesAt.IsZero() {
			lease = min(lease, e.ClosesAt.Sub(req.At))
		}
		switch ms := lease.Milliseconds(); {
		case e.LeasesEnding:
			results[i].LeasesGranted = e.LeasesGranted
		case ms > 0 && !e.changes() && e.Waiting == 0 && !e.RequiresProvenEmail:
			e.LeasesGranted = e.before.LeasesGranted + 1
			e.LeaseMillis = max(e.LeaseMillis, ms)
			results[i].Lease, results[i].LeasesGranted, results[i].LastNumber = time.Duration(ms)*time.Millisecond, e.LeasesGranted, e.LastNumber
		}
	}
}

// OnlyLeases reports whether nothing has changed but the leases of the event, which nobody is told.
func (c Change) OnlyLeases() bool { return c.After.Revision == c.Before.Revision }

// EndsRefusals reports whether API processes may have refused people by themselves up to the change, of whom no worker knows:
// by the hour of an opening that is moved, or by leases that have ended.
func (c Change) EndsRefusals() bool {
	return !c.After.OpensAt.Equal(c.Before.OpensAt) || c.Before.LeaseMillis > 0 && c.After.LeaseMillis == 0
}
