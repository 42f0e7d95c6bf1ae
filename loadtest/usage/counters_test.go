package usage_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/eventio/eventio/loadtest/usage"
)

// TestRead: what a process counts is added up by name, and what it counted before is taken away.
func TestRead(t *testing.T) {
	text := `# TYPE eventio_store_guesses_total counter
eventio_store_guesses_total{result="wrong"} 3
eventio_store_guesses_total{result="right"} 40
# TYPE eventio_store_batch_phase_seconds histogram
eventio_store_batch_phase_seconds_bucket{phase="commit",le="+Inf"} 43
eventio_store_batch_phase_seconds_sum{phase="commit"} 0.5
eventio_store_batch_phase_seconds_count{phase="commit"} 43
`
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(text)) }))
	defer server.Close()
	got, err := usage.Read(t.Context(), strings.TrimPrefix(server.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	got.Add(usage.Values{"eventio_store_guesses_total:right": 10}, -1)
	for name, want := range map[string]float64{
		"eventio_store_guesses_total:wrong": 3, "eventio_store_guesses_total": 33,
		"eventio_store_batch_phase_seconds_sum:commit": 0.5, "eventio_store_batch_phase_seconds_count:commit": 43,
	} {
		if n := got.Sum(name); n != want {
			t.Errorf("%s is %v, want %v", name, n, want)
		}
	}
}
