package e2e

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/eventio/eventio/internal/testenv"
	"github.com/eventio/eventio/pkg/store"
)

// TestTheOriginalsFlow: a client of the original, which knows no tokens, does all that it
// did. cmd/eventio gets no settings but where to listen and to keep its data.
func TestTheOriginalsFlow(t *testing.T) {
	onEveryStore(t, func(t *testing.T, url string) {
		c := &client{url: url, http: &http.Client{Timeout: limit}}
		var ada struct{ ID, Name, Email string }
		c.want(t, 201, "POST", "/api/users", `{"name":"Ada","email":"ada@example.org","password":"password1"}`, &ada)
		c.want(t, 409, "POST", "/api/users", `{"name":"Ada","email":"ada@example.org","password":"password1"}`, nil)
		again := ada
		c.want(t, 200, "POST", "/api/login", `{"email":"ada@example.org","password":"password1"}`, &again)
		c.want(t, 401, "POST", "/api/login", `{"email":"ada@example.org","password":"password2"}`, nil)
		if again != ada || ada.Name != "Ada" || ada.Email != "ada@example.org" {
			t.Errorf("signed up as %v, logged in as %v", ada, again)
		}

		var made, read event
		c.want(t, 201, "POST", "/api/events", `{"organizer_id":"`+ada.ID+`","title":"Opening","description":"","capacity":1,
			"starts_at":"2027-05-01T18:00:00Z","ends_at":"2027-05-01T20:00:00Z"}`, &made)
		var list []event
		c.want(t, 200, "GET", "/api/events", "", &list)
		if len(list) != 1 || list[0] != made {
			t.Errorf("made %v, the list is %v", made, list)
		}

		var seat struct {
			Event store.ID `json:"event_id"`
			User  string   `json:"user_id"`
		}
		c.want(t, 201, "POST", seats(made), `{"user_id":"`+ada.ID+`"}`, &seat)
		if seat.Event != made.ID || seat.User != ada.ID {
			t.Errorf("the seat is %v", seat)
		}
		c.want(t, 400, "POST", seats(made), `{"user_id":"`+ada.ID+`"}`, nil)
		c.want(t, 409, "POST", seats(made), wish(store.NewID()), nil)
		c.want(t, 404, "POST", seats(event{ID: store.NewID()}), wish(store.NewID()), nil)
		c.want(t, 404, "GET", "/api/events/"+store.NewID().Hex(), "", nil)
		c.want(t, 200, "GET", "/api/events/"+made.ID.Hex(), "", &read)
		if read.TicketsSold != 1 || read.Capacity != 1 {
			t.Errorf("afterwards the event is %v", read)
		}
		var roster []string
		c.want(t, 200, "GET", seats(made), "", &roster)
		if len(roster) != 1 || roster[0] != ada.ID {
			t.Errorf("the roster is %v", roster)
		}
	})
}

// onEveryStore runs a test against cmd/eventio with SQLite, and against cmd/api and
// cmd/worker with MongoDB. The test gets the URL.
func onEveryStore(t *testing.T, test func(t *testing.T, url string)) {
	t.Run("sqlite", func(t *testing.T) {
		addr := freeAddr(t)
		c := newCluster(t)
		// It tells its address to people, not in the log, so the address is chosen here.
		cmd := exec.Command(filepath.Join(c.bin, "eventio"), "--addr", addr, "--data", t.TempDir(), "--log-level", "warn")
		cmd.Env, cmd.Stderr = os.Environ(), os.Stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		})
		ready(t, "http://"+addr)
		test(t, "http://"+addr)
	})
	t.Run("mongo", func(t *testing.T) {
		c := newCluster(t)
		c.start(t, "worker")
		url := "http://" + c.start(t, "api").addr
		ready(t, url)
		test(t, url)
	})
}

func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func ready(t *testing.T, url string) {
	t.Helper()
	testenv.Eventually(t, limit, "readiness", func() error {
		res, err := http.Get(url + "/readyz")
		if err != nil {
			return err
		}
		defer res.Body.Close()
		if res.StatusCode != http.StatusOK {
			return fmt.Errorf("status %s", res.Status)
		}
		return nil
	})
}
