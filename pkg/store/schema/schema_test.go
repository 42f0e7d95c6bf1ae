package schema

import (
	"errors"
	"slices"
	"testing"

	"github.com/eventio/eventio/pkg/store"
)

func TestSchema(t *testing.T) {
	steps := []Step{{Number: 1, Name: "tables"}, {Number: 2, Name: "an index"}, {Number: 3, Name: "a column"}}
	for version, want := range map[int][]Step{
		-1: nil, 0: steps, 1: steps[1:], 2: steps[2:], 3: nil, 4: nil,
	} {
		s := New(version, steps)
		if s.Version != version || s.Known != 3 || !slices.Equal(s.Pending, want) || (s.Pending == nil) != (want == nil) {
			t.Errorf("version %d gives %+v", version, s)
		}
		if fits := version >= 0 && version <= 3; (s.CheckKnown() == nil) != fits || !fits && !errors.Is(s.CheckKnown(), store.ErrSchema) {
			t.Errorf("version %d: %v", version, s.CheckKnown())
		}
		for to := range 6 {
			err := s.CheckTarget(to)
			if reaches := version >= 0 && version <= to && to <= 3; (err == nil) != reaches || !reaches && !errors.Is(err, store.ErrSchema) {
				t.Errorf("from version %d to %d: %v", version, to, err)
			}
		}
	}
	// The reason is the first that an operator must do something about.
	if s := New(4, steps); s.CheckTarget(3).Error() != s.CheckKnown().Error() {
		t.Errorf("a database that is too new is told %v", s.CheckTarget(3))
	}
	if text := steps[1].String(); text != "2 (an index)" {
		t.Errorf("a step is called %s", text)
	}
}
