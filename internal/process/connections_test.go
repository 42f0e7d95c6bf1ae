package process_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/eventio/eventio/internal/process"
)

// raw is a connection on which a test speaks HTTP by hand.
type raw struct {
	net.Conn
	answers *bufio.Reader
}

func (s *serving) raw(t *testing.T, from string) raw {
	t.Helper()
	conn, err := s.listener.dialFrom(from)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return raw{conn, bufio.NewReader(conn)}
}

func (r raw) send(t *testing.T, text string) {
	t.Helper()
	if _, err := io.WriteString(r, text); err != nil {
		t.Fatal(err)
	}
}

// get asks for a path and returns the answer's text.
func (r raw) get(t *testing.T, path string) string {
	t.Helper()
	r.send(t, "GET "+path+" HTTP/1.1\r\nHost: x\r\n\r\n")
	res, err := http.ReadResponse(r.answers, nil)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// open tells whether the other side has not closed the connection.
func (r raw) open() bool {
	_ = r.SetReadDeadline(time.Now().Add(time.Millisecond))
	_, err := r.Read(make([]byte, 1))
	return err == nil || errors.Is(err, io.ErrNoProgress) || strings.Contains(err.Error(), "timeout")
}

// TestAnAnswerWaitsForNoBody: who asks whether to send a body is answered without it, whatever the handler reads.
func TestAnAnswerWaitsForNoBody(t *testing.T) {
	for _, method := range []string{"GET", "POST", "PUT", "DELETE"} {
		for _, length := range []string{"Content-Length: 2", "Content-Length: 1000000", "Transfer-Encoding: chunked"} {
			serve(t, process.Server{}, func(t *testing.T, s *serving) {
				began := time.Now()
				s.handler = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusRequestEntityTooLarge) }
				c := s.raw(t, "")
				c.send(t, method+" / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n"+length+"\r\n\r\n")
				res, err := http.ReadResponse(c.answers, nil)
				if err != nil || res.StatusCode != http.StatusRequestEntityTooLarge || time.Since(began) > 0 {
					t.Errorf("%s, %s: %+v, %v, after %v", method, length, res, err, time.Since(began))
				}
			})
		}
	}
}

// TestConnectionsAreBounded: as many clients as may be connected hold their connections in every way
// that costs them nothing, and the next one is answered in time.
func TestConnectionsAreBounded(t *testing.T) {
	const most = 8
	big := func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, 1<<20)) }
	for name, c := range map[string]struct {
		hold   func(*testing.T, raw)
		within time.Duration
	}{
		"idle ones":                           {func(t *testing.T, r raw) { r.get(t, "/") }, time.Millisecond},
		"those that send nothing":             {func(*testing.T, raw) {}, 2 * time.Second},
		"those that do not end their headers": {func(t *testing.T, r raw) { r.send(t, "GET / HTTP/1.1\r\nHost: x\r\nX-A: a") }, 2 * time.Second},
		"those that send no body":             {func(t *testing.T, r raw) { r.send(t, "POST /body HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n") }, 2 * time.Second},
		"those that do not end their chunks": {func(t *testing.T, r raw) {
			r.send(t, "POST /body HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n")
		}, 2 * time.Second},
		"those that read nothing":              {func(t *testing.T, r raw) { r.send(t, "GET /big HTTP/1.1\r\nHost: x\r\n\r\n") }, 2 * time.Second},
		"idle ones that begin another request": {func(t *testing.T, r raw) { r.get(t, "/"); r.send(t, "GET / H") }, 2 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			serve(t, process.Server{MaxConnections: most}, func(t *testing.T, s *serving) {
				s.handler = func(w http.ResponseWriter, r *http.Request) {
					switch r.URL.Path {
					case "/big":
						big(w, r)
					case "/body":
						_, _ = io.ReadAll(r.Body)
					default:
						_, _ = io.WriteString(w, "answered")
					}
				}
				var held []raw
				for range most {
					r := s.raw(t, "")
					c.hold(t, r)
					held = append(held, r)
					time.Sleep(time.Millisecond)
				}
				synctest.Wait()
				began := time.Now()
				next := s.raw(t, "")
				if got := next.get(t, "/"); got != "answered" {
					t.Errorf("the next one gets %q", got)
				}
				if took := time.Since(began); took > c.within {
					t.Errorf("the next one is answered after %v, want %v at most", took, c.within)
				}
				if held[0].open() && name != "those that read nothing" { // which have something to read
					t.Error("the one that waits for the longest time is not closed")
				}
				if !held[most-1].open() {
					t.Error("the one that came last is closed")
				}
				for _, r := range held {
					_ = r.Close()
				}
				_ = next.Close()
			})
		})
	}
}

