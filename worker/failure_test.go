package worker

import (
	"errors"
	"fmt"
	"testing"

	"github.com/eventio/eventio/pkg/messages"
	"github.com/eventio/eventio/pkg/store"
)

func TestRepliesToFailures(t *testing.T) {
	for name, c := range map[string]struct {
		err         error
		maybeStored bool
		want        messages.Outcome
	}{
		"a store that is away":                         {store.ErrUnavailable, false, messages.OutcomeOverloaded},
		"a full disk":                                  {fmt.Errorf("apply: %w", store.ErrStorageFull), false, messages.OutcomeStorageFull},
		"a fault that stored nothing":                  {fmt.Errorf("no such column: %w", store.ErrNothingStored), false, messages.OutcomeFailed},
		"after an earlier try that may have stored it": {store.ErrUnavailable, true, messages.OutcomeUnknown},
		"an error that says nothing":                   {errors.New("commit"), true, messages.OutcomeUnknown},
	} {
		t.Run(name, func(t *testing.T) {
			if got := failureReply(request{maybeStored: c.maybeStored}, c.err).Outcome; got != c.want {
				t.Errorf("told %s, want %s", got, c.want)
			}
		})
	}
}
