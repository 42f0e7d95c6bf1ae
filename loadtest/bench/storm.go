package main

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/eventio/eventio/loadtest/crowd"
	"github.com/eventio/eventio/loadtest/load"
	"github.com/eventio/eventio/loadtest/report"
	"github.com/eventio/eventio/loadtest/usage"
	"github.com/eventio/eventio/pkg/store"
)

const (
	// soldOutLease is what S17 sets for its workers.
	soldOutLease = "500ms"
	soldSoon     = "ms until a seat is sold again, the longest"
)

// storm is S17: many more people than places, refused from memory. Its baseline is /livez, which goes through the same
// process and asks nobody.
func storm(ctx context.Context, b *bench) error {
	b.env = []string{"EVENTIO_SOLD_OUT_LEASE=" + soldOutLease}
	s, err := b.newSystem(ctx, 1, b.Auth)
	if err != nil {
		return err
	}
	places := b.size(50_000, 1000)
	event, ids, err := s.preload(ctx, places, int64(places))
	if err != nil {
		return err
	}
	holders, err := b.crowd.Members(ids, s.auth)
	if err != nil {
		return err
	}
	const livez, refused, leaving = "/livez", "sold out, in a storm", "a seat given back in the storm"
	leavers := b.size(5, 2)
	if err := b.alternate(ctx,
		s.asking(livez, crowd.Always(livez)),
		arm{refused, func(ctx context.Context) (figures, error) {
			next, err := b.crowd.Prepare(b.expected(), []store.ID{event}, s.auth)
			if err != nil {
				return nil, err
			}
			_, got, err := s.load(ctx, load.Plan{Connections: some, Next: next}, http.StatusConflict)
			if err == nil {
				got[storeReads] = got[usage.PerRequest] * got[goodput]
			}
			return got, err
		}},
		arm{leaving, func(ctx context.Context) (figures, error) {
			var who []crowd.Member
			who, holders = holders[:leavers], holders[leavers:]
			sold, err := s.freeInStorm(ctx, event, who)
			if err != nil {
				return nil, err
			}
			return figures{soldSoon: float64(slices.Max(sold)) / float64(time.Millisecond)}, nil
		}},
	); err != nil {
		return err
	}
	b.result.Compare(refused, livez, goodput, report.AtLeast(0.9))
	b.result.Compare(refused, livez, p99, report.Goal{})
	b.result.Judge(refused, storeReads, report.AtMost(20))
	b.result.Judge(refused, cpuOfAll, report.Goal{})
	b.result.Judge(livez, cpuOfAll, report.Goal{})
	b.result.Judge(leaving, soldSoon, report.AtMost(1000))
	return nil
}
