// Package input reads what clients send: bodies, fields, queries and cursors. It asks nobody and
// knows no route. Whatever is wrong with an input becomes a problem that names the field.
package input

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"reflect"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/eventio/eventio/api/problem"
)

// MaxBody is the largest request body, in bytes.
const MaxBody = 64 << 10

// ReadBody reads the body of a request to its end: JSON, of at most MaxBody bytes.
func ReadBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	if err := checkType(r.Header); err != nil {
		return nil, err
	}
	var data []byte
	var err error
	if r.ContentLength > 0 && r.ContentLength <= MaxBody { // net/http reads no further
		data = make([]byte, r.ContentLength)
		_, err = io.ReadFull(r.Body, data)
	} else {
		data, err = io.ReadAll(http.MaxBytesReader(w, r.Body, MaxBody))
	}
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return nil, problem.Newf(problem.TooLarge, "The body may have %d bytes at most.", MaxBody)
	case err != nil:
		return nil, problem.InvalidField("body", "could not be read to its end; send it whole")
	}
	return data, nil
}

// RefuseBody fails when a request has a body.
func RefuseBody(w http.ResponseWriter, r *http.Request) error {
	if r.ContentLength == 0 || r.Body == http.NoBody {
		return nil
	}
	if err := checkType(r.Header); err != nil {
		return err
	}
	var one [1]byte
	if n, err := io.ReadFull(http.MaxBytesReader(w, r.Body, 1), one[:]); n > 0 || !errors.Is(err, io.EOF) {
		return problem.InvalidField("body", "must be empty")
	}
	return nil
}

// Decode decodes a body, which must be a JSON object, into the struct that v points to. It is the
// only decoder of bodies, and strict: one value, exact field names, no field twice, valid UTF-8.
// Unknown fields are ignored, as the original does; routes that the original does not have refuse
// them with the option json.RejectUnknownMembers(true).
func Decode(data []byte, v any, options ...json.Options) error {
	switch {
	case len(data) == 0:
		return problem.InvalidField("body", "is empty; send a JSON object")
	case string(bytes.TrimSpace(data)) == "null": // which a struct would take for {}
		return problem.InvalidField("body", "must be a JSON object")
	}
	if err := json.Unmarshal(data, v, options...); err != nil {
		return problem.InvalidField(explain(err))
	}
	return nil
}

// checkType refuses bodies that are declared to be something else than JSON. A body without any
// declaration passes: clients of the original send none.
func checkType(h http.Header) error {
	if e := h.Get("Content-Encoding"); e != "" && !strings.EqualFold(e, "identity") {
		return problem.Newf(problem.UnsupportedMediaType, "Send the body without a Content-Encoding.")
	}
	t := h.Get("Content-Type")
	if t == "" || t == "application/json" {
		return nil
	}
	media, _, err := mime.ParseMediaType(t)
	if err != nil || media != "application/json" {
		return problem.New(problem.UnsupportedMediaType)
	}
	return nil
}

// explain finds the field that a decoding error is about, and says what the field should be.
func explain(err error) (name, reason string) {
	var semantic *json.SemanticError
	var syntactic *jsontext.SyntacticError
	switch {
	case errors.Is(err, json.ErrUnknownName) && errors.As(err, &semantic):
		return field(semantic.JSONPointer), "is not a known field"
	case errors.As(err, &semantic):
		return field(semantic.JSONPointer), expectation(semantic.GoType)
	case errors.As(err, &syntactic):
		f := field(syntactic.JSONPointer)
		switch {
		case errors.Is(err, jsontext.ErrDuplicateName):
			return f, "appears twice; send it once"
		case strings.Contains(syntactic.Error(), "UTF-8"):
			return f, "must be valid UTF-8"
		}
		return "body", fmt.Sprintf("must be one well-formed JSON object; the error is at byte %d", syntactic.ByteOffset)
	}
	return "body", "must be one well-formed JSON object"
}

// field makes the name of a field from a JSON pointer: starts_at from /starts_at.
func field(p jsontext.Pointer) string {
	if p == "" {
		return "body"
	}
	return strings.ReplaceAll(strings.TrimPrefix(string(p), "/"), "/", ".")
}

// expectation says what a field of a Go type should be.
func expectation(t reflect.Type) string {
	if t == nil {
		return "has the wrong type"
	}
	switch t.Kind() {
	case reflect.String:
		return "must be a string"
	case reflect.Int64:
		return "must be a whole number"
	case reflect.Struct:
		return "must be a JSON object"
	}
	return "has the wrong type"
}
