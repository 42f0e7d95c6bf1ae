package input

import (
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/eventio/eventio/api/problem"
	"github.com/eventio/eventio/internal/text"
	"github.com/eventio/eventio/pkg/store/search"
)

// Limits of queries.
const (
	MaxPage   = 1000 // items in one page
	MaxSearch = 200  // characters of q
	MaxWords  = 10   // words of q, with blanks between them
	// MaxSorted is up to how many registrations an event's guest list can be sorted by what no
	// index has: each page of it reads the whole list.
	MaxSorted = 20_000
	// maxReported bounds how many wrong parameters an answer names, and maxParameter how
	// many bytes of such a name it repeats.
	maxReported  = 10
	maxParameter = 64
)

// CheckQuery fails on a query that is not well-formed, that has other parameters than those with
// the given names, or one of them twice: a misspelt filter must not give the whole list.
func CheckQuery(raw string, names []string) error {
	values, err := url.ParseQuery(raw)
	if err != nil {
		return problem.InvalidField("query", "must be parameters like a=1&b=2 with valid percent-encoding")
	}
	var f Fields
	for name, sent := range values {
		switch {
		case len(f.wrong) == maxReported:
			return f.Err()
		case !slices.Contains(names, name):
			f.Add(shortened(name), "is not a parameter of this path"+oneOf(names))
		case len(sent) > 1:
			f.Add(name, "appears twice; send it once")
		case !utf8.ValidString(sent[0]):
			f.Add(name, "must be valid UTF-8")
		}
	}
	return f.Err()
}

// Query returns the parameters of a query that CheckQuery has taken, without the empty ones: a form
// sends its empty fields too, so q= says no more than a query without q.
func Query(u *url.URL) url.Values {
	q := u.Query()
	maps.DeleteFunc(q, func(name string, _ []string) bool { return q.Get(name) == "" })
	return q
}

// oneOf lists the parameters that a path has.
func oneOf(names []string) string {
	if len(names) == 0 {
		return "; it has none"
	}
	return "; it has " + strings.Join(names, ", ")
}

// shortened makes the name of a parameter fit to be repeated in an answer.
func shortened(name string) string {
	name = strings.ToValidUTF8(name, "\uFFFD")
	if len(name) > maxParameter {
		name = strings.ToValidUTF8(name[:maxParameter], "") + "…"
	}
	return name
}

// Limit reads how many items a page has; 0 means that no page was asked for.
func (f *Fields) Limit(q url.Values) int {
	if !q.Has("limit") {
		return 0
	}
	n, err := queryNumber(q.Get("limit"))
	if err != nil || n < 1 || n > MaxPage {
		f.Add("limit", fmt.Sprintf("must be a whole number from 1 to %d", MaxPage))
	}
	return int(n)
}

// unsigned matches a number of JSON without a sign, also with zeros before it.
var unsigned = regexp.MustCompile(`^[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]+)?$`)

// queryNumber reads a whole number from 0 in each form that a body may have it in: 10.0 is what some
// languages make of 10.
func queryNumber(value string) (int64, error) {
	if !unsigned.MatchString(value) {
		return 0, errNotWhole
	}
	return wholeNumber(value)
}

// Bool reads true or false, in every case: Python's libraries send True.
func (f *Fields) Bool(field string, q url.Values) bool {
	value := strings.ToLower(q.Get(field))
	if q.Has(field) {
		f.OneOf(field, value, "true", "false")
	}
	return value == "true"
}

// MaxWait is the longest time that a client may wait for news: below the usual time-out of gateways.
const MaxWait = 50 * time.Second

// WaitPattern matches what Wait takes.
const WaitPattern = `^([0-9]|[1-4][0-9]|50)s$`

// Revision reads a revision of an event; 0 when there is none.
func (f *Fields) Revision(field string, q url.Values) int64 {
	if !q.Has(field) {
		return 0
	}
	n, err := queryNumber(q.Get(field))
	if err != nil {
		f.Add(field, "must be a revision: a whole number from 0")
	}
	return n
}

// MaxMinutes is the most minutes of which a client is told, and DefaultMinutes how many it is told of that
// does not say.
const (
	MaxMinutes     = 180
	DefaultMinutes = 60
)

// Minutes reads of how many minutes a client wants to be told.
func (f *Fields) Minutes(field string, q url.Values) int {
	if !q.Has(field) {
		return DefaultMinutes
	}
	n, err := queryNumber(q.Get(field))
	if err != nil || n < 1 || n > MaxMinutes {
		f.Add(field, fmt.Sprintf("must be a whole number from 1 to %d", MaxMinutes))
	}
	return int(n)
}

// Wait reads how long a client waits for news; 0 when it does not.
func (f *Fields) Wait(field string, q url.Values) time.Duration {
	if !q.Has(field) {
		return 0
	}
	seconds, ok := strings.CutSuffix(q.Get(field), "s")
	n, err := strconv.Atoi(seconds)
	if wait := time.Duration(n) * time.Second; ok && err == nil && wait <= MaxWait && strconv.Itoa(n) == seconds && n >= 0 {
		return wait
	}
	f.Add(field, fmt.Sprintf("must be whole seconds from 0s to %ds, like 25s", MaxWait/time.Second))
	return 0
}

// Search checks the text of a search and splits it into words. A text of signs alone has none, and
// finds nothing.
func (f *Fields) Search(field, value string) []string {
	parts := strings.Fields(value)
	switch {
	case utf8.RuneCountInString(value) > MaxSearch:
		f.Add(field, fmt.Sprintf("must have at most %d characters", MaxSearch))
	case len(parts) == 0:
		f.Add(field, "must not be blank; leave it out to list all")
	case len(parts) > MaxWords:
		f.Add(field, fmt.Sprintf("must have at most %d words", MaxWords))
	case strings.ContainsFunc(value, unicode.IsControl):
		f.Add(field, "must not contain control characters")
	}
	return search.Words(text.Seen(value))
}
