package contracttest

import (
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/eventio/eventio/api/describe/openapi"
)

// conforms holds an answer against the document: its status, headers, type, fields and, for
// a problem, that this operation may have this code.
func (s *site) conforms(method, path string, a answer) {
	s.t.Helper()
	if a.header.Get("X-Request-Id") == "" {
		s.t.Errorf("%s %s: no X-Request-Id", method, path)
	}
	if method == http.MethodHead {
		method = http.MethodGet
	}
	path, _, _ = strings.Cut(path, "?")
	op := s.operation(openapi.Place{Method: method, Path: path})
	if op == nil { // no such path or method
		if a.status != http.StatusNotFound && a.status != http.StatusMethodNotAllowed && method != http.MethodOptions {
			s.t.Errorf("%s %s is not documented and answers %d", method, path, a.status)
		}
		return
	}
	where := method + " " + path + " " + strconv.Itoa(a.status)
	res := op.Responses[strconv.Itoa(a.status)]
	if res == nil {
		s.t.Errorf("%s is not documented: %s", where, a.body)
		return
	}
	for name, h := range res.Headers {
		if h.Required && a.header.Get(name) == "" {
			s.t.Errorf("%s: no %s", where, name)
		}
	}
	media := a.header.Get("Content-Type")
	content, ok := res.Content[media]
	if !ok && (media != "" || len(res.Content) > 0) {
		s.t.Errorf("%s: Content-Type is %s", where, media)
	}
	if len(a.body) == 0 || a.header.Get("Content-Encoding") != "" || media != "application/json" && media != "application/problem+json" {
		return
	}
	var v any
	if err := json.Unmarshal(a.body, &v); err != nil {
		s.t.Errorf("%s: %v", where, err)
		return
	}
	if path != "/openapi.json" { // which is not described in itself
		s.fits(where, content.Schema, v)
	}
	if media == "application/problem+json" {
		if code, _ := v.(map[string]any)["code"].(string); !strings.Contains(res.Description, "`"+code+"`") {
			s.t.Errorf("%s: the code %s is not documented", where, code)
		}
	}
}

// operation finds the operation of a path, trying {names} for its parts.
func (s *site) operation(p openapi.Place) *openapi.Operation {
	if op := s.doc.Find(p); op != nil {
		return op
	}
	parts := strings.Split(p.Path, "/")
	for _, pattern := range slices.Sorted(maps.Keys(s.doc.Paths)) {
		names := strings.Split(pattern, "/")
		same := len(names) == len(parts)
		for i := 0; same && i < len(names); i++ {
			same = names[i] == parts[i] || strings.HasPrefix(names[i], "{") && parts[i] != ""
		}
		if same {
			return s.doc.Find(openapi.Place{Method: p.Method, Path: pattern})
		}
	}
	return nil
}

// fits checks a value against a schema, and that an object has no field that is not
// documented.
func (s *site) fits(where string, schema *openapi.Schema, v any) {
	s.t.Helper()
	schema = s.doc.Resolve(schema)
	wrong := func() { s.t.Errorf("%s is %v, want %s %s", where, v, schema.Type, schema.Format) }
	switch schema.Type {
	case "object":
		object, ok := v.(map[string]any)
		if !ok {
			wrong()
			return
		}
		for name, value := range object {
			if schema.Properties[name] == nil {
				s.t.Errorf("%s.%s is not documented", where, name)
				continue
			}
			s.fits(where+"."+name, schema.Properties[name], value)
		}
		for _, name := range schema.Required {
			if _, ok := object[name]; !ok {
				s.t.Errorf("%s.%s is missing", where, name)
			}
		}
	case "array":
		list, ok := v.([]any)
		if !ok {
			wrong()
		}
		for _, item := range list {
			s.fits(where+"[]", schema.Items, item)
		}
	case "string":
		text, ok := v.(string)
		_, err := time.Parse(time.RFC3339, text)
		if !ok || schema.Format == "date-time" && err != nil ||
			schema.Pattern != "" && !regexp.MustCompile(schema.Pattern).MatchString(text) {
			wrong()
		}
	case "integer":
		if n, ok := v.(float64); !ok || n != float64(int64(n)) {
			wrong()
		}
	}
}
