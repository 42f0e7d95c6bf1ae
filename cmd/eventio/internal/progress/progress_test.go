package progress

import (
	"bytes"
	"testing"
	"testing/synctest"
	"time"
)

// TestLines: without a terminal there is one line each interval, and no total below what is
// done.
func TestLines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var stderr, stdout bytes.Buffer
		b := New(&stderr, "users", 10)
		b.Add(1)
		time.Sleep(Interval - time.Millisecond)
		b.Add(1)
		time.Sleep(time.Millisecond)
		b.Add(1)
		b.Add(1)
		b.Println(&stdout, "a note")
		time.Sleep(Interval)
		b.Add(8)
		b.Finish()
		if want := "users: 3 of about 10\nusers: 12 of about 12\n"; stderr.String() != want {
			t.Errorf("printed %q, want %q", stderr.String(), want)
		}
		if stdout.String() != "a note\n" {
			t.Errorf("the note is %q", stdout.String())
		}
	})
}
