package api

import (
	"context"
	"net/http"

	"github.com/go-chi/chi/v5"

	"github.com/eventio/eventio/api/serve"
)

// inner serves requests that the pages make in this process in the name of their visitor:
// made with the context and the RemoteAddr of the visitor's own request, they are counted and
// allowed as if the visitor had sent them.
func inner(routes http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// The router keeps in the context how far it has come with the outer request.
		ctx := context.WithValue(r.Context(), chi.RouteCtxKey, (*chi.Context)(nil))
		serve.SetRequestID(w, r)
		routes.ServeHTTP(w, r.WithContext(ctx))
	})
}
