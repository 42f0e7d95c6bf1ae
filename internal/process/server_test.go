package process_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"github.com/eventio/eventio/internal/process"
)

// The tests of this file run in a bubble: time passes only while everybody waits, so that
// minutes cost nothing. Sleeping there is how the clock is moved on.

// pipes is a listener whose connections are pipes in memory.
type pipes struct {
	conns  chan net.Conn
	fail   chan error // what Accept fails with, once each
	closed chan struct{}
	once   sync.Once
}

func newPipes() *pipes {
	return &pipes{conns: make(chan net.Conn), fail: make(chan error), closed: make(chan struct{})}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case conn := <-p.conns:
		return conn, nil
	case err := <-p.fail:
		return nil, err
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { p.once.Do(func() { close(p.closed) }); return nil }
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{} }

func (p *pipes) dial(context.Context, string, string) (net.Conn, error) { return p.dialFrom("") }

// addressed is a connection from an address.
type addressed struct {
	net.Conn
	address string
}

func (a addressed) RemoteAddr() net.Addr { return a }
func (a addressed) Network() string      { return "tcp" }
func (a addressed) String() string       { return a.address }

// dialFrom opens a connection from an address; "": none that is known.
func (p *pipes) dialFrom(address string) (net.Conn, error) {
	client, server := net.Pipe()
	if address != "" {
		server = addressed{server, address}
	}
	select {
	case p.conns <- server:
		return client, nil
	case <-p.closed:
		return nil, errors.New("connection refused")
	}
}

// serving is a Server at work.
type serving struct {
	handler  http.HandlerFunc // of all requests; to be set before the first one
	listener *pipes
	client   *http.Client
	stop     context.CancelFunc
	served   chan error
	clients  sync.WaitGroup // what goes on beside the test
}

// serve runs test in a bubble with a Server. Channels must be made in there, too.
func serve(t *testing.T, server process.Server, test func(*testing.T, *serving)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		s := &serving{handler: ok, listener: newPipes(), stop: cancel, served: make(chan error, 1)}
		transport := &http.Transport{DialContext: s.listener.dial}
		defer transport.CloseIdleConnections()
		s.client = &http.Client{Transport: transport}
		server.Listener, server.Log = s.listener, zerolog.Nop()
		server.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.handler(w, r) })
		go func() { s.served <- server.Serve(ctx) }()
		test(t, s)
		cancel()
		if err := <-s.served; err != nil {
			t.Errorf("Serve ends with %v", err)
		}
		s.clients.Wait()
	})
}

