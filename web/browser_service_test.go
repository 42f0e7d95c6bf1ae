//go:build browser

package web

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/eventio/eventio/internal/identity"
	"github.com/eventio/eventio/internal/testenv"
	"github.com/eventio/eventio/pkg/store"
)

// service is an Event.io of its own, with an empty store, in token mode as in production.
type service struct {
	t       testing.TB
	base    string
	keys    identity.Keys
	program string // path
	data    string
	env     []string // more of its environment
	process *testenv.Program
}

// built is the program, built once for all tests.
var built = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "eventio-browser-")
	if err != nil {
		return "", err
	}
	return filepath.Join(dir, "eventio"), testenv.Build(context.Background(), dir, "eventio")
})

func TestMain(m *testing.M) {
	code := m.Run()
	if program, err := built(); err == nil {
		_ = os.RemoveAll(filepath.Dir(program))
	}
	os.Exit(code)
}

const testKeys = "browser:c2VjcmV0IG9mIHRoZSBicm93c2VyIHRlc3RzLCAzMiBieXRlcw"

// startEventio starts cmd/eventio on a free port. It is stopped when the test ends.
func startEventio(t testing.TB, env ...string) *service {
	t.Helper()
	program, err := built()
	if err != nil {
		t.Fatal(err)
	}
	keys, err := identity.ParseKeys(testKeys)
	if err != nil {
		t.Fatal(err)
	}
	s := &service{t: t, keys: keys, program: program, data: filepath.Join(t.TempDir(), "data"), env: env}
	s.start("127.0.0.1:0")
	return s
}

func (s *service) start(addr string) {
	s.t.Helper()
	command := exec.Command(s.program, "--addr", addr, "--data", s.data, "--auth", "token", "--rate-limits", "off")
	command.Env = append(append(os.Environ(), "EVENTIO_AUTH_KEYS="+testKeys), s.env...)
	s.process = testenv.RunProgram(s.t, command)
	base, err := s.process.Find(s.t.Context(), "listening on ")
	if err != nil {
		s.t.Fatal(err)
	}
	s.base = base
}

// person is somebody who uses the API without a browser.
type person struct {
	s     *service
	id    string
	token string
}

func (s *service) person() person {
	s.t.Helper()
	id := store.NewID()
	token, _, err := s.keys.Mint(identity.Person{ID: id}, time.Now(), time.Hour)
	if err != nil {
		s.t.Fatal(err)
	}
	return person{s, id.Hex(), token}
}

// named is somebody who has signed up.
func (s *service) named(name, email string) person {
	s.t.Helper()
	status, answer := person{s: s}.call(http.MethodPost, "/api/users", map[string]any{"name": name, "email": email, "password": password})
	if status != http.StatusCreated {
		s.t.Fatalf("sign up %s: %d %v", name, status, answer)
	}
	return person{s, answer["id"].(string), answer["token"].(string)}
}

// call sends a request and returns the status and the decoded body.
func (p person) call(method, path string, body map[string]any, header ...string) (int, map[string]any) {
	p.s.t.Helper()
	var content io.Reader
	if body != nil {
		data, err := json.Marshal(body)
		if err != nil {
			p.s.t.Fatal(err)
		}
		content = bytes.NewReader(data)
	}
	r, err := http.NewRequestWithContext(p.s.t.Context(), method, p.s.base+path, content)
	if err != nil {
		p.s.t.Fatal(err)
	}
	if p.token != "" {
		r.Header.Set("Authorization", "Bearer "+p.token)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		p.s.t.Fatal(err)
	}
	defer answer.Body.Close()
	var decoded map[string]any
	_ = json.NewDecoder(answer.Body).Decode(&decoded) // a 204 has none
	return answer.StatusCode, decoded
}

// list reads an array that everybody may read.
func (s *service) list(path string) (all []map[string]any) {
	s.t.Helper()
	answer, err := http.Get(s.base + path)
	if err != nil {
		s.t.Fatal(err)
	}
	defer answer.Body.Close()
	if err := json.NewDecoder(answer.Body).Decode(&all); err != nil {
		s.t.Fatal(err)
	}
	return all
}

// event makes an event for tomorrow, with these fields changed, and returns its id.
func (p person) event(fields map[string]any) string {
	p.s.t.Helper()
	start := time.Now().Add(24 * time.Hour).UTC().Truncate(time.Hour)
	body := map[string]any{
		"title": "Chamber music by candlelight", "capacity": 12, "place": "Alte Mälzerei, Regensburg", "time_zone": "Europe/Berlin",
		"description": "Schubert and Janáček in a room for few.\n\nDoors open half an hour before. Bring nothing, take a memory.",
		"starts_at":   start.Format(time.RFC3339), "ends_at": start.Add(2 * time.Hour).Format(time.RFC3339),
	}
	maps.Copy(body, fields)
	status, e := p.call(http.MethodPost, "/api/events", body)
	if status != http.StatusCreated {
		p.s.t.Fatalf("create an event: %d %v", status, e)
	}
	return e["id"].(string)
}

func (p person) register(event string) {
	p.s.t.Helper()
	if status, answer := p.call(http.MethodPost, "/api/events/"+event+"/registrations", map[string]any{}); status/100 != 2 {
		p.s.t.Fatalf("register: %d %v", status, answer)
	}
}

// crowd registers that many people.
func (s *service) crowd(event string, n int) []person {
	s.t.Helper()
	all := make([]person, n)
	for i := range all {
		all[i] = s.person()
		all[i].register(event)
	}
	return all
}
