package openapi

import (
	"fmt"
	"maps"
	"slices"
)

// Breaking lists what in after would break a client written against before: something it
// sends is no longer taken, or something it relies on in an answer is gone.
func Breaking(before, after *Document) []string {
	c := comparison{before: before, after: after}
	for place, old := range before.Operations() {
		if now := after.Find(place); now == nil {
			c.add("%s is gone", place)
		} else {
			c.operation(place.String(), old, now)
		}
	}
	return c.found
}

type comparison struct {
	before, after *Document
	found         []string
	seen          map[[2]*Schema]bool
}

func (c *comparison) add(format string, args ...any) {
	c.found = append(c.found, fmt.Sprintf(format, args...))
}

func (c *comparison) operation(place string, old, now *Operation) {
	if old.OperationID != now.OperationID {
		c.add("%s: operationId was %s, generated clients call it so", place, old.OperationID)
	}
	c.parameters(place, old.Parameters, now.Parameters)
	switch {
	case now.RequestBody == nil && old.RequestBody != nil:
		c.add("%s takes no body any more", place)
	case now.RequestBody != nil && old.RequestBody == nil && now.RequestBody.Required,
		now.RequestBody != nil && old.RequestBody != nil && now.RequestBody.Required && !old.RequestBody.Required:
		c.add("%s needs a body now", place)
	case now.RequestBody != nil && old.RequestBody != nil:
		c.content(place+" body", old.RequestBody.Content, now.RequestBody.Content, true)
	}
	for _, status := range slices.Sorted(maps.Keys(old.Responses)) {
		where := place + " " + status
		was, is := old.Responses[status], now.Responses[status]
		if is == nil {
			c.add("%s is gone", where)
			continue
		}
		for _, name := range slices.Sorted(maps.Keys(was.Headers)) {
			if _, ok := is.Headers[name]; !ok {
				c.add("%s has no header %s any more", where, name)
			}
		}
		c.content(where, was.Content, is.Content, false)
	}
	// A new error status is no break: clients must expect any. A new success is one.
	for _, status := range slices.Sorted(maps.Keys(now.Responses)) {
		if _, ok := old.Responses[status]; !ok && status[0] == '2' {
			c.add("%s answers %s now, which no client expects", place, status)
		}
	}
}

func (c *comparison) parameters(place string, old, now []Parameter) {
	find := func(list []Parameter, p Parameter) *Parameter {
		for i := range list {
			if list[i].Name == p.Name && list[i].In == p.In {
				return &list[i]
			}
		}
		return nil
	}
	for _, was := range old {
		is := find(now, was)
		if is == nil {
			c.add("%s takes no %s %s any more", place, was.In, was.Name)
			continue
		}
		if is.Required && !was.Required {
			c.add("%s needs the %s %s now", place, was.In, was.Name)
		}
		c.schema(place+" "+was.Name, was.Schema, is.Schema, true)
	}
	for _, is := range now {
		if is.Required && find(old, is) == nil {
			c.add("%s needs the %s %s now", place, is.In, is.Name)
		}
	}
}

func (c *comparison) content(where string, old, now map[string]MediaType, sent bool) {
	for _, media := range slices.Sorted(maps.Keys(old)) {
		is, ok := now[media]
		if !ok {
			c.add("%s is no longer %s", where, media)
			continue
		}
		c.schema(where, old[media].Schema, is.Schema, sent)
	}
}

// schema compares what clients send (it must not narrow) or what they are sent (it must not
// widen or lose fields).
func (c *comparison) schema(where string, old, now *Schema, sent bool) {
	old, now = c.before.Resolve(old), c.after.Resolve(now)
	if old == nil || now == nil {
		if old != nil || now != nil && sent {
			c.add("%s has another schema", where)
		}
		return
	}
	if pair := [2]*Schema{old, now}; c.seen[pair] {
		return
	} else if old.Type == "object" {
		if c.seen == nil {
			c.seen = make(map[[2]*Schema]bool)
		}
		c.seen[pair] = true
		defer delete(c.seen, pair)
	}
	narrow, wide := old, now // what must be within what
	if !sent {
		narrow, wide = now, old
	}
	if !narrow.Type.within(wide.Type) || old.Format != now.Format {
		c.add("%s was %s %s, is %s %s", where, old.Type, old.Format, now.Type, now.Format)
		return
	}
	c.within(where, narrow, wide)
	c.schema(where+"[]", old.Items, now.Items, sent)
	for _, name := range slices.Sorted(maps.Keys(old.Properties)) {
		field := where + "." + name
		is, ok := now.Properties[name]
		switch {
		case !ok:
			c.add("%s is gone", field)
			continue
		case !sent && slices.Contains(old.Required, name) && !slices.Contains(now.Required, name):
			c.add("%s may be missing now", field)
		}
		c.schema(field, old.Properties[name], is, sent)
	}
	if sent && old.AdditionalProperties == nil && now.AdditionalProperties != nil {
		c.add("%s takes no unknown fields any more", where)
	}
	for _, name := range now.Required {
		if sent && !slices.Contains(old.Required, name) {
			c.add("%s.%s is required now", where, name)
		}
	}
}

// within finds where a value that fits narrow need not fit wide.
func (c *comparison) within(where string, narrow, wide *Schema) {
	if len(wide.Enum) > 0 {
		for _, v := range narrow.Enum {
			if !slices.Contains(wide.Enum, v) {
				c.add("%s: the value %s", where, v)
			}
		}
		if len(narrow.Enum) == 0 {
			c.add("%s: only some values", where)
		}
	}
	if wide.Pattern != "" && narrow.Pattern != wide.Pattern {
		c.add("%s: another pattern", where)
	}
	over(c, where+": minLength", wide.MinLength, narrow.MinLength, func(w, n int) bool { return n >= w })
	over(c, where+": maxLength", wide.MaxLength, narrow.MaxLength, func(w, n int) bool { return n <= w })
	over(c, where+": maxItems", wide.MaxItems, narrow.MaxItems, func(w, n int) bool { return n <= w })
	over(c, where+": minimum", wide.Minimum, narrow.Minimum, func(w, n int64) bool { return n >= w })
	over(c, where+": maximum", wide.Maximum, narrow.Maximum, func(w, n int64) bool { return n <= w })
}

// over tells when a bound of wide does not hold for narrow.
func over[T any](c *comparison, where string, wide, narrow *T, holds func(w, n T) bool) {
	if wide != nil && (narrow == nil || !holds(*wide, *narrow)) {
		c.add("%s is another", where)
	}
}
