package api

import (
	"slices"
	"testing"

	"github.com/eventio/eventio/internal/testenv"
	"github.com/eventio/eventio/pkg/messages"
)

// TestEveryOutcomeIsTranslated: whatever a worker may answer has a problem of its own, or is
// listed here as an outcome that needs none.
func TestEveryOutcomeIsTranslated(t *testing.T) {
	without := []messages.Outcome{
		messages.OutcomeRegistered, messages.OutcomeWaitlisted, messages.OutcomeCancelled, messages.OutcomeEdited, // answers
		messages.OutcomeRecounted, messages.OutcomeOverbooked, messages.OutcomeProbed, // the API never asks for these
		messages.OutcomeInvalid, // our own fault, as is whatever is not known
	}
	fault := seatProblem(messages.SeatReply{Outcome: "not known"}, nil)
	for _, word := range testenv.Constants(t, "../pkg/messages", "Outcome") {
		o := messages.Outcome(word)
		p := seatProblem(messages.SeatReply{Outcome: o}, nil)
		if unknown := p.Code == fault.Code && p.Detail == fault.Detail; unknown != slices.Contains(without, o) {
			t.Errorf("%s becomes %s: %s", o, p.Code, p.Detail)
		}
	}
}
