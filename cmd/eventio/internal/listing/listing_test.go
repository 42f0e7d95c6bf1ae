package listing

import (
	"bytes"
	"testing"
)

// TestPrinter: scripts get a JSON object a line, people a table in which nothing moves their cursor.
func TestPrinter(t *testing.T) {
	type record struct {
		Name string `json:"name"`
		Size int    `json:"size"`
	}
	for _, c := range []struct {
		forPeople bool
		want      string
	}{
		{false, `{"name":"Ada \u001b[2J","size":1}` + "\n" + `{"name":"Bücher","size":200}` + "\n" + `{"name":"x","size":3}` + "\n"},
		{true, "NAME             SIZE\n\"Ada \\x1b[2J\\t\"  1\nBücher           200\n{\n\t\"name\": \"x\",\n\t\"size\": 3\n}\n"},
	} {
		var out bytes.Buffer
		p := newPrinter(&out, c.forPeople)
		for _, err := range []error{
			p.Head("NAME", "SIZE"), p.Row(record{"Ada \x1b[2J", 1}, "Ada \x1b[2J\t", "1"), p.Row(record{"Bücher", 200}, "Bücher", "200"), p.Flush(), p.One(record{"x", 3}),
		} {
			if err != nil {
				t.Fatal(err)
			}
		}
		if out.String() != c.want {
			t.Errorf("for people %t it prints\n%s\nwant\n%s", c.forPeople, &out, c.want)
		}
	}
	if p := (JSON{}).New(new(bytes.Buffer)); p.table != nil {
		t.Error("what is no terminal gets a table")
	}
}
