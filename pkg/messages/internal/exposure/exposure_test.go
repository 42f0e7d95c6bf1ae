package exposure

import (
	"net"
	"strings"
	"testing"
	"time"
)

func TestExposure(t *testing.T) {
	for _, c := range []struct {
		credentials, encrypted, local bool
		want                          string
	}{
		{false, false, false, OpenText}, {false, false, true, OpenText}, {false, true, false, OpenText}, {false, true, true, OpenText},
		{true, false, false, PlainText}, {true, false, true, ""}, {true, true, false, ""}, {true, true, true, ""},
	} {
		if got := Warning(c.credentials, c.encrypted, c.local); got != c.want {
			t.Errorf("%+v: %q", c, got)
		}
	}
	for address, want := range map[string]bool{
		"127.0.0.1:4222": true, "127.9.9.9:1": true, "[::1]:4222": true, "10.0.0.1:4222": false, "[2001:db8::1]:4222": false, "": false, "pipe": false,
	} {
		if IsLoopback(address) != want {
			t.Errorf("%q", address)
		}
	}
}

// TestWhichServersAdmitGuests greets as a server may, and as none does. Only a server that says that it asks for
// no credentials is taken for one, and one that says nothing is not waited for.
func TestWhichServersAdmitGuests(t *testing.T) {
	for name, c := range map[string]struct {
		greeting string
		want     bool
	}{
		"open":                  {"INFO {\"auth_required\":false,\"server_id\":\"x\"}\r\n", true},
		"open, without a word":  {"INFO {\"server_id\":\"x\"}\r\nPING\r\n", true},
		"with credentials":      {"INFO {\"auth_required\":true}\r\n", false},
		"no greeting":           {"", false},
		"half a greeting":       {"INFO {}", false},
		"another protocol":      {"220 {}\r\n", false},
		"no object":             {"INFO {\r\n", false},
		"a greeting of no end":  {"INFO {\"x\":\"" + strings.Repeat("x", maxGreeting) + "\"}\r\n", false},
		"a long greeting":       {"INFO {\"x\":\"" + strings.Repeat("x", maxGreeting-100) + "\"}\r\n", true},
		"an error in its place": {"-ERR 'no'\r\n", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer listener.Close()
			left := make(chan error, 1)
			go func() {
				conn, err := listener.Accept()
				if err != nil {
					left <- err
					return
				}
				defer conn.Close()
				_, _ = conn.Write([]byte(c.greeting)) // who has read enough may be gone
				_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
				_, err = conn.Read(make([]byte, 1)) // until the other side leaves
				left <- err
			}()
			if got := AdmitsGuests(listener.Addr().String()); got != c.want {
				t.Errorf("it admits guests: %v", got)
			}
			if err := <-left; err == nil || strings.Contains(err.Error(), "timeout") {
				t.Errorf("the connection stays: %v", err)
			}
		})
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := listener.Addr().String()
	listener.Close()
	if AdmitsGuests(nobody) {
		t.Error("who is not there admits guests")
	}
}
