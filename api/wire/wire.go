// Package wire has the bodies of requests and answers of the HTTP API, the names of its headers and
// the words of its queries. It is the only place that knows their JSON; the API and its Go client
// share it.
//
// A body of a request has texts for what the API itself checks, like times and ids, so that a
// problem can name each wrong field. A body of an answer has the types that they stand for.
package wire

import (
	"encoding/json"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// The headers of requests and answers that are ours, beside those of HTTP itself.
const (
	HeaderIdempotencyKey = "Idempotency-Key"
	// HeaderReplayed marks an answer that was given before, under the same key.
	HeaderReplayed = "Idempotency-Replayed"
	// HeaderRequestID names a request in every answer, in the API's log line and in the
	// worker's, there as request_id.
	HeaderRequestID = "X-Request-Id"
)

// Optional is a field that may be left out, for which null is another value than nothing: null is
// sent with the zero value. The zero Optional is left out.
type Optional[T any] struct {
	Sent  bool
	Value T
}

// Set makes a field that is sent.
func Set[T any](value T) Optional[T] { return Optional[T]{true, value} }

// UnmarshalJSONFrom notes that the field was sent.
func (o *Optional[T]) UnmarshalJSONFrom(from *jsontext.Decoder) error {
	o.Sent = true
	return jsonv2.UnmarshalDecode(from, &o.Value)
}

// MarshalJSON writes the value.
func (o Optional[T]) MarshalJSON() ([]byte, error) { return json.Marshal(o.Value) }

// Health is the answer of the probes.
type Health struct {
	Status string `json:"status"` // live or ready
}
