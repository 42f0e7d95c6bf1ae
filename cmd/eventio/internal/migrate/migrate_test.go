package migrate

import (
	"bytes"
	"testing"
	"testing/synctest"
	"time"

	"github.com/eventio/eventio/cmd/eventio/internal/progress"
	"github.com/eventio/eventio/pkg/store/schema"
)

// TestPrinter: a step that counts records says how far it is, and each step how long it took.
func TestPrinter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out, stderr bytes.Buffer
		p := printer{out: &out, stderr: &stderr}
		for _, step := range []schema.Step{{Number: 3, Name: "search"}, {Number: 4, Name: "venues"}} {
			p.report(schema.Migration{Step: step})
			p.report(schema.Migration{Step: step, Done: 10, All: 100})
			time.Sleep(progress.Interval)
			p.report(schema.Migration{Step: step, Done: 40, All: 100})
			p.report(schema.Migration{Step: step, Finished: true})
		}
		if want := "3 (search): 40 of about 100\n4 (venues): 40 of about 100\n"; stderr.String() != want {
			t.Errorf("progress is %q, want %q", stderr.String(), want)
		}
		if want := "step 3 (search): begun\nstep 3 (search): done in 5s\nstep 4 (venues): begun\nstep 4 (venues): done in 5s\n"; out.String() != want {
			t.Errorf("printed %q, want %q", out.String(), want)
		}
	})
}
