package api

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/eventio/eventio/pkg/store"
)

// Limits of queries.
const (
	MaxPage   = 1000 // items in one page
	MaxSearch = 200  // characters of q
	MaxWords  = 10   // words of q, parted by blanks
	// maxReported bounds how many wrong parameters an answer names, and maxParameter how
	// many bytes of such a name it repeats.
	maxReported  = 10
	maxParameter = 64
)

// The orders of a list of events.
const (
	sortEarliest = "starts_at"
	sortLatest   = "-starts_at"
)

// knowing runs a handler only for requests whose query is well-formed and has no other
// parameters than the documented ones, each once: a misspelt filter must not give the whole
// list. Who may not ask at all is told that first.
func (a *API) knowing(o operation, handle handler) handler {
	names := o.queryNames()
	return func(w http.ResponseWriter, r *http.Request) error {
		if r.URL.RawQuery == "" {
			return handle(w, r)
		}
		if o.access == tokenHolders {
			if _, err := a.gate.caller(r); err != nil {
				return err
			}
		}
		if err := checkQuery(r.URL.RawQuery, names); err != nil {
			return err
		}
		return handle(w, r)
	}
}

func checkQuery(raw string, names []string) error {
	values, err := url.ParseQuery(raw)
	if err != nil {
		return invalid(FieldError{"query", "must be parameters like a=1&b=2 with valid percent-encoding"})
	}
	var f fields
	for name, sent := range values {
		switch {
		case len(f.errs) == maxReported:
			return f.err()
		case !slices.Contains(names, name):
			f.add(shortened(name), "is not a parameter of this path"+oneOf(names))
		case len(sent) > 1:
			f.add(name, "is there twice; send it once")
		case !utf8.ValidString(sent[0]):
			f.add(name, "must be valid UTF-8")
		}
	}
	return f.err()
}

func oneOf(names []string) string {
	if len(names) == 0 {
		return "; it has none"
	}
	return "; it has " + strings.Join(names, ", ")
}

func shortened(name string) string {
	name = strings.ToValidUTF8(name, "\uFFFD")
	if len(name) > maxParameter {
		name = strings.ToValidUTF8(name[:maxParameter], "") + "…"
	}
	return name
}

// limit reads how many items a page has; 0 means that no page was asked for.
func (f *fields) limit(q url.Values) int {
	if !q.Has("limit") {
		return 0
	}
	// Digits only: Atoi would also take a sign.
	digits := !strings.ContainsFunc(q.Get("limit"), func(r rune) bool { return r < '0' || r > '9' })
	n, err := strconv.Atoi(q.Get("limit"))
	if err != nil || !digits || n < 1 || n > MaxPage {
		f.add("limit", fmt.Sprintf("must be a whole number from 1 to %d", MaxPage))
	}
	return n
}

// eventQuery reads which events a list is to have.
func eventQuery(q url.Values) (query store.EventQuery, err error) {
	var f fields
	query.Limit = f.limit(q)
	if q.Has("from") {
		query.From = f.instant("from", q.Get("from"))
	}
	if q.Has("to") {
		query.To = f.instant("to", q.Get("to"))
	}
	if q.Has("organizer_id") {
		query.OrganizerID = f.id("organizer_id", q.Get("organizer_id"))
	}
	if q.Has("q") {
		query.Words = f.search("q", q.Get("q"))
	}
	switch available := q.Get("available"); {
	case available == "true":
		query.Available, query.At = true, time.Now()
	case q.Has("available") && available != "false":
		f.add("available", "must be true or false")
	}
	switch order := q.Get("sort"); {
	case order == sortLatest:
		query.Descending = true
	case q.Has("sort") && order != sortEarliest:
		f.add("sort", fmt.Sprintf("must be %s or %s", sortEarliest, sortLatest))
	}
	if q.Has("cursor") {
		query.After = f.eventCursor(q)
	}
	if len(f.errs) == 0 && q.Has("from") && q.Has("to") && query.From.After(query.To) {
		f.add("to", "must not be before from")
	}
	return query, f.err()
}

// search checks what is looked for and splits it into words. One of signs alone has none, and
// finds nothing.
func (f *fields) search(field, value string) []string {
	parts := strings.Fields(value)
	switch {
	case utf8.RuneCountInString(value) > MaxSearch:
		f.add(field, fmt.Sprintf("must have at most %d characters", MaxSearch))
	case len(parts) == 0:
		f.add(field, "must not be blank; leave it out to search for nothing")
	case len(parts) > MaxWords:
		f.add(field, fmt.Sprintf("must have at most %d words", MaxWords))
	case strings.ContainsFunc(value, unicode.IsControl):
		f.add(field, "must not contain control characters")
	}
	return store.Words(value)
}
