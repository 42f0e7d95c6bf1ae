package main

import (
	"bytes"
	"net"
	"strings"
	"testing"

	"github.com/eventio/eventio/api/gate"
)

// TestBanner: what is printed can be pasted, whatever the address, the folder and the mode.
func TestBanner(t *testing.T) {
	for name, c := range map[string]struct {
		addr string
		b    banner
		want []string
	}{
		"loopback":        {"127.0.0.1:3000", banner{data: "/d"}, []string{"listening on http://127.0.0.1:3000\n", "curl http://127.0.0.1:3000/api/events\n", "eventio simulate --url http://127.0.0.1:3000\n"}},
		"IPv6":            {"[::1]:3000", banner{data: "/d"}, []string{"listening on http://[::1]:3000\n", "--url 'http://[::1]:3000'\n"}},
		"all IPv6":        {"[::]:3000", banner{data: "/d", mode: gate.Token}, []string{"listening on http://localhost:3000 and on all addresses", "open http://localhost:3000 in", "--url http://localhost:3000 --data /d\n"}},
		"all IPv4":        {"0.0.0.0:3000", banner{data: "/d", mode: gate.Token}, []string{"listening on http://localhost:3000 and"}},
		"a zone":          {"[fe80::1%lo]:3000", banner{data: "/d", mode: gate.Token}, []string{"http://[fe80::1%25lo]:3000\n"}},
		"token":           {"127.0.0.1:3000", banner{data: "/d", mode: gate.Token}, []string{"auth      token\n", "eventio simulate --url http://127.0.0.1:3000 --data /d\n"}},
		"a folder's name": {"127.0.0.1:3000", banner{data: "/my 'd", mode: gate.Token}, []string{`--data '/my '\''d'` + "\n"}},
		"keys":            {"127.0.0.1:3000", banner{data: "/d", mode: gate.Token, keys: true}, []string{"--url http://127.0.0.1:3000 # with the same EVENTIO_AUTH_KEYS\n"}},
	} {
		addr, err := net.ResolveTCPAddr("tcp", c.addr)
		if err != nil {
			t.Fatal(err)
		}
		c.b.addr = addr
		var out bytes.Buffer
		c.b.print(&out)
		for _, want := range c.want {
			if !strings.Contains(out.String(), want) {
				t.Errorf("%s: %q is missing in\n%s", name, want, &out)
			}
		}
		if strings.Contains(out.String(), "[::]") || strings.Contains(out.String(), "0.0.0.0") {
			t.Errorf("%s: no client can use what is printed:\n%s", name, &out)
		}
	}
}