// open opens a connection on which a test speaks HTTP by hand.
func (s *serving) open(t *testing.T) net.Conn {
	t.Helper()
	conn, err := s.listener.dial(t.Context(), "", "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// wantCut waits until the other side ends the connection.
func wantCut(t *testing.T, conn net.Conn, after, within time.Duration, began time.Time) {
	t.Helper()
	_, _ = io.Copy(io.Discard, conn)
	if took := time.Since(began); took < after || took > within {
		t.Errorf("cut off after %v, want %v to %v", took, after, within)
	}
}

func ok(http.ResponseWriter, *http.Request) {}

// drip writes a byte a second until the other side has had enough.
func drip(conn net.Conn, text string) {
	for i := range text {
		if _, err := io.WriteString(conn, text[i:i+1]); err != nil {
			return
		}
		time.Sleep(time.Second)
	}
}

func TestServerCutsOff(t *testing.T) {
	const long = 200
	t.Run("a_client_that_sends_a_header_byte_a_second", func(t *testing.T) {
		serve(t, process.Server{}, func(t *testing.T, s *serving) {
			conn, began := s.open(t), time.Now()
			s.clients.Go(func() { drip(conn, "GET / HTTP/1.1\r\nHost: x\r\nX-A: "+strings.Repeat("a", long)) })
			wantCut(t, conn, time.Second, 10*time.Second, began)
		})
	})
	t.Run("a_client_that_sends_nothing", func(t *testing.T) {
		serve(t, process.Server{}, func(t *testing.T, s *serving) {
			wantCut(t, s.open(t), time.Second, 10*time.Second, time.Now())
		})
	})
	t.Run("a_client_that_sends_a_body_byte_a_second", func(t *testing.T) {
		serve(t, process.Server{}, func(t *testing.T, s *serving) {
			ended := make(chan error, 1)
			s.handler = func(_ http.ResponseWriter, r *http.Request) {
				_, err := io.ReadAll(r.Body)
				ended <- err
			}
			conn, began := s.open(t), time.Now()
			if _, err := io.WriteString(conn, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n"); err != nil {
				t.Fatal(err)
			}
			s.clients.Go(func() { drip(conn, strings.Repeat("a", long)) })
			wantCut(t, conn, 5*time.Second, 30*time.Second, began)
			if err := <-ended; err == nil {
				t.Error("the handler takes the body for whole")
			}
		})
	})
	t.Run("a_client_that_reads_nothing_of_its_answer", func(t *testing.T) {
		serve(t, process.Server{}, func(t *testing.T, s *serving) {
			ended := make(chan error, 1)
			s.handler = func(w http.ResponseWriter, _ *http.Request) {
				_, err := w.Write(make([]byte, 1<<20))
				ended <- err
			}
			conn, began := s.open(t), time.Now()
			if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
				t.Fatal(err)
			}
			if err := <-ended; err == nil {
				t.Error("the handler takes its answer for sent")
			}
			wantCut(t, conn, 5*time.Second, time.Minute, began)
		})
	})
	t.Run("a_client_that_asks_no_more", func(t *testing.T) {
		serve(t, process.Server{}, func(t *testing.T, s *serving) {
			conn := s.open(t)
			if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
				t.Fatal(err)
			}
			// Later than gateways do it, which is 60 s: else a request meets a closed door.
			wantCut(t, conn, 61*time.Second, 5*time.Minute, time.Now())
		})
	})
	t.Run("a_client_that_asks_no_more_after_the_time_that_is_set", func(t *testing.T) {
		serve(t, process.Server{IdleTimeout: 620 * time.Second}, func(t *testing.T, s *serving) {
			conn := s.open(t)
			if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
				t.Fatal(err)
			}
			wantCut(t, conn, 620*time.Second, 625*time.Second, time.Now()) // Google Cloud keeps 600 s
		})
	})
	t.Run("headers_of_100_KB", func(t *testing.T) {
		serve(t, process.Server{}, func(t *testing.T, s *serving) {
			conn := s.open(t)
			s.clients.Go(func() {
				_, _ = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\nX-A: "+strings.Repeat("a", 100<<10)+"\r\n\r\n")
			})
			res, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil || res.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
				t.Errorf("%v, %v", res, err)
			}
			_ = conn.Close()
		})
	})
}

// held holds back its requests to /held until they are released.
type held struct {
	arrived, release chan struct{}
}

func newHeld(s *serving) *held {
	h := &held{make(chan struct{}), make(chan struct{})}
	s.handler = h.serve
	return h
}

func (h *held) serve(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/held" {
		h.arrived <- struct{}{}
		select {
		case <-h.release:
		case <-r.Context().Done():
			return
		}
	}
	_, _ = io.WriteString(w, "answered")
}

// got is an answer, or what came instead.
type got struct {
	status int
	body   string
	close  bool
	err    error
}

