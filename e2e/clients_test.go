//go:build clients

package e2e

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/eventio/eventio/internal/testenv"
	"github.com/eventio/eventio/pkg/store"
)

// order is what a client is told to send: a value that it makes JSON of, a text that it sends as it does by
// itself, or no body.
type order struct {
	Method  string            `json:"method"`
	Path    string            `json:"path"`
	Value   json.RawMessage   `json:"value,omitempty"`
	Text    *string           `json:"text,omitempty"`
	Headers map[string]string `json:"headers,omitempty"`
}

// clientAnswer is what a client says of what it got.
type clientAnswer struct {
	Status int    `json:"status"`
	ETag   string `json:"etag"`
	Body   string `json:"body"`
}

// httpClient sends orders as a library does.
type httpClient func(*testing.T, order) clientAnswer

// TestClients: the HTTP clients that people's programs use, each with the headers and the framing that it
// has by itself, do all that a person and an organizer do.
func TestClients(t *testing.T) {
	folder := clientsFolder(t)
	python := filepath.Join(folder, "bin", "python")
	onEveryStore(t, func(t *testing.T, url string) {
		for name, open := range map[string]func(*testing.T) httpClient{
			"curl":            func(*testing.T) httpClient { return curl(url) },
			"python urllib":   func(t *testing.T) httpClient { return talks(t, python, "testdata/clients/client.py", "urllib", url) },
			"python requests": func(t *testing.T) httpClient { return talks(t, python, "testdata/clients/client.py", "requests", url) },
			"python httpx":    func(t *testing.T) httpClient { return talks(t, python, "testdata/clients/client.py", "httpx", url) },
			"python aiohttp":  func(t *testing.T) httpClient { return talks(t, python, "testdata/clients/client.py", "aiohttp", url) },
			"node http": func(t *testing.T) httpClient {
				return talks(t, "node", "testdata/clients/client.mjs", "http", url, folder)
			},
			"node fetch": func(t *testing.T) httpClient {
				return talks(t, "node", "testdata/clients/client.mjs", "fetch", url, folder)
			},
			"axios": func(t *testing.T) httpClient {
				return talks(t, "node", "testdata/clients/client.mjs", "axios", url, folder)
			},
			"got": func(t *testing.T) httpClient {
				return talks(t, "node", "testdata/clients/client.mjs", "got", url, folder)
			},
			"ky": func(t *testing.T) httpClient {
				return talks(t, "node", "testdata/clients/client.mjs", "ky", url, folder)
			},
			"java.net.http": func(t *testing.T) httpClient { return java(t, url) },
		} {
			t.Run(name, func(t *testing.T) { doesItAll(t, open(t)) })
		}
	})
}

// doesItAll signs somebody up and plays an event from its creation to its end.
func doesItAll(t *testing.T, send httpClient) {
	want := func(status int, method, path string, value, text any, headers ...string) clientAnswer {
		t.Helper()
		o := order{Method: method, Path: path}
		if value != nil {
			o.Value = json.RawMessage(value.(string))
		}
		if text != nil {
			text := text.(string)
			o.Text = &text
		}
		if len(headers) > 0 {
			o.Headers = map[string]string{headers[0]: headers[1]}
		}
		a := send(t, o)
		if a.Status != status {
			t.Fatalf("%s %s with %v %v: %d %s, want %d", method, path, value, text, a.Status, a.Body, status)
		}
		return a
	}
	id := func(a clientAnswer) string {
		t.Helper()
		var made struct{ ID string }
		if err := json.Unmarshal([]byte(a.Body), &made); err != nil || len(made.ID) != 24 {
			t.Fatalf("no id in %s: %v", a.Body, err)
		}
		return made.ID
	}
	email := store.NewID().Hex() + "@example.org"
	ada := id(want(201, "POST", "/api/users", `{"name":"Ad\u00e4","email":"`+email+`","password":"password1"}`, nil))
	want(200, "POST", "/api/login", `{"email":"`+email+`","password":"password1"}`, nil)
	event := "/api/events/" + id(want(201, "POST", "/api/events", `{"organizer_id":"`+ada+`","title":"Opening","capacity":1,
		"starts_at":"2037-05-01T18:00:00Z","ends_at":"2037-05-01T20:00:00Z"}`, nil))
	seats, bob := event+"/registrations", store.NewID().Hex()
	want(201, "POST", seats, `{"user_id":"`+ada+`"}`, nil)
	want(400, "POST", seats, `{"user_id":"`+ada+`"}`, nil)
	want(409, "POST", seats, `{"user_id":"`+bob+`"}`, nil)
	want(200, "PUT", seats+"/"+ada, nil, nil)
	want(200, "PUT", seats+"/"+ada, `{}`, nil)
	want(200, "GET", seats, nil, nil)
	want(204, "DELETE", seats+"/"+ada, nil, nil)
	want(201, "POST", seats, nil, `{"user_id":"`+bob+`"}`) // in the type that the client gives to text
	tag := want(200, "GET", event, nil, nil).ETag
	if tag == "" {
		t.Fatal("the event has no ETag")
	}
	want(304, "GET", event, nil, nil, "If-None-Match", tag)
	want(200, "PATCH", event, `{"capacity":2.0}`, nil, "If-Match", tag)
	want(412, "PATCH", event, `{"capacity":3}`, nil, "If-Match", tag)
	want(200, "POST", event+"/cancel", nil, nil)
	want(200, "GET", event+"/changes?limit=3", nil, nil)
	want(404, "GET", "/api/events/"+store.NewID().Hex(), nil, nil)
}

