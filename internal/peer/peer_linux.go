package peer

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"
)

// What the kernel is asked and answers (linux/inet_diag.h): a header, then a request or the state of
// one socket. Ports and addresses are in the order of the network, all else in that of the machine.
const (
	requestSize = unix.NLMSG_HDRLEN + 56
	answerSize  = unix.NLMSG_HDRLEN + 72
	userAt      = unix.NLMSG_HDRLEN + 64
	inodeAt     = unix.NLMSG_HDRLEN + 68
)

// askLimit bounds the wait for the kernel, which answers at once.
const askLimit = 100 * time.Millisecond

// userOf returns the user whose socket is at one end of a TCP connection, of which the other end is on
// this machine too; nobody when its process has closed it.
func userOf(at, other netip.AddrPort) (user int, err error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_SOCK_DIAG)
	if err != nil {
		return 0, fmt.Errorf("ask whose a connection is: %w", err)
	}
	defer unix.Close(fd)
	limit := unix.NsecToTimeval(int64(askLimit))
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &limit); err != nil {
		return 0, fmt.Errorf("ask whose a connection is: %w", err)
	}
	if err := unix.Sendto(fd, request(at, other), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return 0, fmt.Errorf("ask whose a connection is: %w", err)
	}
	var answer [answerSize + 512]byte // with attributes, which are not read
	n, _, err := unix.Recvfrom(fd, answer[:], 0)
	if err != nil {
		return 0, fmt.Errorf("ask whose a connection is: %w", err)
	}
	kind := binary.NativeEndian.Uint16(answer[4:])
	switch {
	case kind == unix.NLMSG_ERROR && n >= unix.NLMSG_HDRLEN+4:
		code := unix.Errno(-int32(binary.NativeEndian.Uint32(answer[unix.NLMSG_HDRLEN:])))
		if code == unix.ENOENT { // it is gone
			return nobody, nil
		}
		return 0, fmt.Errorf("ask whose a connection is: %w", code)
	case kind != unix.SOCK_DIAG_BY_FAMILY || n < answerSize:
		return 0, errors.New("ask whose a connection is: the answer is not understood")
	case binary.NativeEndian.Uint32(answer[inodeAt:]) == 0:
		return nobody, nil
	}
	return int(binary.NativeEndian.Uint32(answer[userAt:])), nil
}

// request makes the message that asks for one socket (struct inet_diag_req_v2).
func request(at, other netip.AddrPort) []byte {
	m := make([]byte, 0, requestSize)
	m = binary.NativeEndian.AppendUint32(m, requestSize)
	m = binary.NativeEndian.AppendUint16(m, unix.SOCK_DIAG_BY_FAMILY)
	m = binary.NativeEndian.AppendUint16(m, unix.NLM_F_REQUEST)
	m = binary.NativeEndian.AppendUint32(m, 1) // sequence
	m = binary.NativeEndian.AppendUint32(m, 0) // port
	family := byte(unix.AF_INET6)
	if at.Addr().Is4() {
		family = unix.AF_INET
	}
	m = append(m, family, unix.IPPROTO_TCP, 0, 0)
	m = binary.NativeEndian.AppendUint32(m, ^uint32(0)) // in whichever state
	m = binary.BigEndian.AppendUint16(m, at.Port())
	m = binary.BigEndian.AppendUint16(m, other.Port())
	for _, a := range []netip.Addr{at.Addr(), other.Addr()} {
		m = append(m, a.AsSlice()...)
		m = append(m, make([]byte, 16-a.BitLen()/8)...)
	}
	m = binary.NativeEndian.AppendUint32(m, 0)             // interface
	return binary.NativeEndian.AppendUint64(m, ^uint64(0)) // no cookie
}
