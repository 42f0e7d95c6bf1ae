package api

import (
	"net/http"

	"github.com/eventio/eventio/api/live"
)

// liveEvent sends where an event stands, now and whenever that changes.
func (a *API) liveEvent(w http.ResponseWriter, r *request) error {
	id, err := eventID(r)
	if err != nil {
		return err
	}
	if _, err := a.store.Event(r.Context(), id); err != nil {
		return err
	}
	return a.serveLive(w, r, nil, func(st live.Stream) error { return a.live.ServeEvent(r.lasting, st, id) })
}

// liveUser sends what happens to the registrations of a person, until their token has ended.
func (a *API) liveUser(w http.ResponseWriter, r *request) error {
	user, err := ownUser(r)
	if err != nil {
		return err
	}
	check := func() error { return a.gate.Recheck(r.Request) }
	return a.serveLive(w, r, check, func(st live.Stream) error { return a.live.ServePerson(r.lasting, st, user) })
}

// serveLive counts a stream and serves it. HEAD is told what GET would be, and no stream begins.
func (a *API) serveLive(w http.ResponseWriter, r *request, check func() error, serve func(live.Stream) error) error {
	leave, err := a.live.Enter(a.gate.Client(r.Request), a.gate.Factor(r.Request))
	if err != nil {
		return err
	}
	defer leave()
	if r.Method == http.MethodHead {
		w.Header().Set("Content-Type", live.MediaType)
		noStore(w)
		return nil
	}
	return serve(live.Stream{Writer: w, LastEventID: r.Header.Get("Last-Event-ID"), Check: check})
}
