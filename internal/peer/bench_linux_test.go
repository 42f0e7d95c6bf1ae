package peer

import (
	"net"
	"testing"
)

// BenchmarkIsAnother is what a connection costs more.
func BenchmarkIsAnother(b *testing.B) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer listener.Close()
	conn, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	accepted, err := listener.Accept()
	if err != nil {
		b.Fatal(err)
	}
	defer accepted.Close()
	for b.Loop() {
		if isAnother(accepted) {
			b.Fatal("our own connection is another user's")
		}
	}
}
