package history

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/anishathalye/porcupine"
)

// ErrIllegal matches the error of a history that no order of its operations explains.
var ErrIllegal = errors.New("no order of the operations explains the answers")

// ErrUndecided matches the error of a history that took too long to judge. It proves nothing, so it is
// a failure like the other.
var ErrUndecided = errors.New("the history took too long to judge")

// Check judges each event of a history exactly, and takes at most limit for each. When one is illegal
// the error says where a picture of it is, an HTML page, beside the whole history as JSON; both are in
// a new folder under the folder of temporary files.
func Check(h History, limit time.Duration) error {
	for _, e := range h.Events {
		ops := h.of(e.ID)
		if len(ops) == 0 {
			continue
		}
		result, info := porcupine.CheckOperationsVerbose(modelOf(e), operations(e, ops), limit)
		switch result {
		case porcupine.Ok:
		case porcupine.Illegal:
			return errors.Join(fmt.Errorf("event %s: %w", e.ID, ErrIllegal), picture(h, e, info))
		default:
			return errors.Join(fmt.Errorf("event %s, %d operations, %v: %w", e.ID, len(ops), limit, ErrUndecided), keep(h))
		}
	}
	return nil
}

// Legal judges like Check, without pictures and without a limit: for many small histories.
func Legal(h History) bool {
	for _, e := range h.Events {
		if !porcupine.CheckOperations(modelOf(e), operations(e, h.of(e.ID))) {
			return false
		}
	}
	return true
}

// modelOf is an event for porcupine.
func modelOf(e Event) porcupine.Model {
	model := porcupine.NondeterministicModel{
		Init: func() []any { return []any{begin(e)} },
		Step: func(s, input, _ any) []any {
			var next []any
			for _, n := range s.(*state).step(input.(Op)) {
				next = append(next, n)
			}
			return next
		},
		Equal:             func(a, b any) bool { return a.(*state).equal(b.(*state)) },
		Hash:              func(s any) uint64 { return s.(*state).hash() },
		DescribeOperation: func(input, _ any) string { return input.(Op).String() },
		DescribeState:     func(s any) string { return s.(*state).String() },
	}
	return model.ToModel()
}

// operations are those of porcupine. An Op knows its own answer, so it is the input.
//
// An API sends a request again when no worker answers, and so do people. Then the first attempt may have made a
// registration that waits, and the answer to the second one tell that it holds a seat, because somebody has left
// between. So the registration and what was told of it are two operations.
func operations(e Event, ops []Op) []porcupine.Operation {
	var list []porcupine.Operation
	add := func(op Op) {
		list = append(list, porcupine.Operation{ClientId: op.Client, Input: op, Call: op.Call, Return: op.Return})
	}
	for _, a := range attempts(ops) {
		op := a.Op
		if op.takes() && op.Outcome == Made && op.Number != 0 && !op.untold && (a.again() || e.Waitlist && !op.Waiting) {
			read := op
			read.Kind, read.Key, read.Outcome = ReadSeat, "", Seen
			add(read)
			op.untold = true
		}
		op.Call = a.begun
		add(op)
	}
	return list
}

// picture leaves what people need to understand an illegal history, and says where.
func picture(h History, e Event, info porcupine.LinearizationInfo) error {
	dir, err := folder(h)
	if err != nil {
		return err
	}
	for _, f := range h.Faults {
		info.AddAnnotations([]porcupine.Annotation{{Tag: "faults", Start: f.Begin, End: f.End, Description: f.Name}})
	}
	path := filepath.Join(dir, e.ID+".html")
	if err := porcupine.VisualizePath(modelOf(e), info, path); err != nil {
		return fmt.Errorf("draw a picture: %w", err)
	}
	return fmt.Errorf("a picture is %s, the history beside it", path)
}

// keep leaves the history and says where.
func keep(h History) error {
	dir, err := folder(h)
	if err != nil {
		return err
	}
	return fmt.Errorf("the history is in %s", dir)
}

func folder(h History) (string, error) {
	dir, err := os.MkdirTemp("", "eventio-history-")
	if err != nil {
		return "", fmt.Errorf("keep a history: %w", err)
	}
	data, err := json.Marshal(h)
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "history.json"), data, 0o600)
	}
	if err != nil {
		return "", fmt.Errorf("keep a history: %w", err)
	}
	return dir, nil
}
