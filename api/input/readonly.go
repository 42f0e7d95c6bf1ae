package input

import (
	"errors"
	"maps"
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/eventio/eventio/api/problem"
)

// ReadOnly checks the fields of a patch that no edit can change, so that what was read can be sent back
// whole: each must be one of now, the body as a read tells it, and be as it is there. The fields that are
// named in moved may have been another thing when they were read, and are not looked at.
func ReadOnly[T any](f *Fields, others jsontext.Value, now T, moved ...string) error {
	if len(others) == 0 {
		return nil
	}
	var sent map[string]jsontext.Value
	if err := json.Unmarshal(others, &sent); err != nil {
		return problem.InvalidField("body", "must be one well-formed JSON object")
	}
	is, err := json.Marshal(now)
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(sent)) {
		member, err := json.Marshal(map[string]jsontext.Value{name: sent[name]})
		if err != nil {
			return err
		}
		with := now
		if err := Decode(member, &with, json.RejectUnknownMembers(true)); err != nil {
			if p, ok := errors.AsType[*problem.Problem](err); ok {
				f.AddAll(p.Errors)
			}
			continue
		}
		if then, err := json.Marshal(with); err != nil || !slices.Contains(moved, name) && string(then) != string(is) {
			f.Add(name, "cannot be changed: leave it out, or send it as it is")
		}
	}
	return nil
}
