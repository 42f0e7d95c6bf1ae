package api

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

// readJSON reads the body of a request to its end.
func readJSON(w http.ResponseWriter, r *http.Request) ([]byte, error) {
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

// refuseBody refuses a body that says anything: the path says it all.
func refuseBody(w http.ResponseWriter, r *http.Request) error {
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

// decodeBody decodes a body, which must be a JSON object, into the struct that v points to. It
// is the only decoder of bodies, and strict: one value, exact field names, no field twice,
// valid UTF-8. Fields that it does not know are ignored, as the original does; routes that
// the original does not have refuse them with an option.
func decodeBody(data []byte, v any, options ...json.Options) error {
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

// checkType refuses bodies that are declared to be something else than JSON. No declaration
// at all is fine: clients of the original send none.
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

// explain says which field a decoding error is about and what it should be.
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

// field turns a JSON pointer into the name of a field: /starts_at into starts_at.
func field(p jsontext.Pointer) string {
	if p == "" {
		return "body"
	}
	return strings.ReplaceAll(strings.TrimPrefix(string(p), "/"), "/", ".")
}

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