// TestWorkIsNotCutOff: while all connections are at work on whole requests, the next client waits.
func TestWorkIsNotCutOff(t *testing.T) {
	const most = 4
	for name, request := range map[string]string{
		"without a body": "GET /held HTTP/1.1\r\nHost: x\r\n\r\n",
		"with a body":    "POST /held HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}",
	} {
		t.Run(name, func(t *testing.T) {
			serve(t, process.Server{MaxConnections: most}, func(t *testing.T, s *serving) {
				h := newHeld(s)
				s.handler = func(w http.ResponseWriter, r *http.Request) {
					_, _ = io.ReadAll(r.Body)
					h.serve(w, r)
				}
				var held []raw
				for range most {
					r := s.raw(t, "")
					r.send(t, request)
					<-h.arrived
					held = append(held, r)
				}
				time.Sleep(10 * time.Second)
				answered := make(chan string, 1)
				next := s.raw(t, "")
				s.clients.Go(func() { answered <- next.get(t, "/") })
				time.Sleep(5 * time.Second)
				if len(answered) > 0 {
					t.Error("one more than may be is served")
				}
				close(h.release)
				for _, r := range held {
					res, err := http.ReadResponse(r.answers, nil)
					if err != nil || res.StatusCode != 200 {
						t.Fatalf("a request that was at work gets %v, %v", res, err)
					}
					_, _ = io.Copy(io.Discard, res.Body)
				}
				if got := <-answered; got != "answered" {
					t.Errorf("the one that waited gets %q", got)
				}
				_ = next.Close()
				for _, r := range held {
					_ = r.Close()
				}
			})
		})
	}
}

// TestTheNetworkWithMostGivesWay: of those that are slow, one of the network with the most is closed,
// though another one has waited for longer.
func TestTheNetworkWithMostGivesWay(t *testing.T) {
	serve(t, process.Server{MaxConnections: 4}, func(t *testing.T, s *serving) {
		alone := s.raw(t, "192.0.2.1:1")
		time.Sleep(time.Millisecond)
		var crowd []raw
		for n := range 3 {
			crowd = append(crowd, s.raw(t, fmt.Sprintf("198.51.100.%d:1", n+1)))
			time.Sleep(time.Millisecond)
		}
		time.Sleep(2 * time.Second)
		next := s.raw(t, "203.0.113.1:1")
		next.get(t, "/")
		if !alone.open() || crowd[0].open() || !crowd[1].open() {
			t.Errorf("open are: the one alone %t, the crowd %t and %t", alone.open(), crowd[0].open(), crowd[1].open())
		}
		for _, r := range append(crowd, alone, next) {
			_ = r.Close()
		}
	})
}

// TestAServerThatWaitsForRoomEnds: nothing hangs at the end.
func TestAServerThatWaitsForRoomEnds(t *testing.T) {
	serve(t, process.Server{MaxConnections: 1}, func(t *testing.T, s *serving) {
		h := newHeld(s)
		one := s.raw(t, "")
		one.send(t, "GET /held HTTP/1.1\r\nHost: x\r\n\r\n")
		<-h.arrived
		two := s.raw(t, "")
		s.stop()
		time.Sleep(time.Second)
		if two.open() {
			t.Error("who waits for room is not told that the server ends")
		}
		close(h.release)
		_, _ = http.ReadResponse(one.answers, nil)
	})
}

// TestDescriptorsThatAreUsedUpEndIdleConnections: something else in the process has taken them.
func TestDescriptorsThatAreUsedUpEndIdleConnections(t *testing.T) {
	serve(t, process.Server{}, func(t *testing.T, s *serving) {
		idle := s.raw(t, "")
		idle.get(t, "/")
		synctest.Wait()
		s.listener.fail <- &net.OpError{Op: "accept", Net: "tcp", Err: os.NewSyscallError("accept4", syscall.EMFILE)}
		synctest.Wait()
		if idle.open() {
			t.Error("the idle connection is kept")
		}
		s.raw(t, "").get(t, "/")
	})
}
