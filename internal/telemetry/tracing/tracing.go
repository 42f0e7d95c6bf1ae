// Package tracing makes the spans of components: one for an HTTP request, one for a batch of seat
// requests, one for a transaction of a store. It needs the interfaces of OpenTelemetry only; package
// telemetry sends what comes of it.
//
// # What a span has
//
// Names and attributes have few values, all known before, as labels of metrics do: a method, the
// pattern of a route, a status, an outcome, a count. None has an id, a path, an address, a text of an
// error, or anything else that a person chooses or is known by.
package tracing

import (
	"context"
	"net/http"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
)

// Header is the name of the header, and of the field of messages, by which a trace goes on in another
// process: W3C Trace Context.
const Header = "traceparent"

// scope is what spans name as their maker.
const scope = "github.com/eventio/eventio"

// Tracer begins spans that have no parent in this process. It is safe for concurrent use. The nil
// Tracer begins none, which costs nothing.
type Tracer struct{ requests, batches trace.Tracer }

// New makes a Tracer. requests decides which requests are sampled; batches takes all spans that begin
// there, because only batches with a sampled request do.
func New(requests, batches trace.TracerProvider) *Tracer {
	return &Tracer{requests.Tracer(scope), batches.Tracer(scope)}
}

// Route begins the spans of the requests for one route. It is safe for concurrent use. The nil Route begins none.
type Route struct {
	tracer trace.Tracer
	spans  map[string]spanOf // by method
}

// spanOf is what the spans of one method begin with. It is made once, because most requests are not sampled
// and pay for it all the same.
type spanOf struct {
	name    string
	options []trace.SpanStartOption
}

// other is what OpenTelemetry's conventions call a method or an error that is none of a closed set: its own text may be a
// client's.
const other = "_OTHER"

// Route makes the Route of a pattern; empty: that of requests for nothing that is known.
func (t *Tracer) Route(pattern string) *Route {
	if t == nil {
		return nil
	}
	spans := make(map[string]spanOf)
	for _, method := range []string{
		http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions, other,
	} {
		name, attributes := method, []attribute.KeyValue{attribute.String("http.request.method", method)}
		if method == other {
			name = "HTTP"
		}
		if pattern != "" {
			name += " " + pattern
			attributes = append(attributes, attribute.String("http.route", pattern))
		}
		spans[method] = spanOf{name, []trace.SpanStartOption{trace.WithSpanKind(trace.SpanKindServer), trace.WithAttributes(attributes...)}}
	}
	return &Route{t.requests, spans}
}

// Request begins the span of an HTTP request, as part of the trace that its traceparent names, if it
// names one. It returns the request with the span in its context.
func (t *Route) Request(r *http.Request) (*http.Request, trace.Span) {
	if t == nil {
		return r, noop.Span{}
	}
	of, known := t.spans[r.Method]
	if !known {
		of = t.spans[other]
	}
	ctx := propagation.TraceContext{}.Extract(r.Context(), propagation.HeaderCarrier(r.Header))
	ctx, span := t.tracer.Start(ctx, of.name, of.options...)
	return r.WithContext(ctx), span
}

// Answered ends the span of a request with its status and its outcome, which is ok or the code of a problem.
func Answered(span trace.Span, status int, outcome string) {
	if !span.IsRecording() {
		return
	}
	span.SetAttributes(attribute.Int("http.response.status_code", status), attribute.String("eventio.outcome", outcome))
	if status >= http.StatusInternalServerError {
		fail(span, outcome)
	}
	span.End()
}

// Batch begins the span of a batch, linked to those of its requests that are sampled. Without one of
// these there is no span.
func (t *Tracer) Batch(ctx context.Context, requests []trace.SpanContext) (context.Context, trace.Span) {
	if t == nil {
		return ctx, noop.Span{}
	}
	var links []trace.Link
	for _, sc := range requests {
		if sc.IsSampled() {
			links = append(links, trace.Link{SpanContext: sc})
		}
	}
	if len(links) == 0 {
		return ctx, noop.Span{}
	}
	return t.batches.Start(ctx, "apply batch", trace.WithNewRoot(), trace.WithSpanKind(trace.SpanKindConsumer), trace.WithLinks(links...),
		trace.WithAttributes(attribute.Int("messaging.batch.message_count", len(requests))))
}

