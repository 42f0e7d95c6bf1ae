package e2e

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protojson"

	"github.com/eventio/eventio/internal/testenv"
	"github.com/eventio/eventio/internal/testenv/collector"
	"github.com/eventio/eventio/pkg/client"
	"github.com/eventio/eventio/pkg/store"
)

const (
	traceID    = "4bf92f3577b34da6a3ce929d0e0e4736"
	clientSpan = "00f067aa0ba902b7"
	registers  = "POST /api/events/{id}/registrations"
)

// traced are the settings of a process whose traces go to a collector soon.
func traced(c *collector.Collector, more ...string) []string {
	return append([]string{"OTEL_EXPORTER_OTLP_ENDPOINT=" + c.URL, "OTEL_BSP_SCHEDULE_DELAY=50"}, more...)
}

// sendTraced sends a registration of a new user with a traceparent, and returns the user and the answer.
func sendTraced(t *testing.T, addr string, e client.Event, parent string) (store.ID, *http.Response) {
	t.Helper()
	user := store.NewID()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+addr+"/api/events/"+e.ID.Hex()+"/registrations",
		strings.NewReader(`{"user_id":"`+user.Hex()+`"}`))
	succeeds(t, err)
	r.Header.Set("Content-Type", "application/json")
	if parent != "" {
		r.Header.Set("traceparent", parent)
	}
	res, err := http.DefaultClient.Do(r)
	succeeds(t, err)
	res.Body.Close()
	if res.StatusCode != http.StatusCreated {
		t.Fatalf("the answer is %d", res.StatusCode)
	}
	return user, res
}

// found returns the first span that match takes, and waits for it.
func found(t *testing.T, c *collector.Collector, what string, match func(collector.Span) bool) (s collector.Span) {
	t.Helper()
	testenv.Eventually(t, limit, what, func() error {
		all := c.Spans()
		i := slices.IndexFunc(all, match)
		if i < 0 {
			return fmt.Errorf("none of %d spans is one", len(all))
		}
		s = all[i]
		return nil
	})
	return s
}

// linked reports whether a span is linked to another one.
func linked(s collector.Span, to []byte) bool {
	for _, l := range s.Links {
		if bytes.Equal(l.SpanId, to) {
			return true
		}
	}
	return false
}

// line returns the line of a program's log that has all texts, and waits for it.
func line(t *testing.T, p *testenv.Program, texts ...string) (text string) {
	t.Helper()
	testenv.Eventually(t, limit, "a line of the log", func() error {
		for l := range strings.Lines(string(p.Output())) {
			if !slices.ContainsFunc(texts, func(s string) bool { return !strings.Contains(l, s) }) {
				text = l
				return nil
			}
		}
		return fmt.Errorf("none has %q", texts)
	})
	return text
}

