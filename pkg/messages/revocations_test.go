package messages

import (
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
)

func TestRevocationsAreReadStrictly(t *testing.T) {
	want := Revocation{Version: revocationVersion, UserID: ID{1}, PasswordVersion: 3, ChangedAt: time.Date(2026, 11, 24, 10, 0, 0, 1e6, time.UTC)}
	data, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := DecodeRevocation(data); err != nil || got != want {
		t.Fatalf("got %+v, %v; want %+v", got, err, want)
	}
	good := string(data)
	for name, bad := range map[string]string{
		"nothing":         "",
		"no JSON":         "\x00\xff",
		"cut":             good[:len(good)/2],
		"another version": strings.Replace(good, `"v":1`, `"v":8`, 1),
		"a key twice":     strings.Replace(good, `{`, `{"v":1,`, 1),
		"two":             good + "\n" + good,
		"no user":         strings.Replace(good, want.UserID.Hex(), ID{}.Hex(), 1),
		"version zero":    strings.Replace(good, `"password_version":3`, `"password_version":0`, 1),
		"negative":        strings.Replace(good, `"password_version":3`, `"password_version":-1`, 1),
		"no time":         `{"v":1,"user_id":"` + want.UserID.Hex() + `","password_version":1}`,
		"too long":        strings.TrimSuffix(good, "}") + `,"x":"` + strings.Repeat("x", MaxMessage) + `"}`,
	} {
		if r, err := DecodeRevocation([]byte(bad)); err == nil || r != (Revocation{}) {
			t.Errorf("%s: got %+v, %v", name, r, err)
		}
	}
}
