package worker

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/eventio/eventio/pkg/messages"
	"github.com/eventio/eventio/pkg/store"
)

// TestTheLineOfARequest checks what the log says of a request: of an actor what is known, and a client's key only to
// who debugs.
func TestTheLineOfARequest(t *testing.T) {
	event, user, key := store.ID{1}, store.ID{2}, store.ID{3}
	full := messages.SeatRequest{
		Kind: messages.KindRegister, EventID: event, UserID: user, TraceID: "trace", RequestID: "key",
		Actor: messages.Actor{Kind: messages.ActorKey, ID: key},
	}
	edit := messages.SeatRequest{Kind: messages.KindEditEvent, EventID: event, TraceID: "trace", RequestID: "key"}
	for name, c := range map[string]struct {
		request messages.SeatRequest
		level   zerolog.Level
		want    string // keys, in order
	}{
		"all":       {full, zerolog.InfoLevel, "request_id event_id user_id actor_kind actor_id kind outcome duration_ms"},
		"an edit":   {edit, zerolog.InfoLevel, "request_id event_id kind outcome duration_ms"},
		"debugging": {edit, zerolog.DebugLevel, "request_id event_id kind outcome duration_ms idempotency_key"},
	} {
		var buf bytes.Buffer
		w := &Worker{log: zerolog.New(&buf).Level(c.level)}
		w.logRequest(request{SeatRequest: c.request, received: time.Now().Add(-1500 * time.Millisecond)}, store.Registered)
		var line map[string]any
		if err := json.Unmarshal(buf.Bytes(), &line); err != nil {
			t.Fatal(err)
		}
		var keys []string
		for key := range line {
			keys = append(keys, key)
		}
		slices.Sort(keys)
		want := append(strings.Fields(c.want), "level", "message")
		slices.Sort(want)
		if took, _ := line["duration_ms"].(float64); !slices.Equal(keys, want) || took < 1500 || took > 60_000 ||
			line["request_id"] != "trace" || line["outcome"] != string(store.Registered) {
			t.Errorf("%s: %s", name, buf.String())
		}
	}
}

func TestHowManyRequestsOfABatchAreLogged(t *testing.T) {
	for n, want := range map[int]int{0: 0, 1: 1, maxTraceIDs: maxTraceIDs, 500: maxTraceIDs} {
		batch := make([]request, n)
		for i := range batch {
			batch[i].TraceID = fmt.Sprint(i)
		}
		ids := traceIDs(batch)
		if len(ids) != want || want > 0 && (ids[0] != "0" || ids[want-1] != fmt.Sprint(want-1)) {
			t.Errorf("of %d: %v", n, ids)
		}
	}
}
