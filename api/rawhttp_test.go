package api_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/eventio/eventio/internal/process"
)

// post11 writes a request as no decent client would.
func post11(path, headers, body string) string {
	return "POST " + path + " HTTP/1.1\r\nHost: x\r\n" + headers + "\r\n" + body
}

// TestRawHTTP: what only a bad client sends, to the server that the programs use. Each
// request gets at most one answer, and nothing is stored.
func TestRawHTTP(t *testing.T) {
	long := func(n int) string { return strings.Repeat("x", n) }
	length := func(body string) string { return fmt.Sprintf("Content-Length: %d\r\n", len(body)) }
	smuggled := "0\r\n\r\nGET /livez HTTP/1.1\r\nHost: x\r\n\r\n"
	rows := map[string]struct {
		text   string
		status []int // any of these
	}{
		"two_lengths":                  {post11(events, length(eventBody())+"Content-Length: 5\r\n", eventBody()), []int{400}},
		"length_below_zero":            {post11(events, "Content-Length: -1\r\n", eventBody()), []int{400}},
		"length_of_no_number":          {post11(events, "Content-Length: 1x\r\n", eventBody()), []int{400}},
		"length_and_chunks":            {post11(login, length(smuggled)+"Transfer-Encoding: chunked\r\n", smuggled), []int{400}},
		"chunk_of_no_size":             {post11(events, "Transfer-Encoding: chunked\r\n", "zz\r\n"+eventBody()), []int{400}},
		"chunk_shorter_than_say":       {post11(events, "Transfer-Encoding: chunked\r\n", "1\r\n"+eventBody()+"\r\n0\r\n\r\n"), []int{400}},
		"unknown_coding":               {post11(events, "Transfer-Encoding: gzip\r\n", eventBody()), []int{400, 415, 501}},
		"blank_before_a_colon":         {post11(events, "Content-Length : 5\r\n", "12345"), []int{400}},
		"header_without_colon":         {post11(events, "Content-Length\r\n", ""), []int{400}},
		"null_byte_in_a_header":        {post11(events, "X-A: a\x00b\r\n", ""), []int{400}},
		"headers_of_100_KB":            {post11(events, "X-A: "+long(100<<10)+"\r\n", ""), []int{431}},
		"target_of_100_KB":             {"GET /" + long(100<<10) + " HTTP/1.1\r\nHost: x\r\n\r\n", []int{414, 431}},
		"target_of_20_KB":              {"GET /api/events/" + long(20<<10) + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", []int{400, 414, 431}},
		"no_host":                      {"GET /livez HTTP/1.1\r\n\r\n", []int{400}},
		"two_hosts":                    {"GET /livez HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", []int{400}},
		"unknown_version":              {"GET /livez HTTP/3.7\r\nHost: x\r\n\r\n", []int{400, 505}},
		"no_version":                   {"GET /livez\r\n\r\n", []int{400}},
		"connect":                      {"CONNECT example.org:443 HTTP/1.1\r\nHost: example.org:443\r\nConnection: close\r\n\r\n", []int{400, 404, 405}},
		"asterisk":                     {"PUT * HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", []int{400, 404, 405}},
		"another_site":                 {"GET http://example.org/api/nothing HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", []int{400, 404}},
		"bad_escape":                   {"GET /api/events/%zz HTTP/1.1\r\nHost: x\r\n\r\n", []int{400}},
		"blank_in_the_target":          {"GET /api/events /x HTTP/1.1\r\nHost: x\r\n\r\n", []int{400}},
		"a_greeting_of_TLS":            {"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", []int{400}},
		"garbage":                      {"\x00\xff\xfe garbage\r\n\r\n", []int{400}},
		"3000_cookies":                 {post11(events, "Cookie: "+strings.Repeat("a=b; ", 3000)+"\r\nConnection: close\r\n"+length("{}"), "{}"), []int{400}},
		"1000_tokens":                  {post11(events, "Cookie: "+strings.Repeat("eventio_token=b; ", 1000)+"\r\nConnection: close\r\n"+length("{}"), "{}"), []int{401}},
		"expect_with_a_body_too_large": {post11(events, "Expect: 100-continue\r\n"+length(long(1<<20)), long(1<<20)), []int{413}},
		"body_too_large_and_pipelined": {post11(events, length(long(1<<20)), long(1<<20)+"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"), []int{413}},
	}
	forEachStore(t, func(t *testing.T, e *env) {
		addr := e.serveAsTheProgramsDo(t)
		before := e.counts(t)
		for name, row := range rows {
			t.Run(name, func(t *testing.T) {
				answers, closed := exchange(t, addr, row.text)
				if len(answers) != 1 || !closed {
					t.Fatalf("%d answers, closed: %v; want 1 and then the end", len(answers), closed)
				}
				a := answers[0]
				if slices.Contains(row.status, a.status) {
					return
				}
				t.Errorf("status %d, want %v: %s", a.status, row.status, a.body)
			})
		}
		if after := e.counts(t); after != before {
			t.Errorf("users, events, registrations: %v, before %v", after, before)
		}
		answers, _ := exchange(t, addr, "GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
		if len(answers) != 1 || answers[0].status != 200 {
			t.Errorf("afterwards %v", answers)
		}
	})
}

// serveAsTheProgramsDo serves the env's API with the server of the programs, too.
func (e *env) serveAsTheProgramsDo(t testing.TB) (addr string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() {
		served <- process.Server{Listener: listener, Handler: e.server.Config.Handler, Log: zerolog.New(e.log)}.Serve(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		must(t, <-served)
	})
	return listener.Addr().String()
}

// exchange writes text and returns the answers, without those of status
// 100, and whether the other side ended the connection too.
func exchange(t testing.TB, addr, text string) (answers []answer, closed bool) {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	must(t, err)
	defer conn.Close()
	must(t, conn.SetDeadline(time.Now().Add(3*time.Second)))
	written := make(chan struct{})
	go func() {
		defer close(written)
		// The other side may have heard enough before the end. Ours stays open: whoever
		// answers a bad request must end the connection by itself.
		_, _ = io.WriteString(conn, text)
	}()
	reader := bufio.NewReader(conn)
	for {
		res, err := http.ReadResponse(reader, nil)
		if err != nil {
			<-written
			return answers, !isTimeout(err)
		}
		body, _ := io.ReadAll(res.Body)
		if res.StatusCode != http.StatusContinue {
			answers = append(answers, answer{status: res.StatusCode, header: res.Header, body: body})
		}
	}
}

func isTimeout(err error) bool {
	timeout, ok := err.(net.Error)
	return ok && timeout.Timeout()
}
