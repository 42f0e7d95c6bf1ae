package serve

import (
	"compress/gzip"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strconv"

	"github.com/go-json-experiment/json"
	"github.com/klauspost/compress/gzhttp"

	"github.com/eventio/eventio/api/input"
	"github.com/eventio/eventio/api/wire"
	"github.com/eventio/eventio/pkg/messages"
)

// Encode returns v as JSON, which ends a line: on a terminal what comes next begins a new one.
func Encode(v any) ([]byte, error) {
	body, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encode an answer: %w", err)
	}
	return append(body, '\n'), nil
}

// WriteJSON sends v with a status.
func WriteJSON(w http.ResponseWriter, status int, v any) error {
	body, err := Encode(v)
	if err != nil {
		return err
	}
	h := w.Header()
	h["Content-Type"] = jsonType
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body) // a client that is gone needs no answer
	return nil
}

// jsonType is the media type of answers, and noStore keeps caches out. Nobody changes them.
var jsonType, noStore = []string{"application/json"}, []string{"no-store"}

// WriteCreated sends v with 201, and in Location where the new thing is.
func WriteCreated(w http.ResponseWriter, location string, replayed bool, v any) error {
	SetCreated(w, location, replayed)
	return WriteJSON(w, http.StatusCreated, v)
}

// SetCreated sets the headers of a 201.
func SetCreated(w http.ResponseWriter, location string, replayed bool) {
	w.Header().Set("Location", location)
	if replayed {
		w.Header().Set(wire.HeaderReplayed, "true")
	}
}

// WriteRead sends the answer v to a read, or 304 when the client has it already.
func WriteRead(w http.ResponseWriter, r *Request, v any) error {
	body, err := Encode(v)
	if err != nil {
		return err
	}
	WriteTagged(w, r.Request, "application/json", body)
	return nil
}

// WriteTagged sends a body with its ETag, which it makes unless the header is set. The tag is weak,
// because compression may change the bytes on the way and not the content.
func WriteTagged(w http.ResponseWriter, r *http.Request, media string, body []byte) {
	h := w.Header()
	tag := h.Get("ETag")
	if tag == "" {
		tag = TagOf(body)
		h.Set("ETag", tag)
	}
	if h.Get("Cache-Control") == "" {
		h.Set("Cache-Control", "no-cache") // keep it, but ask before using it
	}
	if Matches(r.Header.Values("If-None-Match"), tag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h.Set("Content-Type", media)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write(body) // a client that is gone needs no answer
}

// TagOf makes the weak ETag of a body.
func TagOf(body []byte) string {
	sum := sha256.Sum256(body)
	return `W/"` + base64.RawURLEncoding.EncodeToString(sum[:16]) + `"`
}

// NoPreconditions refuses headers with conditions that a route does not support: ignoring one would do
// what the client did not want.
func NoPreconditions(h http.Header, names ...string) error {
	var f input.Fields
	for _, name := range names {
		if sent := h.Values(name); len(sent) > 0 && (name != "If-Match" || !AnyTag(sent)) {
			f.Add(name, "is not supported here")
		}
	}
	return f.Err()
}

// LinkNext says in a header where the next page is.
func LinkNext(w http.ResponseWriter, path string, q url.Values, limit int, cursor string) {
	w.Header().Set("Link", NextLink(path, q, limit, cursor))
}

// NextLink returns what LinkNext says.
func NextLink(path string, q url.Values, limit int, cursor string) string {
	next := make(url.Values, len(q)+1)
	maps.Copy(next, q)
	next.Set("limit", strconv.Itoa(limit))
	next.Set("cursor", cursor)
	return fmt.Sprintf("<%s?%s>; rel=\"next\"", path, next.Encode())
}

// NoStore keeps caches from storing an answer that is for one person.
func NoStore(w http.ResponseWriter) { w.Header()["Cache-Control"] = noStore }

// WriteOwn sends a whole list that is for one person, each of its items in the form in which they are told of it. It is
// for what a person can have few of.
func WriteOwn[Item, Body any](w http.ResponseWriter, items []Item, body func(Item) Body) error {
	list := make([]Body, len(items)) // never null
	for i, item := range items {
		list[i] = body(item)
	}
	NoStore(w)
	return WriteJSON(w, http.StatusOK, list)
}

// SetRequestID gives the answer the client's X-Request-Id, or a new one when the client sent none,
// several, or one that is not safe to repeat.
func SetRequestID(w http.ResponseWriter, r *http.Request) {
	var id string
	if sent := r.Header[wire.HeaderRequestID]; len(sent) == 1 && messages.ValidTraceID(sent[0]) {
		id = sent[0]
	} else {
		id = rand.Text()
	}
	w.Header()[wire.HeaderRequestID] = []string{id}
}

// RequestID returns the request id of an answer.
func RequestID(w http.ResponseWriter) string { return w.Header().Get(wire.HeaderRequestID) }

// compressAbove is the size from which answers are compressed, in bytes.
const compressAbove = 1 << 10

// Compressing wraps the handlers of reads. Changes stay without: their answers are small, and their
// time is what matters.
func Compressing() func(http.Handler) http.Handler {
	// Without Zstandard, whose window would take megabytes for each list that is streamed.
	wrap, err := gzhttp.NewWrapper(gzhttp.MinSize(compressAbove), gzhttp.CompressionLevel(gzip.BestSpeed), gzhttp.EnableZstd(false))
	if err != nil { // the options above are wrong
		panic("api: compress answers: " + err.Error())
	}
	return func(next http.Handler) http.Handler { return wrap(next) }
}
