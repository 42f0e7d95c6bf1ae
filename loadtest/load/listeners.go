package load

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/eventio/eventio/pkg/store"
)

// Listeners are clients that listen to one event. They read with a buffer of their own and decode nothing,
// because they share the processors with what is measured.
type Listeners struct {
	conns       []net.Conn
	readers     sync.WaitGroup
	heard, lost atomic.Int64
	closing     atomic.Bool
}

const (
	// opening is how many streams are opened at the same time.
	opening = 32
	// listenLimit bounds the life of a stream.
	listenLimit = 2 * time.Minute
)

// Listen opens n live streams of an event, and returns when each has got its first message.
func Listen(ctx context.Context, addr string, event store.ID, n int) (*Listeners, error) {
	l := &Listeners{conns: make([]net.Conn, n)}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(opening)
	request := "GET /api/events/" + event.Hex() + "/live HTTP/1.1\r\nHost: " + addr + "\r\n\r\n"
	for i := range l.conns {
		group.Go(func() error {
			conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
			if err != nil {
				return err
			}
			l.conns[i] = conn
			_ = conn.SetDeadline(time.Now().Add(listenLimit))
			if _, err := conn.Write([]byte(request)); err != nil {
				return err
			}
			text, buf := "", make([]byte, 2048)
			for !strings.Contains(text, "\nevent: state") {
				n, err := conn.Read(buf)
				if err != nil {
					return fmt.Errorf("open a stream: %w", err)
				}
				if text += string(buf[:n]); len(text) > 12 && !strings.HasPrefix(text[9:], fmt.Sprint(http.StatusOK)) {
					return fmt.Errorf("open a stream: %.40q", text)
				}
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		l.Close()
		return nil, err
	}
	for _, conn := range l.conns {
		l.readers.Go(func() {
			buf := make([]byte, 512)
			for {
				if _, err := conn.Read(buf); err != nil {
					if !l.closing.Load() {
						l.lost.Add(1)
					}
					return
				}
				l.heard.Add(1)
			}
		})
	}
	return l, nil
}

// Heard returns how many messages came, of all together, after the first of each.
func (l *Listeners) Heard() int64 { return l.heard.Load() }

// Lost returns how many streams were cut off.
func (l *Listeners) Lost() int64 { return l.lost.Load() }

// Close ends all of them.
func (l *Listeners) Close() {
	l.closing.Store(true)
	for _, conn := range l.conns {
		if conn != nil {
			_ = conn.Close()
		}
	}
	l.readers.Wait()
}
