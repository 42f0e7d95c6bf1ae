package e2e

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/eventio/eventio/internal/setup"
	"github.com/eventio/eventio/internal/testenv"
	"github.com/eventio/eventio/loadtest/procfs"
	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/imports"
	"github.com/eventio/eventio/pkg/store/mongostore"
	"github.com/eventio/eventio/pkg/store/sqlitestore"
)

// BenchmarkGrowth is what a process costs by how many people are registered, of which EVENTIO_GROWTH has numbers (behind a colon, if those of events differ), 1,000 by default:
// the time from its start until it is ready, and the most memory that it has held when somebody has read the event, a page from the
// middle of its roster and whether they are in, and has registered. It prints a table for docs/benchmarks.
//
//	EVENTIO_GROWTH="1000 100000 1000000" go test ./e2e -run '^$' -bench Growth -benchtime 1x -timeout 0
func BenchmarkGrowth(b *testing.B) {
	sizes := os.Getenv("EVENTIO_GROWTH")
	if sizes == "" {
		sizes = "1000"
	}
	fmt.Println("| people | program | ms until ready | MiB at most |\n|---|---|---|---|")
	for text := range strings.FieldsSeq(sizes) {
		n, err := strconv.Atoi(text[strings.Index(text, ":")+1:])
		if err != nil || n < 1000 {
			b.Fatalf("EVENTIO_GROWTH: %q is no number from 1000 on", text)
		}
		event := store.Event{
			ID: store.NewID(), OrganizerID: store.NewID(), Title: "Growth", Capacity: 2 * int64(n), CreatedAt: time.Now(),
			StartsAt: time.Now().Add(time.Hour), EndsAt: time.Now().Add(2 * time.Hour),
		}
		people := make([]store.ID, n)
		for i := range people {
			people[i] = store.NewID()
		}
		fill := func(b *testing.B, st interface {
			imports.Store
			Close() error
		}, err error) {
			if err == nil {
				_, err = st.ImportEvent(b.Context(), event, people, nil)
			}
			succeeds(b, err)
			succeeds(b, st.Close())
		}
		tell := func(b *testing.B, program string, p *process, begun time.Time) func() {
			testenv.Eventually(b, limit, "be ready", func() error { _, err := probed(p, "/readyz", http.StatusOK); return err })
			ready := time.Since(begun)
			return func() {
				peak, err := procfs.PeakMemory(p.Pid)
				succeeds(b, err)
				fmt.Printf("| %d | `%s` | %d | %d |\n", n, program, ready.Milliseconds(), peak>>20)
			}
		}
		use := func(b *testing.B, p *process) {
			path := "/api/events/" + event.ID.Hex()
			for _, path := range []string{path, path + "/registrations?limit=1000", path + "/registrations/" + people[n/2].Hex(), "/api/users/" + people[0].Hex() + "/registrations"} {
				_, err := probed(p, path, http.StatusOK)
				succeeds(b, err)
			}
			_, err := newClient(b, p.addr).Register(b.Context(), event.ID, store.NewID())
			succeeds(b, err)
		}
		b.Run(text+"/eventio", func(b *testing.B) {
			folder := b.TempDir()
			st, err := sqlitestore.Open(context.Background(), filepath.Join(folder, setup.DatabaseFile))
			fill(b, st, err)
			begun := time.Now()
			cmd := exec.Command(filepath.Join(programs, "eventio"))
			cmd.Env = append(os.Environ(), "EVENTIO_DATA="+folder, "EVENTIO_ADDR=127.0.0.1:0", "EVENTIO_ADMIN_ADDR=off")
			program := testenv.RunProgram(b, cmd)
			addr, err := program.Find(b.Context(), "listening on http://")
			succeeds(b, err)
			p := &process{program, addr}
			told := tell(b, "eventio", p, begun)
			use(b, p)
			told()
		})
		b.Run(text+"/api", func(b *testing.B) {
			uri := testenv.MongoDB(b)
			c := newCluster(b).with("EVENTIO_ADMIN_ADDR=off", "MONGODB_URI="+uri)
			st, err := mongostore.Open(context.Background(), uri, zerolog.Nop())
			fill(b, st, err)
			begun := time.Now()
			api := c.start(b, "api")
			told := tell(b, "api", api, begun)
			begun = time.Now()
			worker := c.start(b, "worker")
			toldWorker := tell(b, "worker", worker, begun)
			use(b, api)
			told()
			toldWorker()
		})
	}
}
