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
	echo, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer echo.Close()
	go func() {
		conn, err := echo.Accept()
		if err != nil {
			return
		}
		_, _ = io.Copy(conn, conn)
		_ = conn.Close()
	}()
	const roundTrip, pieces = 200 * time.Millisecond, 50
	conn, err := net.Dial("tcp", testenv.StartDistance(t, echo.Addr().String(), roundTrip).Addr())
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
