package mongostore

import (
	"context"
	"flag"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/event"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/eventio/eventio/internal/testenv"
	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/search"
	"github.com/eventio/eventio/pkg/store/storetest"
	"github.com/eventio/eventio/pkg/store/storetest/conformance"
	"github.com/eventio/eventio/pkg/store/storetest/lists"
)

// recorder records the commands that a store sends. It is safe for concurrent use.
type recorder struct {
	mu       sync.Mutex // guards commands
	commands []bson.Raw
}

func (r *recorder) monitor() *event.CommandMonitor {
	return &event.CommandMonitor{Started: func(_ context.Context, e *event.CommandStartedEvent) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.commands = append(r.commands, slices.Clone(e.Command))
	}}
}

// take returns the commands since the last call.
func (r *recorder) take() []bson.Raw {
	r.mu.Lock()
	defer r.mu.Unlock()
	commands := r.commands
	r.commands = nil
	return commands
}

// recorded connects like open, and records the commands that are sent. The database has its schema
// already.
func recorded(tb testing.TB, uri, app string) (*Store, *recorder) {
	tb.Helper()
	open(tb, uri, "schema")
	r := &recorder{}
	s, err := connect(uri+"&appName="+app, zerolog.Nop(), options.Client().SetMonitor(r.monitor()))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := s.Close(); err != nil {
			tb.Error(err)
		}
	})
	if err := s.identify(tb.Context()); err != nil {
		tb.Fatal(err)
	}
	return s, r
}

// queries returns the parts of a command that select documents, each as a command that can be
// explained. It fails on a command that it does not know: a new one must be added here.
func queries(tb testing.TB, command bson.Raw) []bson.D {
	tb.Helper()
	var d bson.D
	if err := bson.Unmarshal(command, &d); err != nil {
		tb.Fatal(err)
	}
	name := d[0].Key
	keep := func(fields ...string) bson.D {
		kept := bson.D{d[0]}
		for _, e := range d[1:] {
			if slices.Contains(fields, e.Key) {
				kept = append(kept, e)
			}
		}
		return kept
	}
	switch name {
	case "find":
		return []bson.D{keep("filter", "sort", "projection", "limit", "skip", "hint", "singleBatch")}
	case "aggregate":
		return []bson.D{keep("pipeline", "cursor", "hint")}
	case "count":
		return []bson.D{keep("query", "hint", "limit", "skip")}
	case "findAndModify":
		return []bson.D{keep("query", "sort", "update", "upsert", "new", "remove")}
	case "update", "delete":
		statements := d[slices.IndexFunc(d, func(e bson.E) bool { return e.Key == name+"s" })].Value.(bson.A)
		var each []bson.D
		for _, statement := range statements {
			each = append(each, bson.D{d[0], {Key: name + "s", Value: bson.A{statement}}})
		}
		return each
	case "explain", "insert", "getMore", "killCursors", "commitTransaction", "abortTransaction", "endSessions", "ping", "hello", "isMaster", "listCollections":
		return nil
	}
	tb.Fatalf("an unknown command: %s", command)
	return nil
}

// form returns a command without its values.
func form(v any) string {
	switch v := v.(type) {
	case bson.D:
		var b strings.Builder
		for _, e := range v {
			fmt.Fprintf(&b, "%s:%s ", e.Key, form(e.Value))
		}
		return "{" + b.String() + "}"
	case bson.A:
		var forms []string
		for _, e := range v {
			forms = append(forms, form(e))
		}
		slices.Sort(forms)
		return "[" + strings.Join(slices.Compact(forms), " ") + "]"
	case string:
		if strings.HasPrefix(v, "$") { // a field
			return v
		}
	}
	return fmt.Sprintf("%T", v)
}

// plan is what the server says about a query.
type plan struct {
	keys, docs, returned int64
	stages               []string
	text                 string
}

func explain(tb testing.TB, s *Store, query bson.D) plan {
	tb.Helper()
	var answer bson.D
	err := s.events.Database().RunCommand(context.Background(),
		bson.D{{Key: "explain", Value: query}, {Key: "verbosity", Value: "executionStats"}}).Decode(&answer)
	if err != nil {
		tb.Fatalf("explain %v: %v", query, err)
	}
	text, _ := bson.MarshalExtJSON(answer, false, false)
	p := plan{text: string(text)}
	p.add(answer)
	return p
}

func number(v any) int64 {
	switch n := v.(type) {
	case int32:
		return int64(n)
	case int64:
		return n
	}
	return 0
}

// add adds up the parts of an explanation.
func (p *plan) add(v any) {
	switch v := v.(type) {
	case bson.A:
		for _, e := range v {
			p.add(e)
		}
	case bson.D:
		for _, e := range v {
			switch e.Key {
			case "rejectedPlans", "command", "parsedQuery":
				continue
			case "stage":
				p.stages = append(p.stages, e.Value.(string))
			case "$sort", "$group", "$sample", "$changeStream":
				p.stages = append(p.stages, e.Key)
			case "executionStats":
				stats := e.Value.(bson.D)
				for _, stat := range stats {
					switch stat.Key {
					case "totalKeysExamined":
						p.keys += number(stat.Value)
					case "totalDocsExamined":
						p.docs += number(stat.Value)
					case "nReturned":
						p.returned += number(stat.Value)
					}
				}
			case "collectionScans":
				if number(e.Value) > 0 {
					p.stages = append(p.stages, "COLLSCAN")
				}
			}
			p.add(e.Value)
		}
	}
}

