package api

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"

	"github.com/eventio/eventio/api/problem"
	"github.com/eventio/eventio/api/serve"
	"github.com/eventio/eventio/internal/testenv"
	"github.com/eventio/eventio/pkg/messages"
)

// TestEveryRefusalIsDocumented: an outcome becomes a problem that some operation documents.
func TestEveryRefusalIsDocumented(t *testing.T) {
	var documented []problem.Code
	for _, rt := range (&API{}).table() {
		documented = append(documented, rt.operation.Problems...)
	}
	words := append(testenv.Constants(t, "../pkg/messages", "Outcome"), testenv.Constants(t, "../pkg/store", "Outcome")...)
	for _, o := range words {
		code := serve.Refusal(messages.Answer{Reply: messages.SeatReply{Outcome: messages.Outcome(o)}}).Code
		if code != problem.Internal && !slices.Contains(documented, code) {
			t.Errorf("%s becomes %s, which no operation documents", o, code)
		}
	}
}

// TestThePagesKnowTheProblems: the pages look for no code that there is not, and have a sentence for
// each one.
func TestThePagesKnowTheProblems(t *testing.T) {
	scripts, err := filepath.Glob("../web/assets/*.js")
	if err != nil || len(scripts) == 0 {
		t.Fatal(scripts, err)
	}
	known := slices.Collect(problem.Codes())
	ownCodes := []problem.Code{"offline", "no_answer"} // of what never reached the API
	for _, name := range scripts {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`(typeof )?[\w.]*\bcode [!=]== '([a-z_]+)'`).FindAllSubmatch(text, -1) {
			code := problem.Code(m[2])
			if len(m[1]) == 0 && !slices.Contains(known, code) && !slices.Contains(ownCodes, code) {
				t.Errorf("%s looks for %s, which is no code", name, code)
			}
		}
	}
	texts, err := filepath.Glob("../web/text/*.json")
	if err != nil || len(texts) == 0 {
		t.Fatal(texts, err)
	}
	for _, name := range texts {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		var sentences map[string]any
		if err := json.Unmarshal(data, &sentences); err != nil {
			t.Fatal(err)
		}
		for _, code := range known {
			for _, part := range []string{".title", ".text"} {
				if key := "problem." + string(code) + part; sentences[key] == nil {
					t.Errorf("%s has no %s", name, key)
				}
			}
		}
	}
}
