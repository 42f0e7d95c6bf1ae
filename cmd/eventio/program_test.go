package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/eventio/eventio/internal/testenv"
)

// programEnv makes this test binary the program.
const programEnv = "EVENTIO_TEST_PROGRAM"

// programLimit bounds every wait for what a program does.
const programLimit = 30 * time.Second

// program is eventio in a process of its own.
type program struct {
	*testenv.Program
	url string
}

// startProgram serves the data folder. within may wrap the command, in one that becomes it.
func startProgram(t *testing.T, data string, within ...string) *program {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	args := append(within, self, "--addr", "127.0.0.1:0", "--data", data)
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env = append(os.Environ(), programEnv+"=1")
	p := &program{Program: testenv.RunProgram(t, cmd)}
	if p.url, err = p.Find(t.Context(), "listening on "); err != nil {
		t.Fatal(err)
	}
	return p
}

// reply is an answer of the API.
type reply struct {
	status int
	header http.Header
	body   map[string]any // of an object
}

func (r reply) String() string { return fmt.Sprint(r.status, " ", r.body) }

// read returns what a path answers with a token, whatever it is.
func (p *program) read(t *testing.T, path, token string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.url+path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// ask sends a request; headers are names and values.
func (p *program) ask(t *testing.T, method, path, body string, headers ...string) reply {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, p.url+path, bytes.NewBufferString(body))
	if err != nil {
		t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	r := reply{status: res.StatusCode, header: res.Header}
	_ = json.Unmarshal(data, &r.body) // an array is not looked at
	return r
}
