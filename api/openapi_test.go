package api

import (
	"bytes"
	"flag"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"

	"github.com/eventio/eventio/api/openapi"
	"github.com/eventio/eventio/api/problem"
)

var (
	update = flag.Bool("update", false, "write docs/openapi.json anew")
	accept = flag.Bool("break", false, "with -update: also when the change breaks clients")
)

const committed = "../docs/openapi.json"

// TestOpenAPIIsCommitted: what is served is what is committed, and a change that breaks
// clients is written down only by someone who says so.
func TestOpenAPIIsCommitted(t *testing.T) {
	now := document((&API{}).table())
	text, err := marshalDocument(now)
	if err != nil {
		t.Fatal(err)
	}
	old, err := os.ReadFile(committed)
	if err != nil && !(*update && os.IsNotExist(err)) {
		t.Fatal(err)
	}
	if bytes.Equal(old, text) {
		return
	}
	var before openapi.Document
	if len(old) > 0 {
		if err := json.Unmarshal(old, &before, json.RejectUnknownMembers(true)); err != nil {
			t.Fatalf("%s: %v", committed, err)
		}
	}
	breaking := openapi.Breaking(&before, now)
	for _, b := range breaking {
		t.Log("breaks clients:", b)
	}
	switch {
	case !*update:
		t.Fatalf("%s is not what the code says; look at the difference after: make openapi", committed)
	case len(breaking) > 0 && !*accept:
		t.Fatal("the change breaks clients; if that is really meant: go test ./api -run TestOpenAPI -update -break")
	}
	if err := os.WriteFile(committed, text, 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestEveryRouteIsDocumented: a row without documentation does not compile, one with empty
// documentation fails here.
func TestEveryRouteIsDocumented(t *testing.T) {
	ids := make(map[string]bool)
	table := (&API{}).table()
	d := document(table)
	page, err := renderDocs(d)
	if err != nil {
		t.Fatal(err)
	}
	guide, err := os.ReadFile("../docs/api.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, rt := range table {
		o, name := rt.operation, rt.method+" "+rt.pattern
		if o.id == "" || o.summary == "" || o.description == "" || len(o.answers) == 0 {
			t.Errorf("%s lacks an id, a summary, a description or its answers", name)
		}
		if ids[o.id] {
			t.Errorf("%s: the id %s is there twice", name, o.id)
		}
		ids[o.id] = true
		if !slices.ContainsFunc(d.Tags, func(tag openapi.Tag) bool { return tag.Name == o.tag }) {
			t.Errorf("%s: no tag is called %q", name, o.tag)
		}
		for _, a := range o.answers {
			if a.description == "" {
				t.Errorf("%s: %d says nothing", name, a.status)
			}
			if strings.HasPrefix(rt.pattern, "/api/") && a.body != nil && a.example == nil {
				t.Errorf("%s: %d has no example", name, a.status)
			}
			if a.status == 201 && !slices.Contains(a.headers, "Location") {
				t.Errorf("%s: 201 without Location", name)
			}
		}
		if !bytes.Contains(page, []byte(`id="`+o.id+`"`)) {
			t.Errorf("%s is not on the page", name)
		}
		if !bytes.Contains(guide, []byte(name)) {
			t.Errorf("%s is not in docs/api.md", name)
		}
	}
	s := schemas()
	for _, rt := range table {
		rt.document(&s)
	}
	if unused := s.Unused(); len(unused) > 0 {
		t.Errorf("constraints for fields that are not there: %v", unused)
	}
}

// TestEveryCodeIsDocumented: each code is one that some operation may answer, or one that
// comes before any operation.
func TestEveryCodeIsDocumented(t *testing.T) {
	documented := []problem.Code{problem.NotFound, problem.MethodNotAllowed} // no operation, no path
	for _, rt := range (&API{}).table() {
		documented = append(documented, rt.codes()...)
	}
	for c := range problem.Codes() {
		if !slices.Contains(documented, c) {
			t.Errorf("no operation documents %s", c)
		}
	}
}
