package api

import (
	"maps"
	"net/http"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"

	"github.com/eventio/eventio/api/gate"
)

// observe runs a handler, turns its error into a problem document, and writes the one log
// line of the request.
func (a *API) observe(pattern string, handle func(http.ResponseWriter, *request) error) http.Handler {
	secure := gate.SecureHeaders()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		started := time.Now()
		ww := middleware.NewWrapResponseWriter(w, r.ProtoMajor)
		maps.Copy(ww.Header(), secure) // the values are shared: nobody adds to these headers
		req := &request{Request: r, pattern: pattern, requestID: requestID(ww)}
		err := recovered(func() error { return handle(ww, req) })
		outcome, cause := "ok", error(nil)
		if err != nil {
			p := problemOf(err)
			outcome, cause = string(p.Code), p.Cause
			a.core.tellRefusal(req, p)
			if ww.Status() == 0 {
				p.Write(ww)
			} else {
				// A stream broke after it began: the client must see that it is not whole.
				defer panic(http.ErrAbortHandler)
			}
		}
		line := a.core.log.Info()
		if ww.Status() >= http.StatusInternalServerError {
			line = a.core.log.Error()
		}
		if id := chi.URLParam(r, "id"); len(id) == 24 {
			line.Str("event_id", id)
		}
		line.Err(cause).EmbedObject(a.core.sentBy(req)).Str("method", r.Method).Str("route", pattern).Int("status", ww.Status()).
			Str("outcome", outcome).Int("bytes", ww.BytesWritten()).
			Float64("duration_ms", float64(time.Since(started).Microseconds())/1000).Msg("request")
	})
}