// bad says what is wrong with a plan: no collection may be scanned, and nothing sorted other than
// by an index.
func (p plan) bad() string {
	if slices.Contains(p.stages, "$changeStream") {
		return "" // it reads the oplog, from its position on
	}
	for _, stage := range p.stages {
		switch stage {
		case "COLLSCAN", "SORT", "$sort", "$sample":
			return stage
		case "$group":
			if p.docs > 0 { // otherwise it counts keys of an index
				return stage
			}
		}
	}
	return ""
}

// wasteful reports whether a plan reads more than twice what it returns, and a little.
func (p plan) wasteful() bool { return p.keys > 2*p.returned+10 || p.docs > 2*p.returned+10 }

// TestConformance runs the conformance suite. It also checks the server's plan for each form of command
// that the suite leads to: every query is found by an index.
func TestConformance(t *testing.T) {
	seen := make(map[string]bool)
	conformance.Run(t, func(tb testing.TB) storetest.Target {
		uri, app := testenv.MongoDB(tb), "app"+store.NewID().Hex()
		s, r := recorded(tb, uri, app)
		tb.Cleanup(func() {
			for _, command := range r.take() {
				for _, query := range queries(tb, command) {
					if shape := fmt.Sprint(query[0].Key, " ", query[0].Value, " ", form(query)); !seen[shape] {
						seen[shape] = true
						checkPlan(tb, s, query)
					}
				}
			}
		})
		return targetOver(tb, uri, s, app)
	})
	var about []string
	for shape := range seen {
		about = append(about, strings.Join(strings.Fields(shape)[:2], " of "))
	}
	slices.Sort(about)
	about = slices.Compact(about)
	t.Logf("%d forms: %s", len(seen), strings.Join(about, ", "))
	if strings.Contains(flag.Lookup("test.run").Value.String(), "/") {
		return // a part of the suite sends a part of the commands
	}
	for _, want := range []string{
		"find of events", "find of registrations", "find of users", "find of signing_keys", "aggregate of registrations",
		"count of registrations", "update of events", "findAndModify of idempotency_keys",
	} {
		if !slices.Contains(about, want) {
			t.Errorf("no %s was seen", want)
		}
	}
}

func checkPlan(tb testing.TB, s *Store, query bson.D) {
	tb.Helper()
	p := explain(tb, s, query)
	if bad := p.bad(); bad != "" {
		tb.Errorf("%s in the plan of %v: %s", bad, query, p.text)
	}
	switch query[0].Key {
	case "count":
		// A position in a waiting list: keys from the nearer end of the line, and nothing else.
		if p.docs > 0 {
			tb.Errorf("%d documents are looked at by %v", p.docs, query)
		}
	case "find", "aggregate":
		if p.wasteful() {
			tb.Errorf("%d keys and %d documents for %d results of %v", p.keys, p.docs, p.returned, query)
		}
	}
}

// TestAListCostsWhatItShows checks that the server reads no more than what a page needs, whatever
// the filters, the order and the cursor, among many events of which most start at the same time.
func TestAListCostsWhatItShows(t *testing.T) {
	s, r := recorded(t, testenv.MongoDB(t), "recorded")
	lists.CheckCosts(t, s, func(tb testing.TB, events []store.Event) {
		docs := make([]any, len(events))
		for i, e := range events {
			docs[i] = newStoredEvent(e)
		}
		if _, err := s.events.InsertMany(tb.Context(), docs); err != nil {
			tb.Fatal(err)
		}
	}, func(tb testing.TB) (examined int) {
		for _, command := range r.take() {
			for _, query := range queries(tb, command) {
				p := explain(tb, s, query)
				if bad := p.bad(); bad != "" || p.keys > p.returned+int64(len(sub(query)))+2 || p.docs > p.returned {
					tb.Errorf("%s %d keys and %d documents for %d results of %v", bad, p.keys, p.docs, p.returned, query)
				}
				examined += int(p.keys)
			}
		}
		return examined
	})
}

// sub are the values of an $in over ids, each of which is looked up for itself.
func sub(query bson.D) bson.A {
	var found bson.A
	var walk func(any)
	walk = func(v any) {
		if d, ok := v.(bson.D); ok {
			for _, e := range d {
				if a, ok := e.Value.(bson.A); ok && e.Key == "$in" {
					found = append(found, a...)
				}
				walk(e.Value)
			}
		}
	}
	walk(query)
	return found
}

// TestAReadHasATimeLimit checks that the server itself gives up a read whose caller no longer
// waits.
func TestAReadHasATimeLimit(t *testing.T) {
	s, r := recorded(t, testenv.MongoDB(t), "recorded")
	user, e := store.NewID(), storetest.NewEvent(t, s, 3)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	r.take()
	for name, read := range map[string]func() error{
		"events": func() error { _, err := s.FindEvents(ctx, store.EventQuery{}); return err },
		"words": func() error {
			_, err := s.FindEvents(ctx, store.EventQuery{Words: search.Words("live concert"), Available: true})
			return err
		},
		"event": func() error { _, err := s.Event(ctx, e.ID); return err },
		"roster": func() error {
			for _, err := range s.Roster(ctx, e.ID, 0, 9, 5) {
				return err
			}
			return nil
		},
		"whole roster": func() error {
			for _, err := range s.Roster(ctx, e.ID, 0, 9, 0) {
				return err
			}
			return nil
		},
		"holdings": func() error {
			for _, err := range s.UserRegistrations(ctx, user, store.ID{}, 5) {
				return err
			}
			return nil
		},
		"position": func() error { _, err := s.Position(ctx, e.ID, 2); return err },
	} {
		t.Run(name, func(t *testing.T) {
			if err := read(); err != nil {
				t.Fatal(err)
			}
			for _, command := range r.take() {
				limit, ok := command.Lookup("maxTimeMS").AsInt64OK()
				if !ok || limit < 1 || limit > 5000 {
					t.Errorf("no time limit in %s", command)
				}
			}
		})
	}
}
