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
		return nil, problem(CodeTooLarge, fmt.Sprintf("The body may have %d bytes at most.", MaxBody))
	case err != nil:
		return nil, invalid(FieldError{"body", "could not be read to its end; send it whole"})
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
		return invalid(FieldError{"body", "must be empty; the path says who and where"})
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
		return invalid(FieldError{"body", "is empty; send a JSON object"})
	case string(bytes.TrimSpace(data)) == "null": // which a struct would take for {}
		return invalid(FieldError{"body", "must be a JSON object"})
	}
	if err := json.Unmarshal(data, v, options...); err != nil {
		return invalid(explain(err))
	}
	return nil
}

// checkType refuses bodies that are declared to be something else than JSON. No declaration
// at all is fine: clients of the original send none.
func checkType(h http.Header) error {
	if e := h.Get("Content-Encoding"); e != "" && !strings.EqualFold(e, "identity") {
		return problem(CodeUnsupportedMediaType, "Send the body without a Content-Encoding.")
	}
	t := h.Get("Content-Type")
	if t == "" || t == "application/json" {
		return nil
	}
	media, _, err := mime.ParseMediaType(t)
	if err != nil || media != "application/json" {
		return problem(CodeUnsupportedMediaType, "Send JSON with Content-Type: application/json.")
	}
	return nil
}

// explain says which field a decoding error is about and what it should be.
func explain(err error) FieldError {
	var semantic *json.SemanticError
	var syntactic *jsontext.SyntacticError
	switch {
	case errors.Is(err, json.ErrUnknownName) && errors.As(err, &semantic):
		return FieldError{field(semantic.JSONPointer), "is not known"}
	case errors.As(err, &semantic):
		return FieldError{field(semantic.JSONPointer), expectation(semantic.GoType)}
	case errors.As(err, &syntactic):
		f := field(syntactic.JSONPointer)
		switch {
		case errors.Is(err, jsontext.ErrDuplicateName):
			return FieldError{f, "is there twice; send it once"}
		case strings.Contains(syntactic.Error(), "UTF-8"):
			return FieldError{f, "must be valid UTF-8"}
		}
		return FieldError{"body", fmt.Sprintf("is not one well-formed JSON object (at byte %d)", syntactic.ByteOffset)}
	}
	return FieldError{"body", "is not one well-formed JSON object"}
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
