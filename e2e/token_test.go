package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/eventio/eventio/internal/testenv"
	"github.com/eventio/eventio/pkg/store"
)

// TestTokenMode: two API processes that were told nothing share the key they find in the
// store; people act as themselves at either, until a password changes.
func TestTokenMode(t *testing.T) {
	c := newCluster(t)
	c.env = append(slices.Clip(c.env), "EVENTIO_AUTH=token")
	a, b := newClient(t, c.start(t, "api").addr), newClient(t, c.start(t, "api").addr)
	c.start(t, "worker")

	var ada, bob struct {
		ID    store.ID
		Token string
	}
	signUp := func(at *client, name string, to any) {
		at.want(t, http.StatusCreated, http.MethodPost, "/api/users",
			`{"name":"`+name+`","email":"`+name+`@example.org","password":"correct horse battery"}`, to)
	}
	signUp(a, "ada", &ada)
	signUp(b, "bob", &bob)
	const body = `{"title":"Opening","capacity":2,"starts_at":"2027-05-01T18:00:00Z","ends_at":"2027-05-01T20:00:00Z"}`
	a.as(t, "", http.StatusUnauthorized, http.MethodPost, "/api/events", body)
	var e event
	if err := json.Unmarshal(b.as(t, ada.Token, http.StatusCreated, http.MethodPost, "/api/events", body), &e); err != nil {
		t.Fatal(err)
	}
	a.as(t, bob.Token, http.StatusForbidden, http.MethodPost, seats(e), wish(ada.ID))
	a.as(t, bob.Token, http.StatusCreated, http.MethodPost, seats(e), `{}`)
	b.as(t, bob.Token, http.StatusBadRequest, http.MethodPost, seats(e), `{}`)
	b.as(t, bob.Token, http.StatusForbidden, http.MethodGet, seats(e), "")
	a.as(t, "", http.StatusUnauthorized, http.MethodGet, seats(e), "")
	if roster := string(b.as(t, ada.Token, http.StatusOK, http.MethodGet, seats(e), "")); roster != `["`+bob.ID.Hex()+`"]` {
		t.Errorf("the roster is %s", roster)
	}

	// An operator's token is as good.
	mint := exec.Command(filepath.Join(c.bin, "eventio"), "token", "--user", ada.ID.Hex())
	mint.Env = c.env
	minted, err := mint.Output()
	if err != nil {
		t.Fatal(err)
	}
	token := strings.TrimSpace(string(minted))
	a.as(t, token, http.StatusOK, http.MethodGet, seats(e), "")

	a.as(t, ada.Token, http.StatusNoContent, http.MethodPost, "/api/users/"+ada.ID.Hex()+"/password",
		`{"old_password":"correct horse battery","new_password":"another horse battery"}`)
	for _, old := range []string{ada.Token, token} {
		testenv.Eventually(t, 5*time.Second, "the end of an earlier token at the other process", func() error {
			if status, _ := b.call(t, old, http.MethodGet, seats(e), ""); status != http.StatusUnauthorized {
				return fmt.Errorf("still answers %d", status)
			}
			return nil
		})
	}
	b.as(t, bob.Token, http.StatusForbidden, http.MethodGet, seats(e), "") // others are not touched
}

// as makes a request with a token that must end with that status, and returns its body.
func (c *client) as(t *testing.T, token string, status int, method, path, body string) []byte {
	t.Helper()
	got, data := c.call(t, token, method, path, body)
	if got != status {
		t.Fatalf("%s %s: %d %s, want %d", method, path, got, data, status)
	}
	return data
}

func (c *client) call(t *testing.T, token, method, path, body string) (int, []byte) {
	t.Helper()
	req, err := http.NewRequest(method, c.url+path, bytes.NewReader([]byte(body)))
	if err != nil {
		t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := c.http.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, data
}
