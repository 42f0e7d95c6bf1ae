// Package openapi is the part of OpenAPI 3.1 that describes this service: a document as Go
// values, JSON Schemas made from Go types by reflection, and the comparison of two
// documents that finds what would break a client.
package openapi

import (
	"cmp"
	"iter"
	"maps"
	"slices"
)

// Document is an OpenAPI document.
type Document struct {
	OpenAPI    string               `json:"openapi"`
	Info       Info                 `json:"info"`
	Servers    []Server             `json:"servers,omitempty"`
	Tags       []Tag                `json:"tags,omitempty"`
	Paths      map[string]*PathItem `json:"paths"`
	Webhooks   map[string]*PathItem `json:"webhooks,omitempty"`
	Components Components           `json:"components"`
	// Security has the alternatives of operations that have none of their own.
	Security []map[string][]string `json:"security,omitempty"`
}

// Info says what the document is about.
type Info struct {
	Title       string   `json:"title"`
	Version     string   `json:"version"`
	Description string   `json:"description,omitempty"`
	License     *License `json:"license,omitempty"`
}

// License says under which terms the service may be used.
type License struct {
	Name       string `json:"name"`
	Identifier string `json:"identifier,omitempty"` // of SPDX
}

// Server is where the paths begin. A relative URL starts from where the document is served.
type Server struct {
	URL         string `json:"url"`
	Description string `json:"description,omitempty"`
}

// Tag is a group of operations.
type Tag struct {
	Name        string `json:"name"`
	Description string `json:"description,omitempty"`
}

// Components holds what operations refer to.
type Components struct {
	Schemas         map[string]*Schema        `json:"schemas,omitempty"`
	SecuritySchemes map[string]SecurityScheme `json:"securitySchemes,omitempty"`
	Headers         map[string]Header         `json:"headers,omitempty"`
}

// SecurityScheme is a way to prove who one is.
type SecurityScheme struct {
	Type         string `json:"type"`
	Scheme       string `json:"scheme,omitempty"`
	BearerFormat string `json:"bearerFormat,omitempty"`
	Description  string `json:"description,omitempty"`
}

// PathItem has the operations of one path.
type PathItem struct {
	Get     *Operation `json:"get,omitempty"`
	Put     *Operation `json:"put,omitempty"`
	Post    *Operation `json:"post,omitempty"`
	Delete  *Operation `json:"delete,omitempty"`
	Options *Operation `json:"options,omitempty"`
	Head    *Operation `json:"head,omitempty"`
	Patch   *Operation `json:"patch,omitempty"`
}

// at is the place of a method's operation, nil when OpenAPI has no such place.
func (p *PathItem) at(method string) **Operation {
	switch method {
	case "GET":
		return &p.Get
	case "PUT":
		return &p.Put
	case "POST":
		return &p.Post
	case "DELETE":
		return &p.Delete
	case "OPTIONS":
		return &p.Options
	case "HEAD":
		return &p.Head
	case "PATCH":
		return &p.Patch
	}
	return nil
}

// Operation is one method of one path.
type Operation struct {
	OperationID string               `json:"operationId"`
	Summary     string               `json:"summary"`
	Description string               `json:"description,omitempty"`
	Tags        []string             `json:"tags,omitempty"`
	Parameters  []Parameter          `json:"parameters,omitempty"`
	RequestBody *RequestBody         `json:"requestBody,omitempty"`
	Responses   map[string]*Response `json:"responses"`
	// Security has the alternatives; one with no scheme in it is none.
	Security []map[string][]string `json:"security,omitempty"`
}

// Parameter is a part of the path, of the query, or a header.
type Parameter struct {
	Name        string  `json:"name"`
	In          string  `json:"in"`
	Description string  `json:"description,omitempty"`
	Required    bool    `json:"required,omitzero"`
	Schema      *Schema `json:"schema"`
}

// RequestBody is what an operation reads.
type RequestBody struct {
	Description string               `json:"description,omitempty"`
	Required    bool                 `json:"required,omitzero"`
	Content     map[string]MediaType `json:"content"`
}

// Response is one status of an operation.
type Response struct {
	Description string               `json:"description"`
	Headers     map[string]Header    `json:"headers,omitempty"`
	Content     map[string]MediaType `json:"content,omitempty"`
	Links       map[string]Link      `json:"links,omitempty"`
}

// Header is a header of a response, or refers to one of the components.
type Header struct {
	Ref         string  `json:"$ref,omitempty"`
	Description string  `json:"description,omitempty"`
	Required    bool    `json:"required,omitzero"`
	Schema      *Schema `json:"schema,omitempty"`
}

// Link says which operation may follow on a response, and with what of it.
type Link struct {
	OperationID string            `json:"operationId"`
	Parameters  map[string]string `json:"parameters,omitempty"`
}

// MediaType is a body.
type MediaType struct {
	Schema  *Schema `json:"schema,omitempty"`
	Example any     `json:"example,omitempty"`
}

// Add places an operation. It panics when the place is taken or OpenAPI has none for the
// method: the caller's table is wrong.
func (d *Document) Add(method, path string, op *Operation) {
	if d.Paths == nil {
		d.Paths = make(map[string]*PathItem)
	}
	item := d.Paths[path]
	if item == nil {
		item = &PathItem{}
		d.Paths[path] = item
	}
	place := item.at(method)
	if place == nil || *place != nil {
		panic("openapi: no place for " + method + " " + path)
	}
	*place = op
}

// Place is where an operation is found.
type Place struct{ Method, Path string }

// String is the place as it is written in documentation: GET /api/events.
func (p Place) String() string { return p.Method + " " + p.Path }

// Operations are all operations by path and method.
func (d *Document) Operations() iter.Seq2[Place, *Operation] {
	return func(yield func(Place, *Operation) bool) {
		for _, path := range slices.SortedFunc(maps.Keys(d.Paths), cmp.Compare[string]) {
			item := d.Paths[path]
			for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"} {
				if op := *item.at(method); op != nil && !yield(Place{method, path}, op) {
					return
				}
			}
		}
	}
}

// Find is the operation at a place, or nil.
func (d *Document) Find(p Place) *Operation {
	item := d.Paths[p.Path]
	if item == nil {
		return nil
	}
	if place := item.at(p.Method); place != nil {
		return *place
	}
	return nil
}
