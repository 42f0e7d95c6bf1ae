package rendezvous

import (
	"testing"

	"github.com/eventio/eventio/pkg/store"
)

// TestMixIsThatOfSplitMix64 compares it with the first numbers of that generator with the seed 0.
func TestMixIsThatOfSplitMix64(t *testing.T) {
	const step = 0x9e3779b97f4a7c15
	var seed uint64
	for _, want := range []uint64{0xe220a8397b1dcdaf, 0x6e789e6aa1b965f4, 0x06c45d188009454f} {
		seed += step
		if got := mix(seed); got != want {
			t.Errorf("mix of %x is %x, want %x", seed, got, want)
		}
	}
}

// TestWhoIsChosen checks that there is a choice unless there is no candidate, also of one without weight, and that of two that weigh the
// same it is the first.
func TestWhoIsChosen(t *testing.T) {
	event := store.ID{1}
	weightless := Candidate{eventHash(event), "weightless"} // mix of 0 is 0
	first, second := Candidate{Hash("w"), "first"}, Candidate{Hash("w"), "second"}
	for want, candidates := range map[string][]Candidate{
		"":           nil,
		"weightless": {weightless},
		"first":      {weightless, first, second, weightless},
		"second":     {second, first},
	} {
		if best, ok := Choose(candidates, event); best.Subject != want || ok != (want != "") {
			t.Errorf("of %v it is %+v, %v", candidates, best, ok)
		}
	}
}
