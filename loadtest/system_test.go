// Package loadtest measures the production processes against baselines held in the same
// run. It reports ratios and medians; README.md says how to read them.
package loadtest

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/eventio/eventio/internal/testenv"
	"github.com/eventio/eventio/loadtest/rig"
	"github.com/eventio/eventio/pkg/client"
)

func TestMain(m *testing.M) { testenv.Main(m) }

// limit bounds every wait for a process.
const limit = 30 * time.Second

// system is one API and one worker process on a real NATS server and a real MongoDB, all
// with the settings they have in production.
type system struct {
	mongoURI string
	addr     string // of the API
	client   *client.Client
	worker   *testenv.Program
}

func startSystem(b *testing.B) *system {
	b.Helper()
	bin := b.TempDir()
	if err := testenv.Build(b.Context(), bin, "api", "worker"); err != nil {
		b.Fatal(err)
	}
	return startSystemFrom(b, bin)
}

// startSystemFrom starts the programs in a folder.
func startSystemFrom(b *testing.B, bin string) *system {
	b.Helper()
	s := &system{mongoURI: testenv.MongoDB(b)}
	env := append(os.Environ(),
		"NATS_URL="+testenv.StartNATS(b).URL(),
		"MONGODB_URI="+s.mongoURI,
		"EVENTIO_ADDR=127.0.0.1:0",
		"EVENTIO_AUTH=trusted", // the crowd has ids and no passwords
		"EVENTIO_LOG_LEVEL=info",
		"EVENTIO_DRAIN_DELAY=0s",
	)
	s.worker, _ = start(b, bin, "worker", env, "taking seat requests")
	_, s.addr = start(b, bin, "api", env, "serving HTTP")
	var err error
	if s.client, err = client.New("http://"+s.addr, client.Config{Retry: client.Retry{Attempts: 1, Timeout: limit}}); err != nil {
		b.Fatal(err)
	}
	return s
}

// start starts a process and waits for the line of its log with that text.
func start(b *testing.B, bin, name string, env []string, text string) (*testenv.Program, string) {
	b.Helper()
	cmd := exec.Command(filepath.Join(bin, name))
	cmd.Env = env
	p := testenv.RunProgram(b, cmd)
	b.Cleanup(func() {
		if err := p.Stop(); err != nil {
			b.Error(err)
		}
	})
	addr, err := p.Find(b.Context(), text)
	if err != nil {
		b.Fatal(err)
	}
	return p, addr
}

// batches are the sizes of the batches in which n requests were settled.
func (s *system) batches(b *testing.B, n int) []int {
	b.Helper()
	sizes, err := rig.Batches(b.Context(), n, s.worker)
	if err != nil {
		b.Fatal(err)
	}
	return sizes
}
