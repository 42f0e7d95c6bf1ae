package process_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/eventio/eventio/internal/process"
)

// TestWhoIsOnTheirWay: a server that is told to stop in a burst goes on until nobody comes any more,
// but not for ever, and not at all when nobody came lately.
func TestWhoIsOnTheirWay(t *testing.T) {
	t.Run("new_connections_and_those_that_were_idle_are_answered", func(t *testing.T) {
		serve(t, process.Server{}, func(t *testing.T, s *serving) {
			idle := s.open(t)
			ask(t, idle)
			s.stop()
			for range 4 { // each comes sooner after the one before than the server waits
				time.Sleep(200 * time.Millisecond)
				if g := s.get("/"); g.err != nil || g.status != 200 || !g.close {
					t.Errorf("a new connection is told %+v", g)
				}
			}
			ask(t, idle)
			time.Sleep(300 * time.Millisecond)
			if g := s.get("/"); g.err == nil {
				t.Errorf("it still serves: %+v", g)
			}
		})
	})
	t.Run("who_has_connected_and_not_asked_yet_is_waited_for", func(t *testing.T) {
		serve(t, process.Server{}, func(t *testing.T, s *serving) {
			early := s.open(t)
			synctest.Wait() // until the server knows of the connection; before that the door's time is for those
			s.stop()
			time.Sleep(200 * time.Millisecond)
			ask(t, early)
		})
	})
	t.Run("an_answer_after_the_signal_is_the_last_of_its_connection", func(t *testing.T) {
		for _, said := range []string{"late", ""} {
			serve(t, process.Server{DrainDelay: time.Minute}, func(t *testing.T, s *serving) {
				s.handler = func(w http.ResponseWriter, _ *http.Request) {
					time.Sleep(2 * time.Second)
					_, _ = io.WriteString(w, said)
				}
				s.clients.Go(func() {
					time.Sleep(time.Second)
					s.stop()
				})
				if g := s.get("/"); g.err != nil || g.body != said || !g.close {
					t.Errorf("it is %+v", g)
				}
			})
		}
	})
	t.Run("a_crowd_without_end_is_not", func(t *testing.T) {
		serve(t, process.Server{}, func(t *testing.T, s *serving) {
			s.get("/")
			s.stop()
			began := time.Now()
			for s.get("/").err == nil {
				time.Sleep(50 * time.Millisecond)
			}
			if took := time.Since(began); took < time.Second || took > 3*time.Second {
				t.Errorf("it serves on for %v", took)
			}
		})
	})
	t.Run("an_idle_server_stops_at_once", func(t *testing.T) {
		serve(t, process.Server{}, func(t *testing.T, s *serving) {
			s.get("/")
			time.Sleep(time.Second)
			began := time.Now()
			s.stop()
			err := <-s.served
			if took := time.Since(began); err != nil || took > 600*time.Millisecond { // net/http looks for idle connections every 500 ms at most
				t.Errorf("it ends after %v with %v", took, err)
			}
			s.served <- nil
		})
	})
}

// ask makes a request by hand and wants its answer.
func ask(t *testing.T, conn net.Conn) {
	t.Helper()
	_, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	if err != nil {
		t.Errorf("the request: %v", err)
		return
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Errorf("the answer: %v", err)
		return
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		t.Errorf("the answer is %s", res.Status)
	}
}
