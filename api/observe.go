package api

import (
	"cmp"
	"maps"
	"net/http"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"

	"github.com/eventio/eventio/api/gate"
	"github.com/eventio/eventio/api/serve"
	"github.com/eventio/eventio/internal/telemetry/tracing"
)

// observe runs a handler, turns its error into a problem document, and writes the one log
// line of the request.
func (a *API) observe(pattern string, handle func(http.ResponseWriter, *serve.Request) error) http.Handler {
	secure, traced := gate.SecureHeaders(), a.core.Config.Tracer.Route(pattern)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		started := time.Now()
		ww := middleware.NewWrapResponseWriter(w, r.ProtoMajor)
		maps.Copy(ww.Header(), secure) // the values are shared: nobody adds to these headers
		r, span := traced.Request(r)
		req := &serve.Request{Request: r, Route: pattern, RequestID: serve.RequestID(ww)}
		if of := span.SpanContext(); of.IsValid() {
			req.TraceID, req.TraceParent = tracing.ID(of), tracing.Parent(r.Context())
			ww.Header().Set(tracing.Header, req.TraceParent)
		}
		err := serve.Recovered(func() error { return handle(ww, req) })
		outcome, cause := "ok", error(nil)
		if err != nil {
			p := serve.ProblemOf(err)
			outcome, cause = string(p.Code), p.Cause
			a.core.TellRefusal(req, p)
			if ww.Status() == 0 {
				p.Write(ww)
			} else {
				// A stream broke after it began: the client must see that it is not whole.
				defer panic(http.ErrAbortHandler)
			}
		}
		tracing.Answered(span, cmp.Or(ww.Status(), http.StatusOK), outcome)
		a.stats.answered(answer{r.Method, pattern, ww.Status(), outcome, started})
		line := a.core.Log.Info()
		if ww.Status() >= http.StatusInternalServerError {
			line = a.core.Log.Error()
		}
		if id := chi.URLParam(r, "id"); len(id) == 24 {
			line.Str("event_id", id)
		}
		line.Err(cause).EmbedObject(a.core.SentBy(req)).Str("method", r.Method).Str("route", pattern).Int("status", ww.Status()).
			Str("outcome", outcome).Int("bytes", ww.BytesWritten()).
			Float64("duration_ms", float64(time.Since(started).Microseconds())/1000).Msg("request")
	})
}
