package api

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"

	"github.com/eventio/eventio/api/problem"
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
	fault := refusal(messages.Answer{Reply: messages.SeatReply{Outcome: "not known"}})
	for _, word := range testenv.Constants(t, "../pkg/messages", "Outcome") {
		o := messages.Outcome(word)
		p := refusal(messages.Answer{Reply: messages.SeatReply{Outcome: o}})
		if unknown := p.Code == fault.Code && p.Detail == fault.Detail; unknown != slices.Contains(without, o) {
			t.Errorf("%s becomes %s: %s", o, p.Code, p.Detail)
		}
	}
}

// TestEveryRefusalIsDocumented: an outcome becomes a problem that some operation documents.
func TestEveryRefusalIsDocumented(t *testing.T) {
	var documented []problem.Code
	for _, rt := range (&API{}).table() {
		documented = append(documented, rt.operation.Problems...)
	}
	for o, code := range outcomes {
		if code != problem.Internal && !slices.Contains(documented, code) {
			t.Errorf("%s becomes %s, which no operation documents", o, code)
		}
	}
}

// TestThePagesKnowTheProblems: the pages look for no code that there is not, and the page of an
// event has its own words for whatever a registration may be answered, or shows the detail.
func TestThePagesKnowTheProblems(t *testing.T) {
	byDetail := []problem.Code{ // and what an invalid request of the page itself would be
		problem.AlreadyWaitlisted, problem.RegistrationNotOpen, problem.RegistrationClosed, problem.EventCancelled,
		problem.EmailUnproven, problem.NotAdmitted, problem.Invalid, problem.TooLarge, problem.UnsupportedMediaType, problem.Internal,
	}
	scripts, err := filepath.Glob("../web/assets/*.js")
	if err != nil || len(scripts) == 0 {
		t.Fatal(scripts, err)
	}
	known := slices.Collect(problem.Codes())
	var eventPage []problem.Code
	for _, name := range scripts {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`(?:case|answer\.code ===) '([a-z_]+)'`).FindAllSubmatch(text, -1) {
			code := problem.Code(m[1])
			if !slices.Contains(known, code) {
				t.Errorf("%s looks for %s, which is no code", name, code)
			}
			if filepath.Base(name) == "page-event.js" {
				eventPage = append(eventPage, code)
			}
		}
	}
	for _, rt := range described((&API{}).table()) {
		if rt.Operation.ID != "register" {
			continue
		}
		for _, code := range rt.Codes() {
			if slices.Contains(eventPage, code) == slices.Contains(byDetail, code) {
				t.Errorf("page-event.js has words of its own for %s: %v", code, slices.Contains(eventPage, code))
			}
		}
	}
}
