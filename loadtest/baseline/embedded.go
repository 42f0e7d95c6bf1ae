package baseline

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/go-chi/chi/v5"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver/connstring"

	"github.com/eventio/eventio/internal/testenv"
	"github.com/eventio/eventio/loadtest/load"
	"github.com/eventio/eventio/pkg/store"
)

// Embedded is P, the original's way to take a seat: the ids of the registered are an array
// in the event's document, and each request is one conditional update of it. The product
// does nothing like it. It acknowledges as durably as the product does, and it writes no
// log and has no index on the array: both would slow it down.
type Embedded struct {
	events *mongo.Collection
}

// event is an event in the form of the original.
type event struct {
	ID              store.ID   `bson:"_id"`
	Title           string     `bson:"title"`
	Capacity        int64      `bson:"capacity"`
	TicketsSold     int64      `bson:"tickets_sold"`
	RegistrationIDs []store.ID `bson:"registration_ids"`
}

// pool is the number of connections to MongoDB, all open from the start.
const pool = 64

// OpenEmbedded connects to the database at uri.
func OpenEmbedded(uri string) (*Embedded, error) {
	parsed, err := connstring.ParseAndValidate(uri)
	if err != nil {
		return nil, fmt.Errorf("MongoDB of the baseline: %w", err)
	}
	journaled := true
	client, err := mongo.Connect(options.Client().ApplyURI(uri).SetMinPoolSize(pool).SetMaxPoolSize(pool).
		SetWriteConcern(&writeconcern.WriteConcern{W: writeconcern.WCMajority, Journal: &journaled}))
	if err != nil {
		return nil, fmt.Errorf("MongoDB of the baseline: %w", err)
	}
	return &Embedded{client.Database(parsed.Database).Collection("embedded")}, nil
}

// Close closes all connections.
func (e *Embedded) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	return e.events.Database().Client().Disconnect(ctx)
}

// Namespace is the name that mongod knows its collection by.
func (e *Embedded) namespace() string { return e.events.Database().Name() + "." + e.events.Name() }

// Capacity is that of every event of the baseline.
const Capacity = 1_000_000

// Create makes events in each of which that many users are registered.
func (e *Embedded) Create(ctx context.Context, events, registered int) ([]store.ID, error) {
	users := make([]store.ID, registered) // the same in all
	for i := range users {
		users[i] = store.NewID()
	}
	ids := make([]store.ID, events)
	documents := make([]event, events)
	for i := range ids {
		ids[i] = store.NewID()
		documents[i] = event{
			ID: ids[i], Title: "Concert", Capacity: Capacity, TicketsSold: int64(registered), RegistrationIDs: users,
		}
	}
	if _, err := e.events.InsertMany(ctx, documents); err != nil {
		return nil, fmt.Errorf("make events of the baseline: %w", err)
	}
	return ids, nil
}

// Account adds to a what is stored of its event.
func (e *Embedded) Account(ctx context.Context, a load.Account) (load.Account, error) {
	var found event
	if err := e.events.FindOne(ctx, bson.D{{Key: "_id", Value: a.Event}}).Decode(&found); err != nil {
		return a, fmt.Errorf("read an event of the baseline: %w", err)
	}
	a.Capacity, a.Sold, a.Roster = found.Capacity, found.TicketsSold, found.RegistrationIDs
	return a, nil
}

// Update takes a seat for a user, if the event has one left and they have none.
type Update func(ctx context.Context, events *mongo.Collection, event, user store.ID) (taken bool, err error)

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

// UpdateOne is the update in its cheapest form.
func UpdateOne(ctx context.Context, events *mongo.Collection, event, user store.ID) (bool, error) {
	filter, update := takesSeat(event, user)
	res, err := events.UpdateOne(ctx, filter, update)
	if err != nil {
		return false, err
	}
	return res.ModifiedCount == 1, nil
}

// FindOneAndUpdate is the update in its usual form. The server then also keeps an image of
// the document, whole, for a retry.
func FindOneAndUpdate(ctx context.Context, events *mongo.Collection, event, user store.ID) (bool, error) {
	filter, update := takesSeat(event, user)
	err := events.FindOneAndUpdate(ctx, filter, update,
		options.FindOneAndUpdate().SetProjection(bson.D{{Key: "_id", Value: 1}})).Err()
	if errors.Is(err, mongo.ErrNoDocuments) {
		return false, nil
	}
	return err == nil, err
}

// Handler serves registrations by that update. A request ends with its connection.
func (e *Embedded) Handler(take Update) http.Handler {
	return routed(func(w http.ResponseWriter, r *http.Request) {
		id, err := store.ParseID(chi.URLParam(r, "id"))
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		var body struct {
			UserID store.ID `json:"user_id"`
		}
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody)).Decode(&body); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		taken, err := take(r.Context(), e.events, id, body.UserID)
		switch {
		case err != nil:
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		case !taken:
			http.Error(w, "sold out or already registered", http.StatusConflict)
			return
		}
		answer, err := json.Marshal(map[string]any{"event_id": id, "user_id": body.UserID, "registered_at": time.Now().UTC()})
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		writeCreated(w, string(answer))
	})
}

// Calm ends what mongod still does for it, and waits until that has ended, for as long as limit.
func (e *Embedded) Calm(ctx context.Context, limit time.Duration) error {
	admin := e.events.Database().Client().Database("admin")
	return testenv.Poll(ctx, limit, func() error {
		cursor, err := admin.Aggregate(ctx, mongo.Pipeline{
			{{Key: "$currentOp", Value: bson.D{}}},
			{{Key: "$match", Value: bson.D{{Key: "active", Value: true}, {Key: "ns", Value: e.namespace()}}}},
		})
		if err != nil {
			return err
		}
		var running []struct {
			ID any `bson:"opid"`
		}
		if err := cursor.All(ctx, &running); err != nil {
			return err
		}
		for _, op := range running {
			if err := admin.RunCommand(ctx, bson.D{{Key: "killOp", Value: 1}, {Key: "op", Value: op.ID}}).Err(); err != nil {
				return err
			}
		}
		if len(running) > 0 {
			return fmt.Errorf("mongod still carries out %d updates for P", len(running))
		}
		return nil
	})
}
