// Package describe describes the API to its clients: an OpenAPI document, made from the
// documentation of each route and the Go types of its bodies, and the same as a page for people.
package describe

import (
	"cmp"
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/eventio/eventio/api/describe/openapi"
	"github.com/eventio/eventio/api/problem"
	"github.com/eventio/eventio/api/wire"
)

// Route is what the description tells of a route.
type Route struct {
	Method, Pattern string
	// NeedsToken says that the route wants a token, in token mode.
	NeedsToken bool
	// Limited says that the route has a rate limit.
	Limited   bool
	Operation Operation
}

// Operation is the documentation of a route. What it says is checked: by the tests, which hold
// every answer against it, and by schemathesis.
type Operation struct {
	ID, Tag, Summary, Description string
	Parameters                    []openapi.Parameter // of the query and the headers; the path speaks for itself
	Body                          any                 // a value of the body's type; nil: there is none
	Media                         []string            // of the body, beside application/json
	Example                       any                 // a body
	Answers                       []Answer
	Problems                      []problem.Code // beside those that every route can have
}

// Answer is one way in which an operation succeeds.
type Answer struct {
	Status      int
	Description string
	Body        any      // a value of its type; nil: there is none
	Media       string   // application/json when empty
	Also        string   // another media type of the same content, as text; empty: there is none
	Headers     []string // beside X-Request-Id
	Example     any
	Links       map[string]openapi.Link
}

// securityScheme is the name of the way to show a token, in the document.
const securityScheme = "token"

// QueryNames returns the names of the parameters of the query.
func (o Operation) QueryNames() []string {
	var names []string
	for _, p := range o.Parameters {
		if p.In == "query" {
			names = append(names, p.Name)
		}
	}
	return names
}

// Codes returns all problem codes that the route may answer.
func (r Route) Codes() []problem.Code {
	all := append([]problem.Code{problem.Invalid, problem.Forbidden, problem.RateLimited, problem.Internal}, r.Operation.Problems...)
	if r.NeedsToken {
		all = append(all, problem.Unauthenticated)
	}
	if r.Operation.Body != nil {
		all = append(all, problem.TooLarge)
	}
	if r.Method != http.MethodGet { // whether or not there is a body, its type may name no other encoding than UTF-8
		all = append(all, problem.UnsupportedMediaType)
	}
	return all
}

// headerDocs documents a header of answers. It panics for one that it does not know.
func headerDocs(name string) openapi.Header {
	text := &openapi.Schema{Type: "string"}
	switch name {
	case wire.HeaderRequestID:
		return openapi.Header{Required: true, Description: "The request's own X-Request-Id when it was well-formed, else a new one.", Schema: requestIDSchema()}
	case "Location":
		return openapi.Header{Required: true, Description: "The path of what was created.", Schema: text}
	case wire.HeaderReplayed:
		return openapi.Header{Description: "true when this Idempotency-Key got this answer before.", Schema: &openapi.Schema{Type: "string", Const: "true"}}
	case "Content-Disposition":
		return openapi.Header{Description: "The name of a file to keep it in.", Schema: text}
	case "Link":
		return openapi.Header{Description: `<...>; rel="next" when there is a next page.`, Schema: text}
	case "ETag":
		return openapi.Header{Description: "Changes with the content; send it back in If-None-Match.", Schema: text}
	case "Preference-Applied":
		return openapi.Header{Description: "handling=strict when Prefer asked for it.", Schema: text}
	case problem.HeaderRetryAfter:
		return openapi.Header{Description: "Seconds to wait.", Schema: &openapi.Schema{Type: "string", Pattern: "^[0-9]+$"}}
	case problem.HeaderChallenge:
		return openapi.Header{Required: true, Description: "How to authenticate.", Schema: text}
	}
	panic("describe: no documentation for the header " + name)
}

// Document makes the OpenAPI document of the routes. It panics when a constraint is about a field
// that no body has.
func Document(routes []Route) *openapi.Document {
	schemas := schemas()
	d := &openapi.Document{
		OpenAPI: "3.1.0",
		Info: openapi.Info{
			Title:       "Event.io",
			Version:     "1",
			Description: "Registrations for events with few seats: never one seat too many, nobody twice, and a definite answer to everybody. Errors are problem documents (RFC 9457); programs read their code.",
			License:     &openapi.License{Name: "MIT", Identifier: "MIT"},
		},
		Servers: []openapi.Server{{URL: ".", Description: "Where this document is served, also below the path of a gateway."}},
		Tags: []openapi.Tag{
			{Name: "users", Description: "People who sign up and log in."},
			{Name: "events", Description: "What people register for, each with a limited number of seats."},
			{Name: "registrations", Description: "Who has a seat or is on the waiting list."},
			{Name: "webhooks", Description: "Addresses that are told of changes."},
			{Name: "service", Description: "The service itself."},
		},
	}
	for _, r := range routes {
		d.Add(r.Method, r.Pattern, r.document(&schemas))
	}
	d.Webhooks = callbacks(&schemas)
	if unused := schemas.Unused(); len(unused) > 0 {
		panic(fmt.Sprintf("describe: constraints for fields that are not there: %v", unused))
	}
	d.Components.Schemas = schemas.Components()
	addReadOnly(d, "EventEdit", "Event")
	addReadOnly(d, "UserEdit", "User")
	addReadOnly(d, "WebhookEdit", "Webhook")
	d.Components.Headers = limitHeaders()
	d.Security = []map[string][]string{{}} // operations that name no scheme ask for none
	d.Components.SecuritySchemes = map[string]openapi.SecurityScheme{securityScheme: {
		Type: "http", Scheme: "bearer", BearerFormat: "JWT",
		Description: "From signing up or logging in; or an API key (eventio_...), which does what its scopes say. In trusted mode it may be left out.",
	}}
	return d
}