// Count notes how many requests of a batch had an outcome.
func Count[O ~string](span trace.Span, outcome O, n int) {
	if span.IsRecording() {
		span.SetAttributes(attribute.Int("eventio.outcome."+string(outcome), n))
	}
}

// Transaction begins the span of a transaction of a store, if ctx has a sampled one.
func Transaction(ctx context.Context, system string) trace.Span {
	parent := trace.SpanFromContext(ctx)
	if !parent.IsRecording() {
		return noop.Span{}
	}
	_, span := parent.TracerProvider().Tracer(scope).Start(ctx, "transaction", trace.WithSpanKind(trace.SpanKindClient),
		trace.WithAttributes(attribute.String("db.system.name", system)))
	return span
}

// End ends a span. cause is why it failed, a word of a closed set; empty: it did not.
func End(span trace.Span, cause string) {
	if cause != "" {
		fail(span, cause)
	}
	span.End()
}

// Cause returns the cause, for End, of an error of which no more can be told; empty: there was none.
func Cause(err error) string {
	if err == nil {
		return ""
	}
	return other
}

func fail(span trace.Span, cause string) {
	span.SetAttributes(attribute.String("error.type", cause))
	span.SetStatus(codes.Error, "")
}

// parent is a carrier that has a traceparent alone. Unlike a map it costs nothing.
type parent string

// Get implements propagation.TextMapCarrier.
func (p *parent) Get(key string) string {
	if key == Header {
		return string(*p)
	}
	return ""
}

// Set implements propagation.TextMapCarrier.
func (p *parent) Set(key, value string) {
	if key == Header {
		*p = parent(value)
	}
}

// Keys implements propagation.TextMapCarrier.
func (*parent) Keys() []string { return []string{Header} }

// Parent returns what another process needs to go on with the trace of ctx. It is empty when there is none.
func Parent(ctx context.Context) string {
	var of parent
	propagation.TraceContext{}.Inject(ctx, &of)
	return string(of)
}

// Read returns what Parent has made. The result is not valid when the text is not.
func Read(text string) trace.SpanContext {
	if text == "" {
		return trace.SpanContext{}
	}
	of := parent(text)
	return trace.SpanContextFromContext(propagation.TraceContext{}.Extract(context.Background(), &of))
}

// ID returns the id of a trace for a line of a log. It is empty when there is none.
func ID(of trace.SpanContext) string {
	if !of.HasTraceID() {
		return ""
	}
	return of.TraceID().String()
}

// Client wraps what sends the calls of a component, which have the name: each has a span of its own, and
// its traceparent. The calls go to others, so the trace begins here and says nothing of what came before.
func (t *Tracer) Client(name string, next http.RoundTripper) http.RoundTripper {
	if t == nil {
		return next
	}
	return client{t.requests, name, next}
}

type client struct {
	tracer trace.Tracer
	name   string
	next   http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (c client) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx, span := c.tracer.Start(r.Context(), c.name, trace.WithNewRoot(), trace.WithSpanKind(trace.SpanKindClient),
		trace.WithAttributes(attribute.String("http.request.method", r.Method)))
	r = r.Clone(ctx)
	propagation.TraceContext{}.Inject(ctx, propagation.HeaderCarrier(r.Header))
	res, err := c.next.RoundTrip(r)
	if err == nil {
		span.SetAttributes(attribute.Int("http.response.status_code", res.StatusCode))
	}
	End(span, Cause(err))
	return res, err
}

// CloseIdleConnections lets http.Client close those of what it wraps.
func (c client) CloseIdleConnections() {
	if next, ok := c.next.(interface{ CloseIdleConnections() }); ok {
		next.CloseIdleConnections()
	}
}
