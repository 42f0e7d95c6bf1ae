package events

import (
	"net/http"
	"time"

	"github.com/eventio/eventio/api/input"
	"github.com/eventio/eventio/api/serve"
	"github.com/eventio/eventio/api/wire"
	"github.com/eventio/eventio/pkg/store/changes"
)

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
	minutes, err := changes.PaceOf(r.Context(), a.Store, e, time.Now(), n)
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
