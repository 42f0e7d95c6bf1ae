package api

import (
	"bytes"
	"flag"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"

	"github.com/eventio/eventio/api/describe"
	"github.com/eventio/eventio/api/describe/openapi"
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
	now := describe.Document(described((&API{}).table()))
	text, err := describe.Marshal(now)
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
	d := describe.Document(described(table))
	page := describe.Render(described(table)).HTML
	guide, err := os.ReadFile("../docs/api.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, rt := range table {
		o, name := rt.operation, rt.method+" "+rt.pattern
		if o.ID == "" || o.Summary == "" || o.Description == "" || len(o.Answers) == 0 {
			t.Errorf("%s lacks an id, a summary, a description or its answers", name)
		}
		if ids[o.ID] {
			t.Errorf("%s: the id %s appears twice", name, o.ID)
		}
		ids[o.ID] = true
		if !slices.ContainsFunc(d.Tags, func(tag openapi.Tag) bool { return tag.Name == o.Tag }) {
			t.Errorf("%s: no tag is called %q", name, o.Tag)
		}
		for _, a := range o.Answers {
			if a.Description == "" {
				t.Errorf("%s: %d says nothing", name, a.Status)
			}
			if strings.HasPrefix(rt.pattern, "/api/") && a.Body != nil && a.Example == nil {
				t.Errorf("%s: %d has no example", name, a.Status)
			}
			if a.Status == 201 && !slices.Contains(a.Headers, "Location") {
				t.Errorf("%s: 201 without Location", name)
			}
		}
		if !bytes.Contains(page, []byte(`id="`+o.ID+`"`)) {
			t.Errorf("%s is not on the page", name)
		}
		if !bytes.Contains(guide, []byte(name)) {
			t.Errorf("%s is not in docs/api.md", name)
		}
	}
}

// TestEveryCodeIsDocumented: each code is one that some operation may answer, or one that
// comes before any operation.
func TestEveryCodeIsDocumented(t *testing.T) {
	documented := []problem.Code{problem.NotFound, problem.MethodNotAllowed} // no operation, no path
	for _, rt := range described((&API{}).table()) {
		documented = append(documented, rt.Codes()...)
	}
	for c := range problem.Codes() {
		if !slices.Contains(documented, c) {
			t.Errorf("no operation documents %s", c)
		}
	}
}
