package webhooks

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/eventio/eventio/pkg/store"
)

// TestTheBoundsOfTheGuide: the numbers that hold are those of docs/operations.md.
func TestTheBoundsOfTheGuide(t *testing.T) {
	guide, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	c := NewCaller(nil, Config{}, zerolog.Nop()).config
	short := func(d time.Duration) string {
		if d%time.Hour == 0 {
			return fmt.Sprintf("%d h", d/time.Hour)
		}
		return fmt.Sprintf("%d s", d/time.Second)
	}
	for what, value := range map[string]string{
		"changes in a call":                      fmt.Sprint(MaxChanges),
		"time of a call":                         short(c.Timeout),
		"first pause after a failure, doubling":  short(c.FirstPause),
		"longest pause":                          short(maxPause),
		"longest `Retry-After` that is honoured": short(maxRetryAfter),
		"failures until it is switched off":      short(c.GiveUp),
		"bytes of an answer that are kept":       fmt.Sprint(keptAnswer),
		"calls that are remembered":              fmt.Sprint(store.KeptCalls),
		"webhooks that a process calls at once, half of them failing ones": fmt.Sprint(c.AtOnce),
	} {
		if row := "| " + what + " | " + value + " |"; !strings.Contains(string(guide), row) {
			t.Errorf("docs/operations.md has no row %q", row)
		}
	}
}
