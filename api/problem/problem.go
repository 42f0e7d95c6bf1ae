// Package problem has the problem documents (RFC 9457) that tell clients what went wrong, and the
// one table of their codes: status, title, detail and header.
//
// A document tells nothing internal. The cause of a [Problem] is for the log only.
package problem

import (
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/go-json-experiment/json"
)

// MediaType is the Content-Type of a problem document.
const MediaType = "application/problem+json"

// The values of headers that each answer has. They are shared: nobody changes them.
var mediaType, noStore = []string{MediaType}, []string{"no-store"}

// FieldError says which field of a request is wrong, and what it should be.
type FieldError struct {
	Field  string `json:"field"`
	Reason string `json:"reason"`
}

// Problem is a problem document, and the error of a request that ends in one.
type Problem struct {
	Type   string       `json:"type"`
	Title  string       `json:"title"`
	Status int          `json:"status"`
	Detail string       `json:"detail"`
	Code   Code         `json:"code"`
	Errors []FieldError `json:"errors,omitempty"`
	// Position is the position on the waiting list, when Code is AlreadyWaitlisted.
	Position int64 `json:"position,omitzero"`

	// Cause is what the log tells about it. It never reaches the client.
	Cause error `json:"-"`
	// RetryAfter is when the client may try again, for codes whose header says so. Zero means a
	// few seconds, not the same for everybody.
	RetryAfter time.Duration `json:"-"`
}

// usual is the problem that New makes of a code, as it is sent: most answers are one, and a sold-out event has thousands a second.
type usual struct {
	meaning
	kind   string // Problem.Type
	body   []byte
	length []string // the Content-Length
}

// usuals has a row for every code. Nothing changes it.
var usuals = sync.OnceValue(func() map[Code]*usual {
	all := make(map[Code]*usual, len(meanings))
	for _, m := range meanings {
		u := &usual{meaning: m, kind: "urn:eventio:problem:" + string(m.code)}
		u.body = u.problem().encode()
		u.length = []string{strconv.Itoa(len(u.body))}
		all[m.code] = u
	}
	return all
})

// usualOf returns the row of a code. One that has none is an internal error to a client.
func usualOf(c Code) *usual {
	if u, ok := usuals()[c]; ok {
		return u
	}
	return usuals()[Internal]
}

func (u *usual) problem() *Problem {
	return &Problem{Type: u.kind, Title: u.title, Status: u.status, Detail: u.detail, Code: u.code}
}

// is reports whether p is as New has made it, for a client.
func (u *usual) is(p *Problem) bool {
	return p.Type == u.kind && p.Title == u.title && p.Status == u.status && p.Detail == u.detail && p.Code == u.code && len(p.Errors) == 0 && p.Position == 0
}

// New makes the problem of a code, with the detail that its row in the table has.
func New(c Code) *Problem { return usualOf(c).problem() }

// Newf makes the problem of a code, with a detail that tells the client what to do.
func Newf(c Code, format string, args ...any) *Problem {
	p := New(c)
	p.Detail = fmt.Sprintf(format, args...)
	return p
}

// InvalidField makes the problem of a request with one wrong field. The reason follows the name
// of the field: "must be a whole number".
func InvalidField(field, reason string) *Problem {
	p := Newf(Invalid, "%s %s.", field, reason)
	p.Errors = []FieldError{{Field: field, Reason: reason}}
	return p
}

// InvalidFields makes the problem of a request with wrong fields: one at least.
func InvalidFields(errs ...FieldError) *Problem {
	if len(errs) == 1 {
		return InvalidField(errs[0].Field, errs[0].Reason)
	}
	p := New(Invalid)
	p.Errors = errs
	return p
}

// Because sets the cause, for the log, and returns p.
func (p *Problem) Because(cause error) *Problem {
	p.Cause = cause
	return p
}

// Error returns the code and the cause.
func (p *Problem) Error() string {
	if p.Cause != nil {
		return fmt.Sprintf("%s: %v", p.Code, p.Cause)
	}
	return string(p.Code)
}

// Unwrap returns the cause.
func (p *Problem) Unwrap() error { return p.Cause }

// Write sends the document, and the header that its code has. A Retry-After that is set already
// stays: a rate limit knows when it ends.
func (p *Problem) Write(w http.ResponseWriter) {
	h := w.Header()
	h["Content-Type"], h["Cache-Control"] = mediaType, noStore
	switch p.Code.Header() {
	case HeaderRetryAfter:
		if h.Get(HeaderRetryAfter) == "" {
			h.Set(HeaderRetryAfter, strconv.Itoa(p.retryAfterSeconds()))
		}
	case HeaderChallenge:
		h.Set(HeaderChallenge, `Bearer realm="eventio"`)
	}
	var body []byte
	body, h["Content-Length"] = p.document()
	w.WriteHeader(p.Status)
	_, _ = w.Write(body) // a client that is gone needs no answer
}

// document returns what is sent, and its Content-Length. The caller changes neither.
func (p *Problem) document() (body []byte, length []string) {
	if u := usualOf(p.Code); u.is(p) {
		return u.body, u.length
	}
	body = p.encode()
	return body, []string{strconv.Itoa(len(body))}
}

// encode returns the document as it is sent.
func (p *Problem) encode() []byte {
	body, err := json.Marshal(p)
	if err != nil { // cannot happen: the struct has only strings and numbers
		panic(err)
	}
	return append(body, '\n') // on a terminal what comes next begins a new line
}

// retryAfterSeconds rounds RetryAfter up. Without one it returns 1 to 3 at random, because clients
// that wait equally long come back together.
func (p *Problem) retryAfterSeconds() int {
	if p.RetryAfter > 0 {
		return int(math.Ceil(p.RetryAfter.Seconds()))
	}
	return 1 + rand.IntN(3)
}
