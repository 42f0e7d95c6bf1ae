package process

import "testing"

func TestMemoryIsSpare(t *testing.T) {
	const mib = 1 << 20
	var m memory
	for _, look := range []struct {
		why             string
		allocated, held uint64 // MiB
		spare           bool
		kept            uint64 // what is left when it was given back, in MiB
	}{
		{"it has just started", 60, 40, false, 0},
		{"it is idle and holds more than it needs", 61, 40, true, 30},
		{"that was just given back", 62, 30, false, 0},
		{"it has hardly grown", 63, 40, false, 0},
		{"a burst is on", 400, 300, false, 0},
		{"a burst is on", 900, 400, false, 0},
		{"somebody still works", 906, 400, false, 0},
		{"the burst is over", 907, 400, true, 50},
		{"what is left is needed", 908, 50, false, 0},
		{"it has grown again", 909, 83, true, 50},
		{"it has shrunk", 910, 20, false, 0},
		{"it has grown from there", 911, 53, true, 20},
	} {
		if got := m.spare(look.allocated*mib, look.held*mib); got != look.spare {
			t.Errorf("%s, and spare is %t", look.why, got)
		}
		if look.spare {
			m.kept = look.kept * mib
		}
	}
}
