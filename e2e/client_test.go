package e2e

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/eventio/eventio/pkg/store"
)

// client speaks to one API process.
type client struct {
	url  string
	http *http.Client
}

func newClient(t *testing.T, addr string) *client {
	transport := &http.Transport{MaxConnsPerHost: 64, MaxIdleConnsPerHost: 64}
	t.Cleanup(transport.CloseIdleConnections)
	return &client{url: "http://" + addr, http: &http.Client{Transport: transport, Timeout: 15 * time.Second}}
}

// send makes a request and returns the status and the body; 0 when no answer came.
func (c *client) send(method, path, body, key string) (int, []byte) {
	req, err := http.NewRequest(method, c.url+path, bytes.NewReader([]byte(body)))
	if err != nil {
		return 0, []byte(err.Error())
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	if key != "" {
		req.Header.Set("Idempotency-Key", key)
	}
	res, err := c.http.Do(req)
	if err != nil {
		return 0, []byte(err.Error())
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	if err != nil {
		return 0, []byte(err.Error())
	}
	return res.StatusCode, data
}

// want makes a request that must end with that status and reads its body into the value at
// to, if there is one.
func (c *client) want(t *testing.T, status int, method, path, body string, to any) {
	t.Helper()
	got, data := c.send(method, path, body, "")
	if got != status {
		t.Fatalf("%s %s: %d %s, want %d", method, path, got, data, status)
	}
	if to == nil {
		return
	}
	if err := json.Unmarshal(data, to); err != nil {
		t.Fatalf("%s %s: %v in %s", method, path, err, data)
	}
}

// event is what the API tells of an event.
type event struct {
	ID          store.ID `json:"id"`
	Title       string   `json:"title"`
	Capacity    int64    `json:"capacity"`
	TicketsSold int64    `json:"tickets_sold"`
}

func (c *client) createEvent(t *testing.T, capacity string) event {
	t.Helper()
	var e event
	c.want(t, http.StatusCreated, http.MethodPost, "/api/events", `{"organizer_id":"`+store.NewID().Hex()+
		`","title":"Opening","description":"","capacity":`+capacity+
		`,"starts_at":"2027-05-01T18:00:00Z","ends_at":"2027-05-01T20:00:00Z"}`, &e)
	return e
}

// seats is the path of an event's registrations, and wish the body that asks for one.
func seats(e event) string      { return "/api/events/" + e.ID.Hex() + "/registrations" }
func wish(user store.ID) string { return `{"user_id":"` + user.Hex() + `"}` }
