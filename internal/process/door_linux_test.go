package process_test

import (
	"bufio"
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/eventio/eventio/internal/process"
)

// TestTheDoorClosesOnNobody: a crowd that never ends connects to a server that stops, each person with one request. Who gets a
// connection gets an answer; everybody else is refused, and so knows that nothing was done.
func TestTheDoorClosesOnNobody(t *testing.T) {
	for range 5 {
		listener, err := process.Listen("127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		served := make(chan error, 1)
		go func() {
			served <- process.Server{Listener: listener, Handler: http.HandlerFunc(ok), Log: zerolog.Nop()}.Serve(ctx)
		}()
		var answered atomic.Int64
		var crowd sync.WaitGroup
		for range 64 {
			crowd.Go(func() {
				for {
					if err := once(listener.Addr().String()); errors.Is(err, syscall.ECONNREFUSED) {
						return
					} else if err != nil {
						t.Errorf("after %d answers: %v", answered.Load(), err)
						return
					}
					if answered.Add(1) == 1000 {
						stop()
					}
				}
			})
		}
		crowd.Wait()
		stop()
		if err := <-served; err != nil {
			t.Errorf("Serve ends with %v", err)
		}
		t.Logf("%d answers", answered.Load())
	}
}

// once connects, asks and reads the answer.
func once(addr string) error {
	conn, err := net.DialTimeout("tcp", addr, 10*time.Second)
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err := conn.Write([]byte("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")); err != nil {
		return notRefused(err)
	}
	_, err = http.ReadResponse(bufio.NewReader(conn), nil)
	return notRefused(err)
}

// notRefused hides why a connection that there was broke: only who has none was refused.
func notRefused(err error) error {
	if err == nil {
		return nil
	}
	return errors.New(err.Error())
}