// TestTraces follows one registration from the client's trace through the API and the worker into the
// database: on production processes, and on eventio.
func TestTraces(t *testing.T) {
	for _, kind := range []string{"production", "embedded"} {
		t.Run(kind, func(t *testing.T) {
			receiver := collector.Start(t)
			headers := filepath.Join(t.TempDir(), "headers")
			succeeds(t, os.WriteFile(headers, []byte("Authorization=Bearer%20hunter2\n"), 0o600))
			settings := traced(receiver, "OTEL_EXPORTER_OTLP_HEADERS_FILE="+headers)
			var addr, system, apiService, workerService string
			var apiLog, workerLog *testenv.Program
			if kind == "production" {
				c := newCluster(t).with(settings...)
				api, worker := c.start(t, "api"), c.start(t, "worker")
				addr, apiLog, workerLog = api.addr, api.Program, worker.Program
				system, apiService, workerService = "mongodb", "eventio-api", "eventio-worker"
			} else {
				s := serve(t, append(settings, "EVENTIO_ADMIN_ADDR=off")...)
				addr, apiLog, workerLog = strings.TrimPrefix(s.url, "http://"), s.Program, s.Program
				system, apiService, workerService = "sqlite", "eventio-server", "eventio-server"
			}
			people := newClient(t, addr, client.Retry{})
			event := createEvent(t, people, 100)
			ada, err := people.SignUp(t.Context(), client.NewUser{Name: "Ada Lovelace", Email: "ada.lovelace@example.org", Password: "correct horse battery"})
			succeeds(t, err)
			succeeds(t, people.As(ada.Token).DeleteUser(t.Context(), ada.ID)) // in a transaction on both stores
			user, res := sendTraced(t, addr, event, "00-"+traceID+"-"+clientSpan+"-01")
			if given := res.Header.Get("traceparent"); !strings.HasPrefix(given, "00-"+traceID+"-") || strings.Contains(given, clientSpan) {
				t.Errorf("the answer has the traceparent %q", given)
			}

			brew, err := http.NewRequestWithContext(t.Context(), "BREW", "http://"+addr+"/api/events", http.NoBody)
			succeeds(t, err)
			brewed, err := http.DefaultClient.Do(brew)
			succeeds(t, err)
			succeeds(t, brewed.Body.Close())
			found(t, receiver, "the span of a method that nobody knows", func(s collector.Span) bool {
				return s.Name == "HTTP" && s.Attribute("http.request.method") == "_OTHER"
			})

			request := found(t, receiver, "the span of the request", func(s collector.Span) bool {
				return s.Name == registers && hex.EncodeToString(s.TraceId) == traceID
			})
			if hex.EncodeToString(request.ParentSpanId) != clientSpan || request.Service != apiService ||
				request.Attribute("http.route") != "/api/events/{id}/registrations" || request.Attribute("eventio.outcome") != "ok" {
				t.Errorf("the span of the request is %v of %s", request.Span, request.Service)
			}
			batch := found(t, receiver, "the span of its batch", func(s collector.Span) bool { return s.Name == "apply batch" && linked(s, request.SpanId) })
			if len(batch.ParentSpanId) > 0 || batch.Service != workerService {
				t.Errorf("the span of the batch is %v of %s", batch.Span, batch.Service)
			}
			transaction := found(t, receiver, "the span of its transaction", func(s collector.Span) bool {
				return s.Name == "transaction" && bytes.Equal(s.ParentSpanId, batch.SpanId)
			})
			if transaction.Attribute("db.system.name") != system || !bytes.Equal(transaction.TraceId, batch.TraceId) {
				t.Errorf("the span of the transaction is %v", transaction.Span)
			}
			found(t, receiver, "a transaction of the API itself", func(s collector.Span) bool {
				return s.Name == "transaction" && s.Service == apiService && !bytes.Equal(s.TraceId, batch.TraceId)
			})
			line(t, apiLog, `"message":"request"`, `"trace_id":"`+traceID+`"`, `"status":201`)
			line(t, workerLog, `"message":"seat"`, `"trace_id":"`+traceID+`"`, user.Hex())
			line(t, workerLog, `"message":"batch"`, `"trace_id":"`+hex.EncodeToString(batch.TraceId)+`"`)
			if got := receiver.Header("Authorization"); got != "Bearer hunter2" {
				t.Errorf("the collector was sent %q to log in", got)
			}

			var crowd sync.WaitGroup
			for range 60 {
				crowd.Go(func() {
					if err := register(t, people, event); err != nil {
						t.Error(err)
					}
				})
			}
			crowd.Wait()
			testenv.Eventually(t, limit, "each of a crowd is linked to a batch", func() error {
				all, requests := receiver.Spans(), 0
				for _, s := range all {
					if s.Name != registers {
						continue
					}
					requests++
					if !slices.ContainsFunc(all, func(b collector.Span) bool { return b.Name == "apply batch" && linked(b, s.SpanId) }) {
						return fmt.Errorf("no batch is linked to request %d", requests)
					}
				}
				if requests != 61 {
					return fmt.Errorf("there are %d requests", requests)
				}
				return nil
			})
			for _, s := range receiver.Spans() {
				text, err := protojson.Marshal(s.Span)
				succeeds(t, err)
				for _, personal := range []string{user.Hex(), "Ada", "ada.", "example.org", event.ID.Hex(), "127.0.0.1", "hunter2", event.OrganizerID.Hex()} {
					if strings.Contains(string(text), personal) {
						t.Errorf("a span tells %q: %s", personal, text)
					}
				}
			}
		})
	}
}

// TestSampledTraces: what is not sampled is sent by nobody, and can be found in the logs all the same; a
// client's choice counts where the setting says so.
func TestSampledTraces(t *testing.T) {
	receiver := collector.Start(t)
	c := newCluster(t).with(traced(receiver, "OTEL_TRACES_SAMPLER=parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG=0")...)
	api, worker := c.start(t, "api"), c.start(t, "worker")
	event := createEvent(t, newClient(t, api.addr, client.Retry{}), 100)
	const unsampled = "5bf92f3577b34da6a3ce929d0e0e4736"
	sendTraced(t, api.addr, event, "00-"+unsampled+"-"+clientSpan+"-00")
	sendTraced(t, api.addr, event, "")
	sendTraced(t, api.addr, event, "00-00000000000000000000000000000000-"+clientSpan+"-01") // which is none
	sendTraced(t, api.addr, event, "00-"+traceID+"-"+clientSpan+"-01")
	line(t, api.Program, `"message":"request"`, `"trace_id":"`+unsampled+`"`)
	line(t, worker.Program, `"message":"seat"`, `"trace_id":"`+unsampled+`"`)
	succeeds(t, api.Stop()) // sends the rest
	succeeds(t, worker.Stop())
	names := make(map[string]int)
	for _, s := range receiver.Spans() {
		names[s.Name]++
		if s.Name == registers && hex.EncodeToString(s.TraceId) != traceID {
			t.Errorf("a request was sampled: %v", s.Span)
		}
	}
	if names[registers] != 1 || names["apply batch"] != 1 || names["transaction"] == 0 || len(names) != 3 {
		t.Errorf("the spans are %v", names)
	}
}

