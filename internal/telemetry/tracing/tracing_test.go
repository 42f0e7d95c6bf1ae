package tracing_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/trace"

	"github.com/eventio/eventio/internal/telemetry/tracing"
)

// TestNothingTracedCostsNothing: where there is no tracer a request, a batch and a transaction allocate nothing.
func TestNothingTracedCostsNothing(t *testing.T) {
	var none *tracing.Tracer
	r := httptest.NewRequest(http.MethodPost, "/api/events/x/registrations", http.NoBody)
	r.Header.Set(tracing.Header, "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
	ctx, route := t.Context(), none.Route("/api/events/{id}/registrations")
	allocations := testing.AllocsPerRun(100, func() {
		same, span := route.Request(r)
		if same != r || span.SpanContext().IsValid() {
			t.Fatal("a request is traced")
		}
		tracing.Answered(span, http.StatusCreated, "ok")
		_, span = none.Batch(ctx, nil)
		tracing.Count(span, "registered", 1)
		span.End()
		tracing.End(tracing.Transaction(ctx, "sqlite"), "")
		if tracing.ID(tracing.Read("")) != "" {
			t.Fatal("no parent is one")
		}
	})
	if allocations > 0 {
		t.Errorf("%v allocations", allocations)
	}
}

// TestParents: what cannot be a parent is none, and what is one comes through.
func TestParents(t *testing.T) {
	const parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	sc := tracing.Read(parent)
	if tracing.ID(sc) != "4bf92f3577b34da6a3ce929d0e0e4736" || !sc.IsSampled() {
		t.Errorf("%s is read as %v", parent, sc)
	}
	if got := tracing.Parent(trace.ContextWithSpanContext(context.Background(), sc)); got != parent {
		t.Errorf("%s comes through as %q", parent, got)
	}
	for _, wrong := range []string{
		"x", "\n", strings.Repeat("0", 1<<16), "00-00000000000000000000000000000000-00f067aa0ba902b7-01", "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
		"ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01", parent + "-x", parent + "\n",
		`00-4bf92f3577b34da6a3ce929d0e0"}736-00f067aa0ba902b7-01`,
	} {
		if sc := tracing.Read(wrong); sc.IsValid() || tracing.ID(sc) != "" {
			t.Errorf("%.80q is read as %v", wrong, sc)
		}
	}
}
