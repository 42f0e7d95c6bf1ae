package worker

import (
	"errors"
	"fmt"
	"testing"

	"github.com/eventio/eventio/pkg/messages"
	"github.com/eventio/eventio/pkg/store"
)

func TestWhatAFailureIsTold(t *testing.T) {
	for name, c := range map[string]struct {
		err   error
		doubt bool
		want  messages.Outcome
	}{
		"a store that is away":        {store.ErrUnavailable, false, messages.OutcomeOverloaded},
		"a full disk":                 {fmt.Errorf("apply: %w", store.ErrStorageFull), false, messages.OutcomeStorageFull},
		"a fault that stored nothing": {fmt.Errorf("no such column: %w", store.ErrNothingStored), false, messages.OutcomeFailed},
		"after an earlier doubt":      {store.ErrUnavailable, true, messages.OutcomeUnknown},
		"an error that says nothing":  {errors.New("commit"), true, messages.OutcomeUnknown},
	} {
		t.Run(name, func(t *testing.T) {
			if got := failure(request{doubt: c.doubt}, c.err).Outcome; got != c.want {
				t.Errorf("told %s, want %s", got, c.want)
			}
		})
	}
}
