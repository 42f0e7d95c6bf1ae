package main

import (
	"fmt"
	"io"
	"net"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"github.com/eventio/eventio/api/gate"
	"github.com/eventio/eventio/internal/setup"
)

// banner is what eventio prints once it serves.
type banner struct {
	addr     net.Addr
	data     string // folder
	database string
	mode     gate.Mode
	keys     bool // tokens are signed with the keys of --auth-keys
}

// print prints it. Each command in it can be pasted as it is.
func (b banner) print(out io.Writer) {
	base, everywhere := b.url()
	fmt.Fprintf(out, "Event.io is listening on %s%s\n", base, everywhere)
	for _, row := range [][2]string{
		{"data", b.data},
		{"database", b.database},
		{"auth", setup.AuthOf(b.mode)},
		{"pages", "open " + base + " in a browser"},
		{"events", "curl " + base + "/api/events"},
		{"proof", b.proof(base)},
		{"stop", "Ctrl-C"},
	} {
		fmt.Fprintf(out, "  %-9s %s\n", row[0], row[1])
	}
}

// url returns an address at which this machine finds the server, and a remark if it has others. An
// address that only says "all of them" is not one that a browser takes.
func (b banner) url() (base, remark string) {
	u := url.URL{Scheme: "http", Host: b.addr.String()}
	tcp, ok := b.addr.(*net.TCPAddr)
	if ok && tcp.IP.IsUnspecified() {
		u.Host = net.JoinHostPort("localhost", strconv.Itoa(tcp.Port))
		remark = " and on all addresses of this machine"
	}
	return u.String(), remark
}

// proof returns the command that proves the server. It needs the keys where ids are not believed.
func (b banner) proof(base string) string {
	command := "eventio simulate --url " + quoted(base)
	switch {
	case b.mode == gate.Trusted:
		return command
	case b.keys:
		return command + " # with the same EVENTIO_AUTH_KEYS"
	}
	return command + " --data " + quoted(b.data)
}

// plain matches a word that no shell reads anything into.
var plain = regexp.MustCompile(`^[A-Za-z0-9_./:@%+=,-]+$`)

// quoted returns a word as a shell takes it.
func quoted(word string) string {
	if plain.MatchString(word) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
