package framing_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/eventio/eventio/internal/framing"
)

// serve starts a server whose answers tell what Of tells, and returns its address.
func serve(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{
		ReadHeaderTimeout: time.Minute, ConnContext: framing.Context,
		Handler: framing.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			fmt.Fprintf(w, "%d %s %s %v", framing.Of(r), r.RequestURI, body, err)
		})),
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(framing.Listen(l)) }()
	t.Cleanup(func() {
		_ = server.Close()
		<-served
	})
	return l.Addr().String()
}

const (
	get   = "GET /get HTTP/1.1\r\nHost: x\r\n\r\n"
	five  = "POST /five HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nGET /"
	parts = "POST /parts HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nGET \r\n00A;a=\"b\"\r\n/x HTTP/1.\r\n0\r\nContent-Length: 7\r\n\r\n"
	both  = "POST /both HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n" + aChunk

	aChunk = "1\r\na\r\n0\r\n\r\n"
)

// TestOf: each request of a connection is known by its own head, however the bytes are cut and
// whatever bodies look like.
func TestOf(t *testing.T) {
	addr := serve(t)
	const isClear, isBoth, unknown, said = int(framing.Clear), int(framing.Ambiguous), int(framing.Unknown), "GET /x HTTP/1. <nil>"
	long := strings.Repeat("x", 5000)
	for name, c := range map[string]struct {
		sent string
		want []string
	}{
		"no body":            {get, []string{"0 /get  <nil>"}},
		"a length":           {five, []string{"0 /five GET / <nil>"}},
		"chunks":             {parts, []string{fmt.Sprintf("%d /parts %s", isClear, said)}},
		"both":               {both, []string{fmt.Sprintf("%d /both a <nil>", isBoth)}},
		"both, the same way": {strings.Replace(both, "Content-Length: 5\r\n", "Content-Length: 5\r\nContent-Length:  5 \r\n", 1), []string{fmt.Sprintf("%d /both a <nil>", isBoth)}},
		"one after the other": {get + parts + five + "\r\n" + parts + both + parts, []string{
			"0 /get  <nil>", fmt.Sprintf("%d /parts %s", isClear, said), "0 /five GET / <nil>", fmt.Sprintf("%d /parts %s", isClear, said),
			fmt.Sprintf("%d /both a <nil>", isBoth), fmt.Sprintf("%d /parts %s", isClear, said)}},
		"after one that no handler sees": {"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n" + both, []string{"", fmt.Sprintf("%d /both a <nil>", isBoth)}},
		"after a long head":              {strings.Replace(get, "Host: x", "Host: x\r\nX: "+long, 1) + both, []string{"0 /get  <nil>", fmt.Sprintf("%d /both a <nil>", isBoth)}},
		"a length of many digits":        {strings.Replace(both, "Content-Length: 5", "Content-Length: 00000000000000000000000005", 1), []string{fmt.Sprintf("%d /both a <nil>", isBoth)}},
		"ends of lines without returns":  {strings.ReplaceAll(strings.TrimSuffix(both, aChunk), "\r\n", "\n") + aChunk, []string{fmt.Sprintf("%d /both a <nil>", isBoth)}},
		"a folded line":                  {strings.Replace(parts, "Encoding: chunked", "Encoding:\r\n chunked", 1), []string{fmt.Sprintf("%d /parts %s", unknown, said)}},
		"a long target":                  {strings.Replace(parts, "/parts", "/"+long, 1), []string{fmt.Sprintf("%d /%s %s", unknown, long, said)}},
	} {
		for _, size := range []int{len(c.sent), 1, 7} {
			t.Run(fmt.Sprintf("%s, %d bytes at a time", name, size), func(t *testing.T) {
				if size == 1 && len(c.sent) > 2000 {
					t.Skip("long")
				}
				conn, err := net.Dial("tcp", addr)
				if err != nil {
					t.Fatal(err)
				}
				defer conn.Close()
				go func() {
					for rest := []byte(c.sent); len(rest) > 0; {
						n := min(size, len(rest))
						if _, err := conn.Write(rest[:n]); err != nil {
							return
						}
						rest = rest[n:]
					}
				}()
				answers := bufio.NewReader(conn)
				for _, want := range c.want {
					res, err := http.ReadResponse(answers, nil)
					if err != nil {
						t.Fatal(err)
					}
					got, err := io.ReadAll(res.Body)
					if err != nil || string(got) != want {
						t.Fatalf("%.80s, %v, want %.80s", got, err, want)
					}
				}
			})
		}
	}
}

// TestOfAnotherServer: without a listener of ours nothing is known.
func TestOfAnotherServer(t *testing.T) {
	r, err := http.ReadRequest(bufio.NewReader(bytes.NewBufferString(parts)))
	if err != nil || framing.Of(r) != framing.Unknown {
		t.Errorf("%v, %v", framing.Of(r), err)
	}
}

// FuzzReader: reading along never panics and never finds a framing for a request that is not there.
func FuzzReader(f *testing.F) {
	for _, seed := range []string{get, five, parts, both, get + both} {
		f.Add([]byte(seed), 3)
	}
	f.Fuzz(func(t *testing.T, data []byte, size int) {
		if size < 1 {
			size = 1
		}
		// The heads that are found do not depend on how the bytes were cut.
		if whole, cut := framing.Heads(data, len(data)+1), framing.Heads(data, size); whole != cut {
			t.Errorf("as a whole %s, cut %s", whole, cut)
		}
	})
}
