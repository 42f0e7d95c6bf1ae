package openapi

import (
	"encoding"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Schema is the part of JSON Schema 2020-12 that is used here.
type Schema struct {
	Ref                  string             `json:"$ref,omitempty"`
	Title                string             `json:"title,omitempty"`
	Type                 Type               `json:"type,omitempty"`
	Format               string             `json:"format,omitempty"`
	Description          string             `json:"description,omitempty"`
	Const                string             `json:"const,omitempty"`
	Enum                 []string           `json:"enum,omitempty"`
	Pattern              string             `json:"pattern,omitempty"`
	MinLength            *int               `json:"minLength,omitempty"`
	MaxLength            *int               `json:"maxLength,omitempty"`
	Minimum              *int64             `json:"minimum,omitempty"`
	Maximum              *int64             `json:"maximum,omitempty"`
	Default              any                `json:"default,omitempty"`
	Examples             []any              `json:"examples,omitempty"`
	Items                *Schema            `json:"items,omitempty"`
	MaxItems             *int               `json:"maxItems,omitempty"`
	UniqueItems          bool               `json:"uniqueItems,omitzero"`
	Properties           map[string]*Schema `json:"properties,omitempty"`
	Required             []string           `json:"required,omitempty"`
	AdditionalProperties *bool              `json:"additionalProperties,omitempty"`
	ReadOnly             bool               `json:"readOnly,omitzero"`
}

// Type is the name of a type, or of several with | between them, which JSON has as an array.
type Type string

// MarshalJSONTo writes a text or an array of them.
func (t Type) MarshalJSONTo(to *jsontext.Encoder) error {
	if names := t.names(); len(names) > 1 {
		return json.MarshalEncode(to, names)
	}
	return json.MarshalEncode(to, string(t))
}

// UnmarshalJSONFrom reads a text or an array of them.
func (t *Type) UnmarshalJSONFrom(from *jsontext.Decoder) error {
	if from.PeekKind() != '[' {
		return json.UnmarshalDecode(from, (*string)(t))
	}
	var names []string
	err := json.UnmarshalDecode(from, &names)
	*t = Type(strings.Join(names, "|"))
	return err
}

// String is for people.
func (t Type) String() string { return strings.Join(t.names(), " or ") }

func (t Type) names() []string { return strings.Split(string(t), "|") }

// within reports whether all that fits t fits wide.
func (t Type) within(wide Type) bool {
	return !slices.ContainsFunc(t.names(), func(name string) bool { return !slices.Contains(wide.names(), name) })
}

// Length bounds a text, in characters. It returns s.
func (s *Schema) Length(least, most int) *Schema {
	s.MinLength, s.MaxLength = &least, &most
	return s
}

// Between bounds a number. It returns s.
func (s *Schema) Between(least, most int64) *Schema {
	s.Minimum, s.Maximum = &least, &most
	return s
}

const refPrefix = "#/components/schemas/"

// Ref refers to a component.
func Ref(name string) *Schema { return &Schema{Ref: refPrefix + name} }

// Resolve follows a reference within the document.
func (d *Document) Resolve(s *Schema) *Schema {
	for s != nil && s.Ref != "" {
		s = d.Components.Schemas[strings.TrimPrefix(s.Ref, refPrefix)]
	}
	return s
}

// Schemas makes schemas from Go types and gathers those of structs as components.
type Schemas struct {
	// Known has the schemas of types that are not to be looked into, such as a time. They
	// become components under the given names.
	Known map[reflect.Type]Named
	// Fields has what a Go type cannot say about a field of a struct.
	Fields map[Field]*Schema
	// Names has the component names of structs: each needs one.
	Names map[reflect.Type]string
	// Closed are the structs that take no fields but their own.
	Closed []reflect.Type

	components map[string]*Schema
	used       map[Field]bool
}

// Named is a schema with the name of its component.
type Named struct {
	Name   string
	Schema *Schema
}

// Field is a field of a struct by the name that it has in JSON.
type Field struct {
	Type reflect.Type
	Name string
}

// Components are the schemas that were referred to so far.
func (s *Schemas) Components() map[string]*Schema { return s.components }

// Unused lists those of Fields that no struct has: they are misspelt.
func (s *Schemas) Unused() []string {
	var unused []string
	for f := range maps.Keys(s.Fields) {
		if !s.used[f] {
			unused = append(unused, f.Type.Name()+"."+f.Name)
		}
	}
	slices.Sort(unused)
	return unused
}

// Of is the schema of a type: a reference for a struct. It panics for what JSON or this
// service has no use for.
func (s *Schemas) Of(t reflect.Type) *Schema {
	if known, ok := s.Known[t]; ok {
		s.add(known.Name, known.Schema)
		return Ref(known.Name)
	}
	switch t.Kind() {
	case reflect.Pointer:
		return s.Of(t.Elem())
	case reflect.String:
		return &Schema{Type: "string"}
	case reflect.Bool:
		return &Schema{Type: "boolean"}
	case reflect.Int, reflect.Int64:
		return &Schema{Type: "integer", Format: "int64"}
	case reflect.Slice:
		return &Schema{Type: "array", Items: s.Of(t.Elem())}
	case reflect.Struct:
		return s.object(t)
	}
	panic(fmt.Sprintf("openapi: no schema for %v", t))
}

func (s *Schemas) add(name string, schema *Schema) {
	if s.components == nil {
		s.components = make(map[string]*Schema)
		s.used = make(map[Field]bool)
	}
	if old, ok := s.components[name]; ok && old != schema {
		panic("openapi: two components are called " + name)
	}
	s.components[name] = schema
}

func (s *Schemas) object(t reflect.Type) *Schema {
	name := s.Names[t]
	if name == "" || t.Implements(reflect.TypeFor[encoding.TextMarshaler]()) {
		panic(fmt.Sprintf("openapi: %v has no name for its component", t))
	}
	if _, ok := s.components[name]; ok {
		return Ref(name)
	}
	object := &Schema{Type: "object", Properties: make(map[string]*Schema)}
	if slices.Contains(s.Closed, t) {
		object.AdditionalProperties = new(bool)
	}
	s.add(name, object)
	for f := range t.Fields() {
		property, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if !f.IsExported() || property == "-" {
			continue
		}
		schema, ok := s.Fields[Field{t, property}]
		if ok {
			s.used[Field{t, property}] = true
		} else {
			schema = s.Of(f.Type)
		}
		object.Properties[property] = schema
		if !strings.Contains(options, "omit") {
			object.Required = append(object.Required, property)
		}
	}
	return Ref(name)
}
