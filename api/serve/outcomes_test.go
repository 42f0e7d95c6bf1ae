package serve

import (
	"slices"
	"testing"

	"github.com/eventio/eventio/api/problem"
	"github.com/eventio/eventio/internal/testenv"
	"github.com/eventio/eventio/pkg/messages"
	"github.com/eventio/eventio/pkg/store"
)

// TestEveryOutcomeIsTranslated: whatever a worker may answer has a problem, of the same word unless it is
// listed here, or is listed here as an outcome that needs none.
func TestEveryOutcomeIsTranslated(t *testing.T) {
	without := []messages.Outcome{
		store.Registered, store.Waitlisted, store.Cancelled, store.Edited, // answers
		store.Recounted, store.Overbooked, messages.OutcomeProbed, // the API never asks for these
		messages.OutcomeInvalid, store.NotOrganizer, // our own fault, as is whatever is not known
	}
	others := map[messages.Outcome]problem.Code{messages.OutcomeFailed: problem.Internal}
	fault := Refusal(messages.Answer{Reply: messages.SeatReply{Outcome: "not known"}})
	words := append(testenv.Constants(t, "../../pkg/messages", "Outcome"), testenv.Constants(t, "../../pkg/store", "Outcome")...)
	for _, word := range append(words, "", "of tomorrow", string(problem.Forbidden)) { // the last three are no outcomes
		o := messages.Outcome(word)
		want, other := others[o]
		if !other {
			want = problem.Code(word)
		}
		p := Refusal(messages.Answer{Reply: messages.SeatReply{Outcome: o}})
		ours := p.Code == fault.Code && p.Detail == fault.Detail
		if ours != (slices.Contains(without, o) || !messages.ValidOutcome(o)) || !ours && p.Code != want {
			t.Errorf("%q becomes %s: %s", o, p.Code, p.Detail)
		}
	}
}
