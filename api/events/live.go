package events

import (
	"net/http"

	"github.com/eventio/eventio/api/live"
	"github.com/eventio/eventio/api/serve"
)

// LiveEvent sends where an event stands, now and whenever that changes.
func (a *Handlers) LiveEvent(w http.ResponseWriter, r *serve.Request) error {
	id, err := serve.EventID(r)
	if err != nil {
		return err
	}
	if _, err := a.Store.Event(r.Context(), id); err != nil {
		return err
	}
	return a.serveLive(w, r, nil, func(st live.Stream) error { return a.live.ServeEvent(r.Lasting, st, id) })
}

// LiveUser sends what happens to the registrations of a person, until their token has ended.
func (a *Handlers) LiveUser(w http.ResponseWriter, r *serve.Request) error {
	user, err := serve.OwnUser(r)
	if err != nil {
		return err
	}
	check := func() error { return a.Gate.Recheck(r.Request) }
	return a.serveLive(w, r, check, func(st live.Stream) error { return a.live.ServePerson(r.Lasting, st, user) })
}

// serveLive counts a stream and serves it. HEAD is told what GET would be, and no stream begins.
func (a *Handlers) serveLive(w http.ResponseWriter, r *serve.Request, check func() error, run func(live.Stream) error) error {
	leave, err := a.live.Enter(a.Gate.Client(r.Request), a.Gate.Factor(r.Request))
	if err != nil {
		return err
	}
	defer leave()
	if r.Method == http.MethodHead {
		w.Header().Set("Content-Type", live.MediaType)
		serve.NoStore(w)
		return nil
	}
	return run(live.Stream{Writer: w, LastEventID: r.Header.Get("Last-Event-ID"), Check: check})
}
