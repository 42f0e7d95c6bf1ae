package events

import (
	"context"
	"net/http"
	"time"

	"github.com/eventio/eventio/api/input"
	"github.com/eventio/eventio/api/serve"
	"github.com/eventio/eventio/api/wire"
	"github.com/eventio/eventio/pkg/store/changes"
)

// minutesOfOne is how many minutes of a pace cost what a request does: each takes some reads of the record.
const minutesOfOne = 10

// ReadPace answers with how many registrations were made and cancelled in each of the latest minutes.
func (a *Handlers) ReadPace(w http.ResponseWriter, r *serve.Request) error {
	id, err := serve.EventID(r)
	if err != nil {
		return err
	}
	var f input.Fields
	n := f.Minutes("minutes", input.Query(r.URL))
	if err := f.Err(); err != nil {
		return err
	}
	e, err := a.Store.Event(r.Context(), id)
	if err != nil {
		return err
	}
	if err := r.Caller.Require(e.OrganizerID, "Only the organizer may read the pace of this event."); err != nil {
		return err
	}
	if err := r.Charge(max(1, n/minutesOfOne)); err != nil {
		return err
	}
	var minutes []changes.Minute
	err = a.Chunk(r.Context(), func(ctx context.Context) (err error) {
		minutes, err = changes.PaceOf(ctx, a.Store, e, time.Now(), n)
		return err
	})
	if err != nil {
		return err
	}
	told := make([]wire.Minute, len(minutes))
	for i, m := range minutes {
		told[i] = wire.MinuteOf(m)
	}
	serve.NoStore(w)
	return serve.WriteJSON(w, http.StatusOK, told)
}
