// Package input reads what clients send: bodies, fields, queries and cursors. It asks nobody and
// knows no route. Whatever is wrong with an input becomes a problem that names the field.
package input

import (
	"bytes"
	"errors"
	"fmt"
	"io"
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
	kind, err := bodyKind(r)
	if err != nil {
		return nil, err
	}
	data, err := readAtMost(w, r, MaxBody)
	if err != nil {
		return nil, err
	}
	// What the JSON decoder would refuse anyway is told by its type: a form sent as a form.
	if begin := bytes.TrimLeft(data, whiteSpace); kind == undeclared && len(begin) > 0 && begin[0] != '{' {
		return nil, problem.New(problem.UnsupportedMediaType)
	}
	return data, nil
}

// whiteSpace is that of JSON.
const whiteSpace = " \t\r\n"

// readAtMost reads a body to its end, unless it is longer than most bytes. A client that waits to be
// told whether to send one that is too long (Expect: 100-continue) is told not to: nothing is read.
func readAtMost(w http.ResponseWriter, r *http.Request, most int64) (data []byte, err error) {
	var tooLarge *http.MaxBytesError
	switch {
	case r.ContentLength > most && r.Header.Get("Expect") != "":
		err = &http.MaxBytesError{Limit: most}
	case r.ContentLength > 0 && r.ContentLength <= most: // net/http reads no further
		data = make([]byte, r.ContentLength)
		_, err = io.ReadFull(r.Body, data)
	default:
		data, err = io.ReadAll(http.MaxBytesReader(w, r.Body, most))
	}
	switch {
	case errors.As(err, &tooLarge):
		return nil, problem.Newf(problem.TooLarge, "The body may have %d bytes at most.", most)
	case err != nil:
		return nil, problem.InvalidField("body", "could not be read to its end; send it whole")
	}
	return data, nil
}

// maxNothing bounds a body that says nothing, in bytes.
const maxNothing = 1 << 10

// RefuseBody fails when a request has a body that says something. Nothing, blanks, {} and null say
// nothing: many HTTP libraries send one of them with every POST, PUT or DELETE.
func RefuseBody(w http.ResponseWriter, r *http.Request) error {
	if r.ContentLength == 0 || r.Body == http.NoBody {
		return nil
	}
	kind, err := bodyKind(r)
	if err != nil {
		return err
	}
	data, err := readAtMost(w, r, maxNothing)
	if err == nil && saysNothing(data) {
		return nil
	}
	if kind == undeclared {
		return problem.New(problem.UnsupportedMediaType)
	}
	return problem.InvalidField("body", "must be empty, or {}")
}

// saysNothing reports whether a body is blank, an object without members, or null.
func saysNothing(data []byte) bool {
	text := string(bytes.Trim(data, whiteSpace))
	if inside, ok := strings.CutPrefix(text, "{"); ok {
		text, ok = strings.CutSuffix(inside, "}")
		return ok && strings.Trim(text, whiteSpace) == ""
	}
	return text == "" || text == "null"
}

// Decode decodes a body, which must be a JSON object, into the struct that v points to. It is the
// only decoder of bodies, and strict where a body could mean two things: one value, exact field names,
// no field twice, valid UTF-8. A whole number may be written as 10, 10.0 or 1e1. Unknown fields are
// ignored, as the original does; routes that the original does not have refuse them with the option
// json.RejectUnknownMembers(true), as all do for clients that Prefer handling=strict.
func Decode(data []byte, v any, options ...json.Options) error {
	switch {
	case len(data) == 0:
		return problem.InvalidField("body", "is empty; send a JSON object")
	case string(bytes.TrimSpace(data)) == "null": // which a struct would take for {}
		return problem.InvalidField("body", "must be a JSON object")
	}
	if err := json.Unmarshal(data, v, append(options, wholeNumbers())...); err != nil {
		return problem.InvalidField(explain(err))
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
	if t.Kind() == reflect.Pointer { // of what numbers are decoded with
		t = t.Elem()
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
