package mongostore

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/eventio/eventio/internal/testenv"
	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/storetest"
)

// shardKeys are the fields by which collections may be sharded, as docs/scale.md has them.
var shardKeys = map[string]string{
	"events": "_id", "registrations": "_id.event_id", "changes": "_id.event_id", "waiting_gaps": "_id.event_id",
}

// shardOf returns the values of the shard key that a filter or a document names, as a mongos finds them: an equality
// with the field, a list of its values, or an equality with the whole object that the field is in.
func shardOf(d bson.D, field string) []string {
	outer, inner, nested := strings.Cut(field, ".")
	for _, e := range d {
		switch value := e.Value.(type) {
		case bson.D:
			if len(value) == 1 && value[0].Key == "$in" && e.Key == field {
				var all []string
				for _, one := range value[0].Value.(bson.A) {
					all = append(all, fmt.Sprint(one))
				}
				return all
			}
			if e.Key == outer && nested {
				for _, part := range value {
					if part.Key == inner {
						return []string{fmt.Sprint(part.Value)}
					}
				}
			}
		default:
			if e.Key == field {
				return []string{fmt.Sprint(value)}
			}
		}
	}
	return nil
}

// selections returns what each statement of a command selects or inserts, and in which collection.
func selections(tb testing.TB, command bson.Raw) (collections []string, selected []bson.D) {
	tb.Helper()
	var d bson.D
	if err := bson.Unmarshal(command, &d); err != nil {
		tb.Fatal(err)
	}
	name, of := d[0].Key, fmt.Sprint(d[0].Value)
	field := func(key string) any {
		i := slices.IndexFunc(d, func(e bson.E) bool { return e.Key == key })
		if i < 0 {
			return bson.A{}
		}
		return d[i].Value
	}
	add := func(collection string, filter any) {
		collections, selected = append(collections, collection), append(selected, filter.(bson.D))
	}
	switch name {
	case "find":
		add(of, field("filter"))
	case "insert":
		for _, document := range field("documents").(bson.A) {
			add(of, document)
		}
	case "update", "delete":
		for _, statement := range field(name + "s").(bson.A) {
			add(of, statement.(bson.D)[0].Value)
		}
	case "aggregate":
		for i, stage := range field("pipeline").(bson.A) {
			switch one := stage.(bson.D)[0]; {
			case one.Key == "$match" && i == 0:
				add(of, one.Value)
			case one.Key == "$unionWith":
				union := one.Value.(bson.D)
				add(fmt.Sprint(union[0].Value), union[1].Value.(bson.A)[0].(bson.D)[0].Value)
			}
		}
	case "commitTransaction", "abortTransaction", "endSessions", "getMore", "killCursors", "ping", "hello":
	default:
		tb.Fatalf("an unknown command: %s", command)
	}
	return collections, selected
}

// TestTheHotPathNamesItsShard checks that every statement of Apply on a collection that may be sharded names the shard
// of each event of the batch and of no other event, whatever the batch asks: the commands are those that a mongos would get.
func TestTheHotPathNamesItsShard(t *testing.T) {
	uri := testenv.MongoDB(t)
	s, r := recorded(t, uri, "shards")
	s.sharded = true
	one, full := storetest.NewEvent(t, s, 100), storetest.NewEvent(t, s, 1)
	waits := storetest.NewWaitlistEvent(t, s, 2)
	capacity := int64(5)
	r.take()
	seen := make(map[string]bool)
	apply := func(batch ...store.SeatRequest) {
		t.Helper()
		storetest.MustApply(t, s, batch...)
		var ids []string
		for _, req := range batch {
			ids = append(ids, fmt.Sprint(req.EventID))
		}
		for _, command := range r.take() {
			collections, selected := selections(t, command)
			for i, collection := range collections {
				key, sharded := shardKeys[collection]
				if !sharded {
					continue
				}
				found := shardOf(selected[i], key)
				if len(found) == 0 {
					t.Errorf("this would go to every shard: %s", command)
				}
				for _, id := range found {
					if !slices.Contains(ids, id) {
						t.Errorf("event %s is not in the batch of %v: %s", id, ids, command)
					}
				}
				name, _ := command.IndexErr(0)
				seen[name.Key()+" "+collection] = true
			}
		}
	}
	first := storetest.NewRequests(one.ID, 3)
	apply(first...)                            // on a state that was read
	apply(storetest.NewRequests(one.ID, 2)...) // on the cached state
	apply(first[0])                            // a repetition
	apply(storetest.NewCancel(first[1]))
	apply(store.SeatRequest{Kind: store.Register, EventID: first[1].EventID, UserID: first[1].UserID, RequestID: "again", At: first[1].At})
	apply(storetest.NewRequests(full.ID, 3)...)                                              // one seat for three
	apply(storetest.NewRequests(full.ID, 2)...)                                              // refusals alone
	apply(append(storetest.NewRequests(one.ID, 2), storetest.NewRequests(full.ID, 2)...)...) // of two events
	leased := storetest.NewRequest(full.ID)
	leased.Lease = time.Second
	apply(leased)                                                     // a lease
	apply(leased, storetest.NewCancel(storetest.NewRequest(full.ID))) // which somebody waits for
	apply(storetest.NewRequests(store.NewID(), 1)...)                 // of one that is not there
	line := storetest.NewRequests(waits.ID, 40)
	apply(line...)
	apply(storetest.NewCancel(line[0])) // somebody moves up
	apply(storetest.NewCancel(line[30]), storetest.NewCancel(line[20]))
	apply(storetest.NewEdit(waits.ID, store.Edit{Version: store.AnyVersion, Capacity: &capacity}))
	apply(store.SeatRequest{Kind: store.Recount, EventID: waits.ID, RequestID: "recount", At: storetest.Now()})
	// A batch that was decided on an old state is decided again, in its transaction.
	other := open(t, uri, "other")
	storetest.MustApply(t, other, storetest.NewRequests(one.ID, 1)...)
	apply(storetest.NewRequests(one.ID, 2)...)
	for _, want := range []string{
		"aggregate events", "aggregate registrations", "find events", "find registrations", "insert registrations", "insert changes",
		"update events", "update registrations", "update waiting_gaps", "delete waiting_gaps",
	} {
		if !seen[want] {
			t.Errorf("no %s was seen, so nothing is shown of it; seen are %v", want, seen)
		}
	}
}

// TestShardOf: what a mongos does not find is not found here.
func TestShardOf(t *testing.T) {
	id := store.NewID()
	for want, d := range map[string]bson.D{
		"whole":    {{Key: "_id", Value: bson.D{{Key: "user_id", Value: 1}, {Key: "event_id", Value: id}}}},
		"field":    {{Key: "_id.event_id", Value: id}},
		"list":     {{Key: "_id.event_id", Value: bson.D{{Key: "$in", Value: bson.A{id}}}}},
		"no key":   {{Key: "_id", Value: bson.D{{Key: "$in", Value: bson.A{bson.D{{Key: "event_id", Value: id}}}}}}},
		"no range": {{Key: "_id", Value: bson.D{{Key: "$gt", Value: bson.D{{Key: "event_id", Value: id}}}}}},
	} {
		if found := shardOf(d, "_id.event_id"); (len(found) == 1) == strings.HasPrefix(want, "no ") {
			t.Errorf("%s: %v", want, found)
		}
	}
}
