package mongostore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver/topology"

	"github.com/eventio/eventio/internal/testenv"
	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/storetest"
)

// TestWhichErrorsPass: an allow-list; what is not on it is nobody's to wait for.
func TestWhichErrorsPass(t *testing.T) {
	code := func(n int32) error { return mongo.CommandError{Code: n, Message: "x"} }
	for name, c := range map[string]struct {
		err  error
		want bool
	}{
		"the caller is gone":      {fmt.Errorf("read: %w", context.Canceled), true},
		"the caller's time is up": {context.DeadlineExceeded, true},
		"no server":               {topology.ServerSelectionError{Wrapped: io.EOF}, true},
		"no connection free":      {topology.WaitQueueTimeoutError{Wrapped: io.EOF}, true},
		"no connection":           {topology.ConnectionError{Wrapped: io.EOF}, true},
		"network":                 {mongo.CommandError{Labels: []string{"NetworkError"}}, true},
		"retryable":               {mongo.CommandError{Code: 1, Labels: []string{"RetryableWriteError"}}, true},
		"transient":               {mongo.CommandError{Code: 1, Labels: []string{"TransientTransactionError"}}, true},
		"time limit":              {code(50), true},
		"no primary":              {code(10107), true},
		"stepped down":            {code(189), true},
		"shutting down":           {code(91), true},
		"an index was dropped":    {code(175), true},
		"write conflict":          {code(112), true},
		"no right":                {code(13), false},
		"wrong type":              {code(14), false},
		"bad value":               {code(2), false},
		"internal error":          {code(1), false},
		"a document is too large": {code(10334), false},
		"key too old":             {code(211), false},
		"decoding":                {errors.New("error decoding key capacity"), false},
		"no documents":            {mongo.ErrNoDocuments, false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := transient(c.err); got != c.want {
				t.Errorf("passes is %v", got)
			}
			err := readError(c.err, nil)
			if errors.Is(err, store.ErrUnavailable) != c.want || !errors.Is(err, store.ErrNothingStored) {
				t.Errorf("a read ends in %v", err)
			}
		})
	}
}

// TestWhichWritesSurelyStoredNothing: what may have been stored keeps no such meaning.
func TestWhichWritesSurelyStoredNothing(t *testing.T) {
	failed := mongo.WriteErrors{{Code: 121, Message: "x"}}
	for name, c := range map[string]struct {
		err                  error
		nothing, unavailable bool
	}{
		"not sent":               {topology.ServerSelectionError{Wrapped: io.EOF}, true, true},
		"no primary":             {mongo.CommandError{Code: 10107}, true, true},
		"no right":               {mongo.CommandError{Code: 13}, true, false},
		"refused":                {mongo.WriteException{WriteErrors: failed}, true, false},
		"stored, no majority":    {mongo.WriteException{WriteConcernError: &mongo.WriteConcernError{Code: 64}}, false, false},
		"stored, then stepdown":  {mongo.WriteException{WriteConcernError: &mongo.WriteConcernError{Code: 10107}}, false, false},
		"the connection broke":   {mongo.CommandError{Labels: []string{"NetworkError"}}, false, false},
		"time limit":             {mongo.CommandError{Code: 50}, false, false},
		"part of several":        {mongo.BulkWriteException{WriteErrors: []mongo.BulkWriteError{{WriteError: failed[0]}}}, false, false},
		"something nobody knows": {errors.New("x"), false, false},
	} {
		t.Run(name, func(t *testing.T) {
			err := writeError(c.err)
			if errors.Is(err, store.ErrNothingStored) != c.nothing || errors.Is(err, store.ErrUnavailable) != c.unavailable {
				t.Errorf("it ends in %v", err)
			}
		})
	}
}

// TestABatchThatCannotBeReadStoredNothing, and waiting does not cure it: it fails at once.
func TestABatchThatCannotBeReadStoredNothing(t *testing.T) {
	s := open(t, testenv.MongoDB(t), "a")
	event := storetest.NewEvent(t, s, 5)
	for range 2 { // the second one is decided on a guess
		if _, err := s.Apply(t.Context(), storetest.Wishes(event.ID, 1)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.events.UpdateByID(t.Context(), event.ID, bson.D{{Key: "$set", Value: bson.D{{Key: "capacity", Value: "many"}}}}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		_, err := s.Apply(t.Context(), storetest.Wishes(event.ID, 1))
		if !errors.Is(err, store.ErrNothingStored) || errors.Is(err, store.ErrUnavailable) {
			t.Errorf("error is %v", err)
		}
	}
	if n, err := s.registrations.CountDocuments(t.Context(), bson.D{}); n != 2 || err != nil {
		t.Errorf("%d registrations, %v", n, err)
	}
}

// TestAWriteIsSentOnce: the driver repeats no write by itself, since the error of a second attempt
// would say nothing about the first.
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
