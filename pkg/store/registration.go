package store

import (
	"slices"
	"strings"
)

// What is kept of the requests that are over, in a list with one id in a line, the oldest
// first. Ids have no line ends.
const (
	// maxPast bounds Registration.Past, in requests.
	maxPast = 32
	// maxEdits bounds Event.LastEdit, in requests. An edit comes again within the time limit of
	// its HTTP request only, under an id that nobody else has.
	maxEdits = 8
	// found marks, in Past, a request that found the registration there. No id begins with it.
	found = "\t"
)

// keeps reports whether an entry is in a list.
func keeps(list, entry string) bool {
	for kept := range strings.SplitSeq(list, "\n") {
		if kept == entry {
			return true
		}
	}
	return false
}

// keep adds entries that are not in a list yet, and drops the oldest above most.
func keep(list string, most int, entries ...string) string {
	var kept []string
	if list != "" {
		kept = strings.Split(list, "\n")
	}
	for _, entry := range entries {
		if !slices.Contains(kept, entry) {
			kept = append(kept, entry)
		}
	}
	return strings.Join(kept[max(0, len(kept)-most):], "\n")
}

// done reports whether a request made a registration that is cancelled since, or asked for
// a cancellation.
func (r Registration) done(requestID string) bool { return keeps(r.Past, requestID) }

// foundBy reports whether a request found a registration there and was told so.
func (r Registration) foundBy(requestID string) bool { return keeps(r.Past, found+requestID) }

func (r *Registration) keep(entries ...string) { r.Past = keep(r.Past, maxPast, entries...) }