func (s *serving) get(path string) got {
	res, err := s.client.Get("http://x" + path)
	if err != nil {
		return got{err: err}
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	return got{res.StatusCode, string(body), res.Close, err}
}

func TestServerDrains(t *testing.T) {
	t.Run("what_is_in_flight_is_answered", func(t *testing.T) {
		for name, delay := range map[string]time.Duration{"at_once": 0, "after_a_delay": time.Second} {
			t.Run(name, func(t *testing.T) {
				serve(t, process.Server{DrainDelay: delay}, func(t *testing.T, s *serving) {
					h := newHeld(s)
					answers := make(chan got, 1)
					go func() { answers <- s.get("/held") }()
					<-h.arrived
					s.stop()
					time.Sleep(delay + time.Second)
					if g := s.get("/"); g.err == nil {
						t.Errorf("a new connection is taken: %+v", g)
					}
					select {
					case err := <-s.served:
						t.Fatalf("Serve has ended before its request: %v", err)
					default:
					}
					close(h.release)
					if g := <-answers; g.err != nil || g.status != 200 || g.body != "answered" || !g.close {
						t.Errorf("the answer is %+v", g)
					}
				})
			})
		}
	})
	t.Run("meanwhile_it_serves_on_unready", func(t *testing.T) {
		const delay = 3 * time.Second
		serve(t, process.Server{DrainDelay: delay}, func(t *testing.T, s *serving) {
			for _, path := range []string{"/", "/readyz"} {
				if g := s.get(path); g.status != 200 || g.close {
					t.Errorf("before: %s is %+v", path, g)
				}
			}
			s.stop()
			began := time.Now()
			time.Sleep(delay / 2)
			for path, status := range map[string]int{"/": 200, "/livez": 200, "/readyz": 503} {
				if g := s.get(path); g.err != nil || g.status != status || !g.close {
					t.Errorf("draining: %s is %+v, want status %d and a close", path, g, status)
				}
			}
			err := <-s.served
			if took := time.Since(began); err != nil || took < delay || took > delay+time.Second {
				t.Errorf("it ends after %v with %v", took, err)
			}
			if g := s.get("/"); g.err == nil {
				t.Errorf("afterwards: %+v", g)
			}
			s.served <- nil
		})
	})
	t.Run("an_answer_that_never_comes_is_not_waited_for", func(t *testing.T) {
		serve(t, process.Server{}, func(t *testing.T, s *serving) {
			h := newHeld(s)
			answers := make(chan got, 1)
			go func() { answers <- s.get("/held") }()
			<-h.arrived
			s.stop()
			began := time.Now()
			err := <-s.served
			if took := time.Since(began); err == nil || took < 10*time.Second || took > 30*time.Second {
				t.Errorf("it ends after %v with %v", took, err)
			}
			if g := <-answers; g.err == nil {
				t.Errorf("the answer is %+v", g)
			}
			s.served <- nil
		})
	})
	t.Run("a_listener_that_fails_ends_it_with_an_error", func(t *testing.T) {
		listener := newPipes()
		_ = listener.Close()
		err := process.Server{Listener: listener, Handler: http.NotFoundHandler(), Log: zerolog.Nop()}.Serve(t.Context())
		if !errors.Is(err, net.ErrClosed) {
			t.Errorf("it ends with %v", err)
		}
	})
}

// TestEndOn: the first loss ends the context and is what the program ends with; nothing that
// is closed at the end counts.
func TestEndOn(t *testing.T) {
	lost := func() []chan error { return []chan error{make(chan error, 1), make(chan error, 1)} }
	t.Run("a_loss", func(t *testing.T) {
		var log bytes.Buffer
		parts, gone := lost(), errors.New("gone for good")
		ctx, end := process.EndOn(t.Context(), zerolog.New(&log), parts[0], parts[1])
		if ctx.Err() != nil {
			t.Fatal("it has ended before")
		}
		parts[1] <- gone
		select {
		case <-ctx.Done():
		case <-time.After(10 * time.Second):
			t.Fatal("a loss does not end it")
		}
		if err := end(); !errors.Is(err, gone) {
			t.Errorf("the program ends with %v", err)
		}
		if !strings.Contains(log.String(), gone.Error()) {
			t.Errorf("the log has %q", log.String())
		}
	})
	t.Run("the_usual_end", func(t *testing.T) {
		parts := lost()
		outer, cancel := context.WithCancel(t.Context())
		ctx, end := process.EndOn(outer, zerolog.Nop(), parts[0], parts[1])
		cancel()
		<-ctx.Done()
		parts[0] <- errors.New("closed by ourselves")
		if err := end(); err != nil {
			t.Errorf("the program ends with %v", err)
		}
	})
}