// TestTracesOfDifferentProcesses: a worker that traces nothing, as one of the version before, serves an API
// that does, and the other way round. always_off is no trace at all.
func TestTracesOfDifferentProcesses(t *testing.T) {
	receiver := collector.Start(t)
	plain := newCluster(t)
	tracing := plain.with(traced(receiver)...)
	for name, c := range map[string]struct {
		api, worker       *cluster
		requests, batches bool
	}{
		"only the API":               {tracing, plain, true, false},
		"only the worker":            {plain, tracing, false, false},
		"a worker that wants none":   {tracing, tracing.with("OTEL_TRACES_SAMPLER=always_off"), true, false},
		"a worker that samples none": {tracing, tracing.with("OTEL_TRACES_SAMPLER=parentbased_always_off"), true, true},
	} {
		t.Run(name, func(t *testing.T) {
			before := len(receiver.Spans())
			api, worker := c.api.start(t, "api"), c.worker.start(t, "worker")
			event := createEvent(t, newClient(t, api.addr, client.Retry{}), 10)
			_, res := sendTraced(t, api.addr, event, "00-"+traceID+"-"+clientSpan+"-01")
			if given := res.Header.Get("traceparent") != ""; given != c.requests {
				t.Errorf("the answer has a traceparent: %v", given)
			}
			succeeds(t, api.Stop())
			succeeds(t, worker.Stop())
			spans := receiver.Spans()[before:]
			has := func(name string) bool {
				return slices.ContainsFunc(spans, func(s collector.Span) bool { return s.Name == name })
			}
			if has(registers) != c.requests || has("apply batch") != c.batches {
				t.Errorf("there are spans of requests: %v, of batches: %v", has(registers), has("apply batch"))
			}
			if c.api == plain && api.Says("trace_id") {
				t.Error("an API that traces nothing logs the client's trace")
			}
		})
	}
}

// TestNoCollector: nobody waits for a collector that is away, and a process ends without it. The log says so.
func TestNoCollector(t *testing.T) {
	s := serve(t, "OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:1", "OTEL_BSP_SCHEDULE_DELAY=50", "OTEL_EXPORTER_OTLP_TIMEOUT=500", "EVENTIO_ADMIN_ADDR=off")
	people := newClient(t, strings.TrimPrefix(s.url, "http://"), client.Retry{})
	event := createEvent(t, people, 10)
	begun := time.Now()
	succeeds(t, register(t, people, event))
	if took := time.Since(begun); took > 2*time.Second {
		t.Errorf("a registration took %v", took)
	}
	line(t, s.Program, `"level":"warn"`, "traces cannot be sent")
	begun = time.Now()
	succeeds(t, s.Stop())
	if took := time.Since(begun); took > 8*time.Second {
		t.Errorf("the end took %v", took)
	}
}

// TestWrongTraceSettings: what the library would take for "all requests" ends the process, in a sentence.
func TestWrongTraceSettings(t *testing.T) {
	for setting, says := range map[string]string{
		"OTEL_TRACES_SAMPLER=often":                           "OTEL_TRACES_SAMPLER must be one of",
		"OTEL_EXPORTER_OTLP_PROTOCOL=grpc":                    "OTEL_EXPORTER_OTLP_PROTOCOL must be http/protobuf",
		"OTEL_EXPORTER_OTLP_ENDPOINT=127.0.0.1:4318":          "OTEL_EXPORTER_OTLP_ENDPOINT is not a URL",
		"OTEL_EXPORTER_OTLP_ENDPOINT=http://ada:hunter2@h:43": "OTEL_EXPORTER_OTLP_ENDPOINT is not a URL",
		"OTEL_EXPORTER_OTLP_HEADERS=hunter2":                  "OTEL_EXPORTER_OTLP_HEADERS is not like NAME=VALUE",
	} {
		cmd := exec.Command(filepath.Join(programs, "eventio"), "--addr", "127.0.0.1:0", "--data", t.TempDir())
		cmd.Env = append(os.Environ(), "EVENTIO_ADMIN_ADDR=off", "OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:1", setting)
		out, err := cmd.CombinedOutput()
		if err == nil || cmd.ProcessState.ExitCode() != 2 || !strings.Contains(string(out), says) || strings.Contains(string(out), "hunter2") {
			t.Errorf("%s: %v\n%s", setting, err, out)
		}
	}
}
