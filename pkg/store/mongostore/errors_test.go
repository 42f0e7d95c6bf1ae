package mongostore

import (
	"errors"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/eventio/eventio/internal/testenv"
	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/storetest"
)

// TestABatchThatCannotBeReadStoredNothing checks that a batch whose event cannot be read fails at
// once, as a fault that waiting does not cure.
func TestABatchThatCannotBeReadStoredNothing(t *testing.T) {
	s := open(t, testenv.MongoDB(t), "a")
	event := storetest.NewEvent(t, s, 5)
	for range 2 { // the second one is decided on the cached event
		if _, err := s.Apply(t.Context(), storetest.NewRequests(event.ID, 1)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.events.UpdateByID(t.Context(), event.ID, bson.D{{Key: "$set", Value: bson.D{{Key: "capacity", Value: "many"}}}}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		_, err := s.Apply(t.Context(), storetest.NewRequests(event.ID, 1))
		if !errors.Is(err, store.ErrNothingStored) || errors.Is(err, store.ErrUnavailable) {
			t.Errorf("error is %v", err)
		}
	}
	if n, err := s.registrations.CountDocuments(t.Context(), bson.D{}); n != 2 || err != nil {
		t.Errorf("%d registrations, %v", n, err)
	}
}

// TestAWriteIsSentOnce checks that the driver does not retry a write by itself: the error of a
// second attempt would say nothing about the first.
func TestAWriteIsSentOnce(t *testing.T) {
	uri := testenv.MongoDB(t)
	admin := open(t, uri, "admin")
	app := "app" + store.NewID().Hex()
	s := open(t, uri+"&retryWrites=true", app)
	failPoint(t, admin, bson.D{{Key: "times", Value: 1}}, bson.D{
		{Key: "failCommands", Value: bson.A{"insert"}}, {Key: "appName", Value: app}, {Key: "closeConnection", Value: true},
	})
	defer failPoint(t, admin, "off", nil)
	err := s.CreateUser(t.Context(), store.User{ID: store.NewID(), Email: "once@example.org"})
	if err == nil || errors.Is(err, store.ErrNothingStored) {
		t.Errorf("a write whose connection broke is told %v, want an error that leaves it open", err)
	}
}
