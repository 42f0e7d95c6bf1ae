package describe

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"maps"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/eventio/eventio/api/describe/openapi"
)

//go:embed docs
var docsFiles embed.FS

// The media types of Rendered, and the Content-Security-Policy of its page.
const (
	HTMLMedia = "text/html; charset=utf-8"
	CSSMedia  = "text/css; charset=utf-8"
	JSONMedia = "application/json"
	// PagePolicy lets the page use its style sheet and nothing else.
	PagePolicy = "default-src 'none'; style-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)

// Rendered is the description in the forms in which it is served.
type Rendered struct {
	JSON, HTML, CSS []byte
	// AnswerHeaders are the names of the headers that answers may have.
	AnswerHeaders []string
}

// Render makes the description of the routes. All of it comes from the program itself, so it
// fails always or never: it panics.
func Render(routes []Route) Rendered {
	d := Document(routes)
	out := Rendered{AnswerHeaders: answerHeaders(d)}
	var err error
	if out.JSON, err = Marshal(d); err != nil {
		panic(fmt.Sprintf("describe: encode the description: %v", err))
	}
	if out.HTML, err = renderDocs(d); err != nil {
		panic(fmt.Sprintf("describe: render the description: %v", err))
	}
	if out.CSS, err = docsFiles.ReadFile("docs/docs.css"); err != nil {
		panic(fmt.Sprintf("describe: %v", err))
	}
	return out
}

// Marshal writes a document for people and for diff: indented, keys in one order.
func Marshal(d *openapi.Document) ([]byte, error) {
	data, err := json.Marshal(d, json.Deterministic(true), jsontext.WithIndent("  "))
	return append(data, '\n'), err
}

// docsGroup is the operations of one tag.
type docsGroup struct {
	Tag     openapi.Tag
	Entries []docsEntry
}

type docsEntry struct {
	Place     openapi.Place
	Operation *openapi.Operation
}

// docsField is a line about one field of an object.
type docsField struct {
	Name, Type, Description, Constraints string
	Required                             bool
}

// renderDocs makes the page.
func renderDocs(d *openapi.Document) ([]byte, error) {
	groups := make([]docsGroup, len(d.Tags))
	for i, tag := range d.Tags {
		groups[i].Tag = tag
		for place, op := range d.Operations() {
			if slices.Contains(op.Tags, tag.Name) {
				groups[i].Entries = append(groups[i].Entries, docsEntry{place, op})
			}
		}
	}
	page, err := template.New("docs.html").Funcs(template.FuncMap{
		"marked":      marked,
		"curl":        curl,
		"constraints": func(s *openapi.Schema) string { return constraints(d.Resolve(s)) },
		"fields":      func(s *openapi.Schema) []docsField { return docsFields(d, d.Resolve(s)) },
		"example": func(v any) (string, error) {
			data, err := json.Marshal(v, jsontext.WithIndent("  "))
			return string(data), err
		},
	}).ParseFS(docsFiles, "docs/docs.html")
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	err = page.Execute(&out, struct {
		Document *openapi.Document
		Groups   []docsGroup
	}{d, groups})
	return out.Bytes(), err
}

func docsFields(d *openapi.Document, object *openapi.Schema) []docsField {
	var list []docsField
	for _, name := range slices.Sorted(maps.Keys(object.Properties)) {
		s := d.Resolve(object.Properties[name])
		list = append(list, docsField{
			Name: name, Type: s.Type.String(), Description: s.Description, Constraints: constraints(s),
			Required: slices.Contains(object.Required, name),
		})
	}
	return list
}

// marked escapes a text and makes what stands between `backticks` code.
func marked(text string) template.HTML {
	var b strings.Builder
	for i, part := range strings.Split(text, "`") {
		part = template.HTMLEscapeString(part)
		if i%2 == 1 {
			part = "<code>" + part + "</code>"
		}
		b.WriteString(part)
	}
	return template.HTML(b.String()) //nolint:gosec // of texts of this program, each escaped above
}

// constraints says in words what a schema allows.
func constraints(s *openapi.Schema) string {
	var parts []string
	if s.Format != "" && s.Format != "int64" {
		parts = append(parts, s.Format)
	}
	if s.MinLength != nil && s.MaxLength != nil {
		parts = append(parts, fmt.Sprintf("%d to %d characters", *s.MinLength, *s.MaxLength))
	}
	if s.Minimum != nil && s.Maximum != nil {
		parts = append(parts, fmt.Sprintf("%d to %d", *s.Minimum, *s.Maximum))
	}
	if len(s.Enum) > 0 {
		parts = append(parts, "one of "+strings.Join(s.Enum, ", "))
	}
	if len(parts) == 0 {
		return ""
	}
	return "(" + strings.Join(parts, "; ") + ")"
}
