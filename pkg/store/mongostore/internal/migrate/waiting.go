package migrate

import (
	"context"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/mongostore/internal/mongodb"
	"github.com/eventio/eventio/pkg/store/mongostore/internal/waitlist"
)

// WaitingStep is the number of the step that counts the gaps of waiting lists.
const WaitingStep = 10

// countGaps is the code of WaitingStep: it makes the collection waiting_gaps, and counts the gaps of the waiting lists that
// there are. A process of the version before does not count those that it makes meanwhile: a position in such a
// list is counted, as before, until a recount or until they are behind who moves up.
func countGaps(ctx context.Context, db *mongo.Database, done func(n, all int64)) error {
	if err := db.CreateCollection(ctx, "waiting_gaps"); err != nil && !mongodb.HasCode(err, mongodb.CodeNamespaceExists) {
		return err
	}
	filter := bson.D{{Key: "waiting", Value: bson.D{{Key: "$gt", Value: 0}}}, {Key: "$expr", Value: bson.D{{Key: "$ne", Value: bson.A{
		bson.D{{Key: "$subtract", Value: bson.A{"$last_number", "$confirmed_through"}}}, "$waiting",
	}}}}}
	events, err := mongodb.FindAll[store.Event](ctx, db.Collection("events"), filter,
		options.Find().SetProjection(bson.D{{Key: "last_number", Value: 1}, {Key: "confirmed_through", Value: 1}, {Key: "waiting", Value: 1}}))
	lists := waitlist.New(db)
	for i, e := range events {
		if err := lists.Recount(ctx, e); err != nil {
			return err
		}
		done(int64(i)+1, int64(len(events)))
	}
	return err
}
