package openapi_test

import (
	"bytes"
	"reflect"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"

	"github.com/eventio/eventio/api/describe/openapi"
)

type answer struct {
	ID   string   `json:"id"`
	Tags []string `json:"tags"`
	Note string   `json:"note,omitempty"`
}

type question struct {
	Name string `json:"name"`
	Size int64  `json:"size,omitzero"`
}

func example() *openapi.Document {
	s := openapi.Schemas{
		Names: map[reflect.Type]string{reflect.TypeFor[answer](): "Answer", reflect.TypeFor[question](): "Question"},
		Fields: map[openapi.Field]*openapi.Schema{
			{Type: reflect.TypeFor[question](), Name: "name"}: (&openapi.Schema{Type: "string"}).Length(1, 10),
			{Type: reflect.TypeFor[question](), Name: "size"}: (&openapi.Schema{Type: "integer|null"}).Between(1, 9),
		},
	}
	d := &openapi.Document{OpenAPI: "3.1.0"}
	d.Add("POST", "/things", &openapi.Operation{
		OperationID: "make",
		Parameters: []openapi.Parameter{
			{Name: "sort", In: "query", Schema: &openapi.Schema{Type: "string", Enum: []string{"up", "down"}}},
		},
		RequestBody: &openapi.RequestBody{Content: map[string]openapi.MediaType{
			"application/json": {Schema: s.Of(reflect.TypeFor[question]())},
		}},
		Responses: map[string]*openapi.Response{"201": {
			Headers: map[string]openapi.Header{"Location": {Schema: &openapi.Schema{Type: "string"}}},
			Content: map[string]openapi.MediaType{"application/json": {Schema: s.Of(reflect.TypeFor[answer]())}},
		}, "409": {}},
	})
	d.Components.Schemas = s.Components()
	return d
}

func TestSchemasFollowTheTypes(t *testing.T) {
	d := example()
	got := d.Components.Schemas["Answer"]
	if strings.Join(got.Required, ",") != "id,tags" || got.Properties["tags"].Items.Type != "string" {
		t.Fatalf("Answer is %+v", got)
	}
	if q := d.Components.Schemas["Question"].Properties["name"]; *q.MaxLength != 10 {
		t.Fatalf("name is %+v", q)
	}
	s := openapi.Schemas{
		Names:  map[reflect.Type]string{reflect.TypeFor[question](): "Question"},
		Closed: []reflect.Type{reflect.TypeFor[question]()},
	}
	s.Of(reflect.TypeFor[question]())
	if q := s.Components()["Question"]; q.AdditionalProperties == nil || *q.AdditionalProperties {
		t.Fatalf("Question is %+v", q)
	}
}

func TestBreaking(t *testing.T) {
	post := func(d *openapi.Document) *openapi.Operation {
		return d.Find(openapi.Place{Method: "POST", Path: "/things"})
	}
	longer := 20
	for name, c := range map[string]struct {
		change func(*openapi.Document)
		want   string // part of the one finding; empty: none
	}{
		"nothing":               {func(*openapi.Document) {}, ""},
		"a new path":            {func(d *openapi.Document) { d.Add("GET", "/other", &openapi.Operation{}) }, ""},
		"a new optional field":  {func(d *openapi.Document) { d.Components.Schemas["Answer"].Properties["x"] = openapi.Ref("Answer") }, ""},
		"a new error":           {func(d *openapi.Document) { post(d).Responses["429"] = &openapi.Response{} }, ""},
		"more is taken":         {func(d *openapi.Document) { d.Components.Schemas["Question"].Properties["name"].MaxLength = &longer }, ""},
		"a path is gone":        {func(d *openapi.Document) { delete(d.Paths, "/things") }, "POST /things is gone"},
		"a status is gone":      {func(d *openapi.Document) { delete(post(d).Responses, "409") }, "409 is gone"},
		"a new success":         {func(d *openapi.Document) { post(d).Responses["200"] = &openapi.Response{} }, "answers 200"},
		"a header is gone":      {func(d *openapi.Document) { post(d).Responses["201"].Headers = nil }, "Location"},
		"an answer lost one":    {func(d *openapi.Document) { delete(d.Components.Schemas["Answer"].Properties, "id") }, ".id is gone"},
		"an answer may miss":    {func(d *openapi.Document) { d.Components.Schemas["Answer"].Required = []string{"tags"} }, ".id may be missing"},
		"an answer's type":      {func(d *openapi.Document) { d.Components.Schemas["Answer"].Properties["id"].Type = "integer" }, ".id was string"},
		"null is taken too":     {func(d *openapi.Document) { d.Components.Schemas["Question"].Properties["name"].Type = "string|null" }, ""},
		"an answer may be null": {func(d *openapi.Document) { d.Components.Schemas["Answer"].Properties["id"].Type = "string|null" }, ".id was string"},
		"unknown fields":        {func(d *openapi.Document) { d.Components.Schemas["Question"].AdditionalProperties = new(bool) }, "no unknown fields"},
		"a field is required":   {func(d *openapi.Document) { d.Components.Schemas["Question"].Required = []string{"name", "size"} }, ".size is required"},
		"less is taken":         {func(d *openapi.Document) { d.Components.Schemas["Question"].Properties["name"].Length(2, 10) }, "minLength"},
		"smaller numbers":       {func(d *openapi.Document) { d.Components.Schemas["Question"].Properties["size"].Between(1, 8) }, "maximum"},
		"a value is gone":       {func(d *openapi.Document) { post(d).Parameters[0].Schema.Enum = []string{"up"} }, "down"},
		"a parameter is gone":   {func(d *openapi.Document) { post(d).Parameters = nil }, "query sort"},
		"a parameter is needed": {func(d *openapi.Document) { post(d).Parameters[0].Required = true }, "needs the query sort"},
		"a body is needed":      {func(d *openapi.Document) { post(d).RequestBody.Required = true }, "needs a body"},
		"another name":          {func(d *openapi.Document) { post(d).OperationID = "create" }, "operationId"},
	} {
		t.Run(name, func(t *testing.T) {
			after := example()
			c.change(after)
			got := openapi.Breaking(example(), after)
			if c.want == "" && len(got) > 0 || c.want != "" && (len(got) != 1 || !strings.Contains(got[0], c.want)) {
				t.Fatalf("found %q, want %q", got, c.want)
			}
		})
	}
}

func TestADocumentSurvivesJSON(t *testing.T) {
	data, err := json.Marshal(example())
	if err != nil {
		t.Fatal(err)
	}
	var back openapi.Document
	if !bytes.Contains(data, []byte(`"type":["integer","null"]`)) {
		t.Fatalf("several types are not an array: %s", data)
	}
	if err := json.Unmarshal(data, &back, json.RejectUnknownMembers(true)); err != nil {
		t.Fatal(err)
	}
	if found := openapi.Breaking(example(), &back); len(found) > 0 {
		t.Fatal(found)
	}
}
