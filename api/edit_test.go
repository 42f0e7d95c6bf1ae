package api_test

import (
	"encoding/json"
	"maps"
	"slices"
	"testing"
)

// TestAnEditTakesAway: what an event need not have can be given and taken away again, by
// null and, where it is a text, by an empty one.
func TestAnEditTakesAway(t *testing.T) {
	forEachStore(t, func(t *testing.T, e *env) {
		path := events + "/" + e.post(t, events, eventBody()).object(t, 201, eventFields).id(t, "id")
		edit := func(t *testing.T, field, value string) map[string]any {
			t.Helper()
			a := e.do(t, "PATCH", path, body(nil, field, value), "If-Match", "*")
			a.wantType(t, 200, jsonType)
			var event map[string]any
			if err := json.Unmarshal(a.body, &event); err != nil {
				t.Fatal(err)
			}
			return event
		}
		optional := map[string]string{
			"description": `"Bring a chair."`, "place": `"Roof"`, "time_zone": `"Europe/Berlin"`, "waitlist": "true",
			"registration_opens_at": `"2027-01-01T00:00:00Z"`, "registration_closes_at": `"2027-04-01T00:00:00Z"`,
		}
		for _, field := range slices.Sorted(maps.Keys(optional)) {
			nothing := []string{"null"}
			if field == "description" || field == "place" || field == "time_zone" {
				nothing = append(nothing, `""`)
			}
			for _, value := range nothing {
				t.Run(field+"/"+value, func(t *testing.T) {
					if got := edit(t, field, optional[field])[field]; got == nil || got == "" {
						t.Fatalf("given, it is %v", got)
					}
					if got := edit(t, field, value)[field]; got != nil && got != "" {
						t.Fatalf("taken away, it is %v", got)
					}
				})
			}
		}
	})
}
