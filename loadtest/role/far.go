package role

import (
	"context"
	"errors"
	"net"
	"time"

	"github.com/rs/zerolog"
)

// playFar passes connections on to a server that is so far away that a round trip takes that much longer. Nothing
// is lost, and the way holds any amount.
func playFar(ctx context.Context, server string, trip time.Duration, log zerolog.Logger) error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer context.AfterFunc(ctx, func() { _ = listener.Close() })()
	log.Info().Str("addr", listener.Addr().String()).Msg(Ready)
	for {
		near, err := listener.Accept()
		switch {
		case errors.Is(err, net.ErrClosed):
			return nil
		case err != nil:
			return err
		}
		go func() {
			far, err := net.Dial("tcp", server)
			if err != nil {
				_ = near.Close()
				return
			}
			go carry(far, near, trip/2)
			carry(near, far, trip/2)
		}()
	}
}

// parcel is what was read at once, and when it arrives.
type parcel struct {
	data []byte
	due  time.Time
}

// carry brings what from says to to, so much later, until one of them is closed. It closes both.
func carry(to, from net.Conn, later time.Duration) {
	under := make(chan parcel, 1024)
	go func() {
		defer close(under)
		for {
			data := make([]byte, 64<<10)
			n, err := from.Read(data)
			if err != nil {
				return
			}
			under <- parcel{data[:n], time.Now().Add(later)}
		}
	}()
	for p := range under {
		time.Sleep(time.Until(p.due))
		if _, err := to.Write(p.data); err != nil {
			break
		}
	}
	_, _ = to.Close(), from.Close()
	for range under { // what was read and nobody takes
	}
}
