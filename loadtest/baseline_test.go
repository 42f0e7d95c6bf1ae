package loadtest

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver/connstring"

	"github.com/eventio/eventio/pkg/store"
)

// baseline is the original's way to take a seat: the ids of the registered are an array in
// the event's document, and each request is one conditional update of it. The product does
// nothing like it. It acknowledges as durably as the product does, and it writes no log and
// has no index on the array: both would slow it down.
type baseline struct {
	events *mongo.Collection
	addr   string
	event  store.ID
	users  []store.ID // registered before the burst
	update conditionalUpdate
}

// embedded is an event in the form of the original.
type embedded struct {
	ID              store.ID   `bson:"_id"`
	Title           string     `bson:"title"`
	Capacity        int64      `bson:"capacity"`
	TicketsSold     int64      `bson:"tickets_sold"`
	RegistrationIDs []store.ID `bson:"registration_ids"`
}

func startBaseline(b *testing.B, mongoURI string) *baseline {
	b.Helper()
	uri, err := connstring.ParseAndValidate(mongoURI)
	if err != nil {
		b.Fatal(err)
	}
	journaled := true
	client, err := mongo.Connect(options.Client().ApplyURI(mongoURI).
		SetMinPoolSize(connections).SetMaxPoolSize(connections).
		SetWriteConcern(&writeconcern.WriteConcern{W: writeconcern.WCMajority, Journal: &journaled}))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = client.Disconnect(context.Background()) }) // all it held is dropped
	l := &baseline{events: client.Database(uri.Database).Collection("embedded")}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /api/events/{id}/registrations", l.register)
	server := httptest.NewServer(mux)
	b.Cleanup(server.Close)
	l.addr = server.Listener.Addr().String()
	return l
}

// reset makes a new event in which that many users are registered.
func (l *baseline) reset(b *testing.B, registered int) {
	b.Helper()
	l.event, l.users = store.NewID(), make([]store.ID, registered)
	for i := range l.users {
		l.users[i] = store.NewID()
	}
	_, err := l.events.InsertOne(b.Context(), embedded{
		ID: l.event, Title: "Concert", Capacity: 1_000_000,
		TicketsSold: int64(registered), RegistrationIDs: l.users,
	})
	if err != nil {
		b.Fatal(err)
	}
}

// conditionalUpdate takes a seat for a user, if the event has one left and they have none.
type conditionalUpdate func(ctx context.Context, events *mongo.Collection, event, user store.ID) (taken bool, err error)

// takesSeat is the condition and the change of either form of the update.
func takesSeat(event, user store.ID) (filter, update bson.D) {
	return bson.D{
			{Key: "_id", Value: event},
			{Key: "registration_ids", Value: bson.D{{Key: "$ne", Value: user}}},
			{Key: "$expr", Value: bson.D{{Key: "$lt", Value: bson.A{"$tickets_sold", "$capacity"}}}},
		}, bson.D{
			{Key: "$inc", Value: bson.D{{Key: "tickets_sold", Value: 1}}},
			{Key: "$push", Value: bson.D{{Key: "registration_ids", Value: user}}},
		}
}

// updateOne is the update in its cheapest form.
func updateOne(ctx context.Context, events *mongo.Collection, event, user store.ID) (bool, error) {
	filter, update := takesSeat(event, user)
	res, err := events.UpdateOne(ctx, filter, update)
	if err != nil {
		return false, err
	}
	return res.ModifiedCount == 1, nil
}

// findOneAndUpdate is the update in its usual form. The server then also keeps an image of
// the document, whole, for a retry.
func findOneAndUpdate(ctx context.Context, events *mongo.Collection, event, user store.ID) (bool, error) {
	filter, update := takesSeat(event, user)
	err := events.FindOneAndUpdate(ctx, filter, update,
		options.FindOneAndUpdate().SetProjection(bson.D{{Key: "_id", Value: 1}})).Err()
	if errors.Is(err, mongo.ErrNoDocuments) {
		return false, nil
	}
	return err == nil, err
}

func (l *baseline) register(w http.ResponseWriter, r *http.Request) {
	event, err := store.ParseID(r.PathValue("id"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	var body struct {
		UserID store.ID `json:"user_id"`
	}
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	taken, err := l.update(r.Context(), l.events, event, body.UserID)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	if !taken {
		http.Error(w, "sold out or already registered", http.StatusConflict)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusCreated)
	_ = json.NewEncoder(w).Encode(map[string]any{
		"event_id": event, "user_id": body.UserID, "registered_at": time.Now().UTC(),
	})
}

// burst fires at the baseline in its form of that update, and checks what it has stored.
// The cost grows with the array, so it is cut into slices, each on an event of its own
// whose array has baselineArray ids on the average.
func (l *baseline) burst(b *testing.B, update conditionalUpdate) burst {
	b.Helper()
	l.update = update
	var all burst
	for range baselineSlices {
		l.reset(b, baselineArray-baselineRequests/2)
		slice, err := fire(l.addr, l.event, connections, baselineRequests)
		if err != nil {
			b.Fatal(err)
		}
		l.check(b, slice)
		all.took += slice.took
		all.latency = append(all.latency, slice.latency...)
	}
	slices.Sort(all.latency)
	return all
}

// check proves that what the users were told is what is stored.
func (l *baseline) check(b *testing.B, r burst) {
	b.Helper()
	var e embedded
	if err := l.events.FindOne(b.Context(), bson.D{{Key: "_id", Value: l.event}}).Decode(&e); err != nil {
		b.Fatal(err)
	}
	checkRoster(b, "baseline", r, slices.Concat(l.users, r.told), e.TicketsSold, e.RegistrationIDs)
}