// clientsFolder prepares the libraries.
func clientsFolder(t *testing.T) string {
	t.Helper()
	folder, err := testenv.Script(t.Context(), "clients.sh")
	if err != nil {
		t.Fatalf("prepare the clients: %v", err)
	}
	return folder
}

// talker starts a program that reads an order from each line and writes an answer for it.
func talker(t *testing.T, name string, args ...string) func(line string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	var said strings.Builder
	cmd.Stderr, cmd.WaitDelay = &said, time.Second
	in, err := cmd.StdinPipe()
	succeeds(t, err)
	out, err := cmd.StdoutPipe()
	succeeds(t, err)
	succeeds(t, cmd.Start())
	t.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Wait()
		if t.Failed() && said.Len() > 0 {
			t.Log(said.String())
		}
	})
	lines := bufio.NewReader(out)
	return func(line string) string {
		t.Helper()
		_, err := io.WriteString(in, line+"\n")
		succeeds(t, err)
		got, err := lines.ReadString('\n')
		if err != nil {
			t.Fatalf("the client ended: %v\n%s", err, said.String())
		}
		return strings.TrimRight(got, "\r\n")
	}
}

// talks is a client that is a program which reads and writes JSON.
func talks(t *testing.T, name string, args ...string) httpClient {
	say := talker(t, name, args...)
	return func(t *testing.T, o order) (a clientAnswer) {
		t.Helper()
		line, err := json.Marshal(o)
		succeeds(t, err)
		succeeds(t, json.Unmarshal([]byte(say(string(line))), &a))
		return a
	}
}

// java is Java's own client.
func java(t *testing.T, url string) httpClient {
	say := talker(t, "java", "testdata/clients/Client.java", url)
	word := base64.StdEncoding.EncodeToString
	return func(t *testing.T, o order) (a clientAnswer) {
		t.Helper()
		kind, body := "text", ""
		if o.Value != nil {
			kind, body = "json", string(o.Value)
		} else if o.Text != nil {
			body = *o.Text
		}
		headers := o.Headers["If-Match"]
		if none := o.Headers["If-None-Match"]; none != "" {
			headers = none
			kind = "none-match"
		}
		got := strings.Split(say(strings.Join([]string{o.Method, word([]byte(o.Path)), kind, word([]byte(body)), word([]byte(headers))}, " ")), " ")
		if len(got) != 3 {
			t.Fatalf("Java says %q", got)
		}
		status, err := strconv.Atoi(got[0])
		succeeds(t, err)
		tag, err := base64.StdEncoding.DecodeString(got[1])
		succeeds(t, err)
		text, err := base64.StdEncoding.DecodeString(got[2])
		succeeds(t, err)
		return clientAnswer{status, string(tag), string(text)}
	}
}

// curl is curl as one types it.
func curl(url string) httpClient {
	return func(t *testing.T, o order) (a clientAnswer) {
		t.Helper()
		args := []string{"--silent", "--show-error", "--request", o.Method, "--write-out", "\n%header{etag}\n%{http_code}", url + o.Path}
		for name, value := range o.Headers {
			args = append(args, "--header", name+": "+value)
		}
		if o.Value != nil {
			args = append(args, "--header", "Content-Type: application/json", "--data-binary", string(o.Value))
		} else if o.Text != nil {
			args = append(args, "--data", *o.Text)
		}
		out, err := exec.CommandContext(t.Context(), "curl", args...).CombinedOutput()
		if err != nil {
			t.Fatalf("curl: %v\n%s", err, out)
		}
		lines := strings.Split(string(out), "\n")
		if len(lines) < 3 {
			t.Fatalf("curl says %q", out)
		}
		end := len(lines) - 2
		if _, err := fmt.Sscan(lines[end+1], &a.Status); err != nil {
			t.Fatalf("curl says %q", out)
		}
		a.ETag, a.Body = lines[end], strings.Join(lines[:end], "\n")
		return a
	}
}
