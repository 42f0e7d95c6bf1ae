package api_test

import (
	"encoding/json"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// limitsOf are the least and the most of a field, in all places where clients send it.
type limitsOf struct{ least, most int64 }

// schema is what the test reads of a schema of the OpenAPI document.
type limitedSchema struct {
	MinLength, MaxLength *int64
	Minimum, Maximum     *int64
	Properties           map[string]limitedSchema
}

// TestLimitsAreTold: docs/api.md has the limits of every field that the OpenAPI document limits, and the
// same ones.
func TestLimitsAreTold(t *testing.T) {
	data, err := os.ReadFile("../docs/openapi.json")
	must(t, err)
	type parameter struct {
		Name   string
		Schema limitedSchema
	}
	var document struct {
		Paths map[string]map[string]struct {
			Parameters  []parameter
			RequestBody struct {
				Content map[string]struct {
					Schema struct {
						Ref string `json:"$ref"`
					}
				}
			}
		}
		Components struct {
			Schemas    map[string]limitedSchema
			Parameters map[string]parameter
		}
	}
	must(t, json.Unmarshal(data, &document))
	want := make(map[string]limitsOf)
	note := func(name string, s limitedSchema) {
		least, most := s.MinLength, s.MaxLength
		if most == nil {
			least, most = s.Minimum, s.Maximum
		}
		if most == nil || strings.HasSuffix(name, "_id") || name == "cursor" {
			return
		}
		l := limitsOf{most: *most}
		if least != nil {
			l.least = *least
		}
		if known, ok := want[name]; ok {
			l = limitsOf{min(l.least, known.least), max(l.most, known.most)}
		}
		want[name] = l
	}
	for _, path := range document.Paths {
		for _, operation := range path {
			for _, p := range operation.Parameters {
				note(p.Name, p.Schema)
			}
			for _, content := range operation.RequestBody.Content {
				for name, s := range document.Components.Schemas[strings.TrimPrefix(content.Schema.Ref, "#/components/schemas/")].Properties {
					note(name, s)
				}
			}
		}
	}
	for _, p := range document.Components.Parameters {
		note(p.Name, p.Schema)
	}
	page, err := os.ReadFile("../docs/api.md")
	must(t, err)
	_, table, _ := strings.Cut(string(page), "\n## Limits of fields\n")
	table, _, _ = strings.Cut(table, "\n## ")
	told := make(map[string]limitsOf)
	for _, row := range regexp.MustCompile("(?m)^\\| (`.*`) \\| ([0-9]+) \\| ([0-9]+) \\|").FindAllStringSubmatch(table, -1) {
		for name := range strings.SplitSeq(row[1], ", ") {
			least, _ := strconv.ParseInt(row[2], 10, 64)
			most, _ := strconv.ParseInt(row[3], 10, 64)
			told[strings.Trim(name, "`")] = limitsOf{least, most}
		}
	}
	if len(want) < 8 {
		t.Fatalf("only %d limits are found in the document", len(want))
	}
	for name, l := range want {
		if told[name] != l {
			t.Errorf("docs/api.md tells %+v of %s, the document %+v", told[name], name, l)
		}
	}
	for name := range told {
		if _, ok := want[name]; !ok {
			t.Errorf("docs/api.md tells of %s, which the document does not limit", name)
		}
	}
}
