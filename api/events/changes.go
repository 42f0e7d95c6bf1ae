package events

import (
	"context"
	"fmt"
	"iter"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"time"

	"github.com/eventio/eventio/api/input"
	"github.com/eventio/eventio/api/problem"
	"github.com/eventio/eventio/api/serve"
	"github.com/eventio/eventio/api/wire"
	"github.com/eventio/eventio/internal/fairqueue"
	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/changes"
)

// changesPiece is how many rows of a record are read at once.
const changesPiece = 100

// ListEventChanges answers with the changes of an event after a revision: with a page of them, or with
// all, streamed. A client that sends wait is answered when there is one, or when the wait is over.
func (a *Handlers) ListEventChanges(w http.ResponseWriter, r *serve.Request) error {
	id, err := serve.EventID(r)
	if err != nil {
		return err
	}
	q := input.Query(r.URL)
	var f input.Fields
	after, limit, wait := f.Revision("after", q), f.Limit(q), f.Wait("wait", q)
	if err := f.Err(); err != nil {
		return err
	}
	e, err := a.Store.Event(r.Context(), id)
	if err != nil {
		return err
	}
	if err := r.Caller.Require(e.OrganizerID, "Only the organizer may read the changes of this event."); err != nil {
		return err
	}
	if after > e.Revision {
		return problem.InvalidField("after", fmt.Sprintf("is above the revision of the event, %d: it was restored from a backup, or this is another event; begin anew", e.Revision))
	}
	if err := r.Charge(serve.CostOfPage(limit)); err != nil {
		return err
	}
	if e.Recorded <= after && wait > 0 && r.Method != http.MethodHead {
		if err := a.awaitChange(w, r, e, after, wait); err != nil {
			return err
		}
	}
	form := changesForm(w, r.Request)
	serve.NoStore(w)
	if limit > 0 {
		return a.changesPage(w, r, form, changesRange{id, after, limit})
	}
	return a.Stream(w, r, form, func(ctx context.Context) iter.Seq2[any, error] { return a.allChanges(ctx, id, after) })
}

// awaitChange waits for a row after a revision, and gives the answer its time anew.
func (a *Handlers) awaitChange(w http.ResponseWriter, r *serve.Request, e store.Event, after int64, wait time.Duration) error {
	// Not every writer has deadlines (tests); the server's own limit stands then.
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(wait + a.Config.RequestTimeout + serve.SendTimeout))
	ctx, cancel := context.WithTimeout(r.Lasting, wait)
	defer cancel()
	var from netip.Prefix
	if a.Gate.Factor(r.Request) > 0 {
		from = fairqueue.Network(a.Gate.Client(r.Request))
	}
	if !a.waits.await(ctx, e, after, from) {
		return problem.Newf(problem.Overloaded, "Too many clients wait for changes, or this process is ending.")
	}
	r.Restart(a.Config.RequestTimeout)
	return nil
}

// changesForm says in which form a client gets changes.
func changesForm(w http.ResponseWriter, r *http.Request) serve.ListFormat {
	w.Header().Add("Vary", "Accept")
	if !serve.PrefersCSV(r.Header.Values("Accept")) {
		return serve.JSONArray()
	}
	return serve.CSVOptions{Separator: ','}.Format(wire.ChangeColumns(), func(item any) []string {
		cells := item.(wire.Change).Cells()
		for i, cell := range cells {
			cells[i] = serve.Defused(cell) // clients choose request ids
		}
		return cells
	})
}

// changesRange says which changes of an event a page has: those of the revisions above after. It ends
// with the revision that makes it limit changes or more, so that a revision is told as a whole.
type changesRange struct {
	event store.ID
	after int64
	limit int
}

// changesPage sends one page, and in Link where the next one is.
func (a *Handlers) changesPage(w http.ResponseWriter, r *serve.Request, form serve.ListFormat, page changesRange) error {
	var told []wire.Change
	last := page.after
	for row, err := range a.Store.EventChanges(r.Context(), page.event, page.after, page.limit+1) {
		if err != nil {
			return err
		}
		if len(told) >= page.limit { // one more row tells whether there is a next page
			linkAfter(w, serve.ChangesPath(page.event), input.Query(r.URL), page.limit, last)
			break
		}
		for _, item := range changes.Items(row) {
			told = append(told, wire.ChangeOf(row, item))
		}
		last = row.Revision
	}
	return serve.WriteList(w, r, form, told)
}

// linkAfter says in a header where the next page of changes is.
func linkAfter(w http.ResponseWriter, path string, q url.Values, limit int, after int64) {
	q.Set("limit", strconv.Itoa(limit))
	q.Set("after", strconv.FormatInt(after, 10))
	w.Header().Set("Link", fmt.Sprintf("<%s?%s>; rel=\"next\"", path, q.Encode()))
}

// allChanges reads the changes after a revision piece by piece, each when it is its turn, so that a slow
// reader keeps nothing open in the store.
func (a *Handlers) allChanges(ctx context.Context, id store.ID, after int64) iter.Seq2[any, error] {
	return func(yield func(any, error) bool) {
		for more := true; more; {
			rows := 0
			for row, err := range a.Chunked().EventChanges(ctx, id, after, changesPiece) {
				if err != nil {
					yield(nil, err)
					return
				}
				for _, item := range changes.Items(row) {
					if !yield(wire.ChangeOf(row, item), nil) {
						return
					}
				}
				after = row.Revision
				rows++
			}
			more = rows == changesPiece
		}
	}
}

// maxUserChanges bounds how many registrations one page of a user's changes looks at: each may take
// some dozens of reads, and costs what a request does.
const maxUserChanges = 50

// ListUserChanges answers with what happened to the registrations of a person, the newest event first,
// and in order within an event. A page has whole registrations.
func (a *Handlers) ListUserChanges(w http.ResponseWriter, r *serve.Request) error {
	user, err := serve.OwnUser(r)
	if err != nil {
		return err
	}
	q := input.Query(r.URL)
	var f input.Fields
	list := input.ListOf(serve.UserChangesPath(user), q)
	limit, before := f.Limit(q), store.ID{}
	if place := f.Cursor(list, q, len(before)); place != nil {
		before = store.ID(place)
	}
	if err := f.Err(); err != nil {
		return err
	}
	if limit == 0 {
		limit = serve.DefaultUserPage
	}
	var held []store.UserRegistration
	for h, err := range a.Chunked().UserRegistrations(r.Context(), user, before, maxUserChanges+1) {
		if err != nil {
			return err
		}
		held = append(held, h)
	}
	if err := r.Charge(max(1, min(len(held), maxUserChanges, limit))); err != nil {
		return err
	}
	var told []wire.Change
	for i, h := range held {
		if i == maxUserChanges || len(told) >= limit {
			last := held[i-1].Event.ID
			serve.LinkNext(w, serve.UserChangesPath(user), q, limit, list.Cursor(last[:]))
			break
		}
		var items []changes.ItemOf
		err := a.Chunk(r.Context(), func(ctx context.Context) (err error) {
			items, err = changes.OfRegistration(ctx, a.Store, h)
			return err
		})
		if err != nil {
			return err
		}
		for _, item := range items {
			told = append(told, wire.OwnChangeOf(item.Record, item.Item))
		}
	}
	form := changesForm(w, r.Request)
	serve.NoStore(w)
	return serve.WriteList(w, r, form, told)
}