// addReadOnly lets a body of requests have the fields of what is read, too: those that it does not
// have become read-only ones, which must be as they were read.
func addReadOnly(d *openapi.Document, request, read string) {
	sent := d.Components.Schemas[request]
	for name, field := range d.Components.Schemas[read].Properties {
		if sent.Properties[name] == nil {
			s := *d.Resolve(field)
			s.ReadOnly = true
			sent.Properties[name] = &s
		}
	}
}

// document makes the operation of one route.
func (r Route) document(schemas *openapi.Schemas) *openapi.Operation {
	o := r.Operation
	op := &openapi.Operation{
		OperationID: o.ID, Summary: o.Summary, Description: o.Description, Tags: []string{o.Tag},
		Parameters: pathParameters(r.Pattern, schemas), Responses: make(map[string]*openapi.Response),
	}
	if r.NeedsToken {
		// The empty one says that trusted mode asks for none.
		op.Security = []map[string][]string{{securityScheme: {}}, {}}
	}
	op.Parameters = append(op.Parameters, o.Parameters...)
	op.Parameters = append(op.Parameters, openapi.Parameter{
		Name: wire.HeaderRequestID, In: "header", Schema: &openapi.Schema{Type: "string"},
		Description: "Names the request in the answer and in all logs: 1 to 64 letters, digits, dots, underscores or hyphens. Anything else is replaced.",
	})
	var always []string // headers of every success
	if o.Body != nil {
		content := make(map[string]openapi.MediaType)
		for _, media := range append([]string{"application/json"}, o.Media...) {
			content[media] = openapi.MediaType{Schema: schemas.Of(reflect.TypeOf(o.Body)), Example: o.Example}
		}
		op.RequestBody = &openapi.RequestBody{Required: true, Content: content}
		op.Parameters = append(op.Parameters, preferParameter())
		always = []string{"Preference-Applied"}
	}
	for _, a := range o.Answers {
		res := &openapi.Response{Description: a.Description, Headers: r.headers(append(always, a.Headers...)...), Links: a.Links}
		if a.Body != nil {
			media := cmp.Or(a.Media, "application/json")
			res.Content = map[string]openapi.MediaType{media: {Schema: schemas.Of(reflect.TypeOf(a.Body)), Example: a.Example}}
			if a.Also != "" {
				res.Content[a.Also] = openapi.MediaType{Schema: &openapi.Schema{Type: "string"}}
			}
		}
		op.Responses[strconv.Itoa(a.Status)] = res
	}
	r.documentProblems(op, schemas)
	return op
}

// headers documents the headers of an answer.
func (r Route) headers(names ...string) map[string]openapi.Header {
	all := map[string]openapi.Header{wire.HeaderRequestID: headerDocs(wire.HeaderRequestID)}
	for _, name := range names {
		all[name] = headerDocs(name)
	}
	if r.Limited {
		for name := range limitHeaders() {
			all[name] = openapi.Header{Ref: "#/components/headers/" + name}
		}
	}
	return all
}

// limitHeaders documents the headers of rate limits, which are on every answer of a route that has one.
func limitHeaders() map[string]openapi.Header {
	text := &openapi.Schema{Type: "string"}
	return map[string]openapi.Header{
		"RateLimit":        {Description: `What is left of each rate limit that counted the request, where limits are on: "logins";r=59;t=60 is 59 requests in the next 60 seconds (draft-ietf-httpapi-ratelimit-headers-10).`, Schema: text},
		"RateLimit-Policy": {Description: `These rate limits: "logins";q=60;w=60 is 60 requests in 60 seconds.`, Schema: text},
	}
}

// answerHeaders returns the names of all headers that are documented for answers, and of Allow, which
// is on those to wrong methods.
func answerHeaders(d *openapi.Document) []string {
	names := map[string]bool{"Allow": true}
	for _, op := range d.Operations() {
		for _, response := range op.Responses {
			for name := range response.Headers {
				names[name] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(names))
}

// documentProblems adds one response for each status, with the codes that it may carry.
func (r Route) documentProblems(op *openapi.Operation, schemas *openapi.Schemas) {
	byStatus := make(map[int][]problem.Code)
	for _, c := range r.Codes() {
		byStatus[c.Status()] = append(byStatus[c.Status()], c)
	}
	for status, codes := range byStatus {
		slices.Sort(codes)
		var texts, names []string
		for _, c := range codes {
			texts = append(texts, fmt.Sprintf("`%s`: %s.", c, c.Title()))
			if h := c.Header(); h != "" {
				names = append(names, h)
			}
		}
		op.Responses[strconv.Itoa(status)] = &openapi.Response{
			Description: strings.Join(texts, " "), Headers: r.headers(names...),
			Content: map[string]openapi.MediaType{problem.MediaType: {Schema: schemas.Of(reflect.TypeFor[problem.Problem]())}},
		}
	}
}

// pathParameters are the {names} of a pattern: ids, all of them.
func pathParameters(pattern string, schemas *openapi.Schemas) []openapi.Parameter {
	var all []openapi.Parameter
	for part := range strings.SplitSeq(pattern, "/") {
		if name, ok := strings.CutPrefix(part, "{"); ok {
			name = strings.TrimSuffix(name, "}")
			description := "The event's id."
			if name == "webhook_id" {
				description = "The webhook's id."
			}
			if name == "user_id" {
				description = "The user's id."
			}
			all = append(all, openapi.Parameter{Name: name, In: "path", Required: true, Description: description, Schema: idSchema(schemas)})
		}
	}
	return all
}
