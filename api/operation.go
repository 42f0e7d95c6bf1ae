package api

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/eventio/eventio/api/openapi"
	"github.com/eventio/eventio/api/problem"
)

// operation is the documentation of a route. What it says is checked: by its own row, which
// does not compile without it, by the tests, which hold every answer against it, and by
// schemathesis.
type operation struct {
	id, tag, summary, description string
	parameters                    []openapi.Parameter // of the query and the headers; the path speaks for itself
	body                          any                 // a value of the body's type; nil: there is none
	example                       any                 // a body
	answers                       []answer
	problems                      []problem.Code // beside those that every route can have
}

// securityScheme is the name of how to show it, in the document.
const securityScheme = "token"

// answer is one way in which an operation succeeds.
type answer struct {
	status      int
	description string
	body        any      // a value of its type; nil: there is none
	media       string   // application/json when empty
	headers     []string // beside X-Request-Id
	example     any
	links       map[string]openapi.Link
}

// queryNames are the parameters of the query.
func (o operation) queryNames() []string {
	var names []string
	for _, p := range o.parameters {
		if p.In == "query" {
			names = append(names, p.Name)
		}
	}
	return names
}

// codes are all problem codes that the operation may answer.
func (rt route) codes() []problem.Code {
	o := rt.operation
	all := append([]problem.Code{problem.Invalid, problem.Forbidden, problem.RateLimited, problem.Internal}, o.problems...)
	if rt.access == tokenHolders {
		all = append(all, problem.Unauthenticated)
	}
	if o.body != nil {
		all = append(all, problem.TooLarge, problem.UnsupportedMediaType)
	}
	return all
}

// headerDocs says what the headers of answers mean.
func headerDocs(name string) openapi.Header {
	text := &openapi.Schema{Type: "string"}
	switch name {
	case headerRequestID:
		return openapi.Header{Required: true, Description: "The request's own X-Request-Id when it was well-formed, else a new one.", Schema: requestIDSchema()}
	case "Location":
		return openapi.Header{Required: true, Description: "The path of what was created.", Schema: text}
	case headerReplayed:
		return openapi.Header{Description: "true when this Idempotency-Key got this answer before.", Schema: &openapi.Schema{Type: "string", Const: "true"}}
	case "Link":
		return openapi.Header{Description: `<...>; rel="next" when there is a next page.`, Schema: text}
	case "ETag":
		return openapi.Header{Description: "Changes with the content; send it back in If-None-Match.", Schema: text}
	case problem.HeaderRetryAfter:
		return openapi.Header{Description: "Seconds to wait.", Schema: &openapi.Schema{Type: "string", Pattern: "^[0-9]+$"}}
	case problem.HeaderChallenge:
		return openapi.Header{Required: true, Description: "How to authenticate.", Schema: text}
	}
	panic("api: no documentation for the header " + name)
}

// document makes the OpenAPI document of the routes.
func document(table []route) *openapi.Document {
	schemas := schemas()
	d := &openapi.Document{
		OpenAPI: "3.1.0",
		Info: openapi.Info{
			Title:       "Event.io",
			Version:     "1",
			Description: "Registrations for events with few places: never one seat too many, nobody twice, and a clear answer to everybody. Errors are problem documents (RFC 9457); programs look at their code.",
		},
		Tags: []openapi.Tag{
			{Name: "users", Description: "People who can log in."},
			{Name: "events", Description: "What has a limited number of places."},
			{Name: "registrations", Description: "Who holds a place."},
			{Name: "service", Description: "The service itself."},
		},
	}
	for _, rt := range table {
		d.Add(rt.method, rt.pattern, rt.document(&schemas))
	}
	d.Components.Schemas = schemas.Components()
	d.Components.SecuritySchemes = map[string]openapi.SecurityScheme{securityScheme: {
		Type: "http", Scheme: "bearer", BearerFormat: "JWT",
		Description: "From signing up or logging in. In trusted mode it may be left out.",
	}}
	return d
}

func (rt route) document(schemas *openapi.Schemas) *openapi.Operation {
	o := rt.operation
	op := &openapi.Operation{
		OperationID: o.id, Summary: o.summary, Description: o.description, Tags: []string{o.tag},
		Parameters: pathParameters(rt.pattern, schemas), Responses: make(map[string]*openapi.Response),
	}
	if rt.access == tokenHolders {
		// The empty one says that trusted mode asks for none.
		op.Security = []map[string][]string{{securityScheme: {}}, {}}
	}
	op.Parameters = append(op.Parameters, o.parameters...)
	op.Parameters = append(op.Parameters, openapi.Parameter{
		Name: headerRequestID, In: "header", Schema: &openapi.Schema{Type: "string"},
		Description: "Names the request in the answer and in all logs: 1 to 64 letters, digits, dots, underscores or hyphens. Anything else is replaced.",
	})
	if o.body != nil {
		op.RequestBody = &openapi.RequestBody{Required: true, Content: map[string]openapi.MediaType{
			"application/json": {Schema: schemas.Of(reflect.TypeOf(o.body)), Example: o.example},
		}}
	}
	for _, a := range o.answers {
		res := &openapi.Response{Description: a.description, Headers: headers(a.headers...), Links: a.links}
		if a.body != nil {
			media := cmp.Or(a.media, "application/json")
			res.Content = map[string]openapi.MediaType{media: {Schema: schemas.Of(reflect.TypeOf(a.body)), Example: a.example}}
		}
		op.Responses[strconv.Itoa(a.status)] = res
	}
	rt.documentProblems(op, schemas)
	return op
}

func headers(names ...string) map[string]openapi.Header {
	all := map[string]openapi.Header{headerRequestID: headerDocs(headerRequestID)}
	for _, name := range names {
		all[name] = headerDocs(name)
	}
	return all
}

// documentProblems adds one response for each status, with the codes that it may carry.
func (rt route) documentProblems(op *openapi.Operation, schemas *openapi.Schemas) {
	byStatus := make(map[int][]problem.Code)
	for _, c := range rt.codes() {
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
			Description: strings.Join(texts, " "), Headers: headers(names...),
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
			if name == "user_id" {
				description = "The user's id."
			}
			all = append(all, openapi.Parameter{Name: name, In: "path", Required: true, Description: description, Schema: idSchema(schemas)})
		}
	}
	return all
}
