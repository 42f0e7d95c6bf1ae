package messages

import "testing"

func TestExposure(t *testing.T) {
	for _, c := range []struct {
		credentials, encrypted, local bool
		want                          string
	}{
		{false, false, false, openText}, {false, false, true, openText}, {false, true, false, openText}, {false, true, true, openText},
		{true, false, false, plainText}, {true, false, true, ""}, {true, true, false, ""}, {true, true, true, ""},
	} {
		if got := exposure(c.credentials, c.encrypted, c.local); got != c.want {
			t.Errorf("%+v: %q", c, got)
		}
	}
	for address, want := range map[string]bool{
		"127.0.0.1:4222": true, "127.9.9.9:1": true, "[::1]:4222": true, "10.0.0.1:4222": false, "[2001:db8::1]:4222": false, "": false, "pipe": false,
	} {
		if isLoopback(address) != want {
			t.Errorf("%q", address)
		}
	}
}
