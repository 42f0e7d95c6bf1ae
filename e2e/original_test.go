package e2e

import (
	"encoding/json"
	"io"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/eventio/eventio/internal/testenv"
	"github.com/eventio/eventio/pkg/store"
)

// TestTheOriginalsFlow: a client of the original, which knows no tokens, does all that it
// did. cmd/eventio gets no settings but where to listen and to keep its data.
func TestTheOriginalsFlow(t *testing.T) {
	onEveryStore(t, func(t *testing.T, url string) {
		c := originalClient(url)
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
		c.want(t, 409, "POST", seats(made), seatBody(store.NewID()), nil)
		c.want(t, 404, "POST", seats(event{ID: store.NewID()}), seatBody(store.NewID()), nil)
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
		cmd := exec.Command(filepath.Join(programs, "eventio"), "--addr", "127.0.0.1:0", "--data", t.TempDir(), "--log-level", "warn")
		url, err := testenv.RunProgram(t, cmd).Find(t.Context(), "listening on ")
		succeeds(t, err)
		ready(t, strings.TrimPrefix(url, "http://"))
		test(t, url)
	})
	t.Run("mongo", func(t *testing.T) {
		c := newCluster(t)
		c.start(t, "worker")
		addr := c.start(t, "api").addr
		ready(t, addr)
		test(t, "http://"+addr)
	})
}

func ready(t *testing.T, addr string) {
	t.Helper()
	api := newClient(t, addr)
	testenv.Eventually(t, limit, "readiness", func() error { return api.Ready(t.Context()) })
}

// originalClient is the URL of an Event.io, used as the original's clients do: what goes over the
// wire is what this test is about.
type originalClient string

// want makes a request that must end with that status, and reads its body into the value at to,
// if there is one.
func (c originalClient) want(t *testing.T, status int, method, path, body string, to any) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, string(c)+path, strings.NewReader(body))
	succeeds(t, err)
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	succeeds(t, err)
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	succeeds(t, err)
	if res.StatusCode != status {
		t.Fatalf("%s %s: %d %s, want %d", method, path, res.StatusCode, data, status)
	}
	if to != nil {
		if err := json.Unmarshal(data, to); err != nil {
			t.Fatalf("%s %s: %v in %s", method, path, err, data)
		}
	}
}

// event is what the original told of an event.
type event struct {
	ID          store.ID `json:"id"`
	Title       string   `json:"title"`
	Capacity    int64    `json:"capacity"`
	TicketsSold int64    `json:"tickets_sold"`
}

// seats is the path of an event's registrations, and seatBody the body that asks for one.
func seats(e event) string          { return "/api/events/" + e.ID.Hex() + "/registrations" }
func seatBody(user store.ID) string { return `{"user_id":"` + user.Hex() + `"}` }
