package process

import (
	"net"
	"runtime"
	"syscall"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// tcpFlags is where the flags are in the header of TCP, and what of them the first packet of a connection has (RFC 9293,
// section 3.1).
const (
	tcpFlags        = 13
	tcpSyn, tcpBoth = 0x02, 0x12 // SYN, and SYN with ACK
)

// barDoor has the system ignore who begins to connect to a listener from now on, as if the packet was lost: they try again
// after a second, when the listener is closed, and are refused. Handshakes that are under way end. It reports whether it
// could.
//
// To close a listener resets the connections that nobody has accepted yet, also those on which a request has arrived. A
// gateway then does not know what became of that request.
func barDoor(l net.Listener) bool {
	conn, ok := l.(syscall.Conn)
	if !ok {
		return false
	}
	raw, err := conn.SyscallConn()
	if err != nil {
		return false
	}
	// The filter sees a packet from the header of TCP on.
	program, err := bpf.Assemble([]bpf.Instruction{
		bpf.LoadAbsolute{Off: tcpFlags, Size: 1},
		bpf.ALUOpConstant{Op: bpf.ALUOpAnd, Val: tcpBoth},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: tcpSyn, SkipFalse: 1},
		bpf.RetConstant{Val: 0},
		bpf.RetConstant{Val: 1 << 18},
	})
	if err != nil {
		return false
	}
	filter := make([]unix.SockFilter, len(program))
	for i, in := range program {
		filter[i] = unix.SockFilter{Code: in.Op, Jt: in.Jt, Jf: in.Jf, K: in.K}
	}
	var failed error
	err = raw.Control(func(fd uintptr) {
		failed = unix.SetsockoptSockFprog(int(fd), unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]})
	})
	runtime.KeepAlive(filter)
	return err == nil && failed == nil
}
