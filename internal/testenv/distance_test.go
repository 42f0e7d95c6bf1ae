package testenv_test

import (
	"bytes"
	"io"
	"net"
	"testing"
	"time"

	"github.com/eventio/eventio/internal/testenv"
)

// TestADistanceIsARoundTripForAll checks that what is said across a distance comes back whole and in order, a round trip
// later: however much is said at once, and not a round trip for each piece of it.
func TestADistanceIsARoundTripForAll(t *testing.T) {
	const roundTrip, pieces = 200 * time.Millisecond, 50
	conn, err := net.Dial("tcp", testenv.StartDistance(t, echo(t, io.Discard), roundTrip).Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	begun := time.Now()
	var said []byte
	for i := range pieces {
		piece := bytes.Repeat([]byte{byte(i)}, 10_000)
		said = append(said, piece...)
		if _, err := conn.Write(piece); err != nil {
			t.Fatal(err)
		}
	}
	first := make([]byte, 1)
	if _, err := io.ReadFull(conn, first); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(begun); took < roundTrip {
		t.Errorf("an answer came after %v", took)
	}
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	rest, err := io.ReadAll(conn) // ends when the other side, too, hangs up
	if err != nil || !bytes.Equal(append(first, rest...), said) {
		t.Errorf("%d bytes came back of %d, or others: %v", 1+len(rest), len(said), err)
	}
	if took := time.Since(begun); took > 5*roundTrip {
		t.Errorf("all of it took %v", took)
	}
}

// TestADistanceIsCutInOneDirection checks that the other direction goes on, that nobody comes in meanwhile, and that what was said arrives later.
func TestADistanceIsCutInOneDirection(t *testing.T) {
	heard := make(chanWriter, 100)
	d := testenv.StartDistance(t, echo(t, heard), 0)
	said := []byte("hello")
	say := func() (answered net.Conn) {
		conn, err := net.Dial("tcp", d.Addr())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		if _, err := conn.Write(said); err != nil {
			t.Fatal(err)
		}
		return conn
	}
	hears := func(conn net.Conn, within time.Duration) bool {
		if err := conn.SetReadDeadline(time.Now().Add(within)); err != nil {
			t.Fatal(err)
		}
		got := make([]byte, len(said))
		_, err := io.ReadFull(conn, got)
		return err == nil && bytes.Equal(got, said)
	}
	for _, direction := range []testenv.Direction{testenv.ToTarget, testenv.ToClients} {
		before := say()
		if !hears(before, time.Minute) {
			t.Fatal("there is no echo")
		}
		<-heard
		d.Cut(direction)
		if _, err := before.Write(said); err != nil {
			t.Fatal(err)
		}
		if direction == testenv.ToClients {
			<-heard
		}
		meanwhile := say()
		if hears(before, 20*time.Millisecond) || hears(meanwhile, 20*time.Millisecond) {
			t.Errorf("direction %d: an echo although it is cut", direction)
		}
		if len(heard) > 0 {
			t.Errorf("direction %d: the target hears what was said, or who came meanwhile", direction)
		}
		d.Heal()
		if !hears(before, time.Minute) || !hears(meanwhile, time.Minute) {
			t.Errorf("direction %d: no echo after it healed", direction)
		}
		for len(heard) > 0 {
			<-heard
		}
	}
}

// chanWriter tells of each write.
type chanWriter chan struct{}

func (w chanWriter) Write(data []byte) (int, error) {
	w <- struct{}{}
	return len(data), nil
}

// echo listens until the test ends, and says what it hears, and writes it to heard before.
func echo(t *testing.T, heard io.Writer) (addr string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				_, _ = io.Copy(conn, io.TeeReader(conn, heard))
				_ = conn.Close()
			}()
		}
	}()
	return listener.Addr().String()
}
