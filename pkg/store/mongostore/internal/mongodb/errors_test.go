package mongodb

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"

	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver/topology"

	"github.com/eventio/eventio/pkg/store"
)

// TestWhichErrorsPass checks which errors are transient: an error that is not in the list is none.
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
			if got := Transient(c.err); got != c.want {
				t.Errorf("passes is %v", got)
			}
			err := ReadError(c.err, nil)
			if errors.Is(err, store.ErrUnavailable) != c.want || !errors.Is(err, store.ErrNothingStored) {
				t.Errorf("a read ends in %v", err)
			}
		})
	}
}

// TestWhichWritesSurelyStoredNothing checks after which errors of a write surely nothing is stored.
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
			err := WriteError(c.err)
			if errors.Is(err, store.ErrNothingStored) != c.nothing || errors.Is(err, store.ErrUnavailable) != c.unavailable {
				t.Errorf("it ends in %v", err)
			}
		})
	}
}
