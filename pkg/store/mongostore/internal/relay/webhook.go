package relay

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/hooks"
	"github.com/eventio/eventio/pkg/store/mongostore/internal/mongodb"
)

// webhookDoc is a document of the collection webhooks.
type webhookDoc struct {
	ID        store.ID  `bson:"_id"`
	OwnerID   store.ID  `bson:"owner_id"`
	AllEvents bool      `bson:"all_events,omitempty"` // the index has only those that are true
	Active    bool      `bson:"active"`
	NextAt    time.Time `bson:"next_at"`
	Version   int64     `bson:"version"`
	Settings  string    `bson:"settings"` // JSON, see store.Webhook
}

func newWebhookDoc(w store.Webhook, version int64) (webhookDoc, error) {
	settings, err := json.Marshal(w)
	return webhookDoc{w.ID, w.OwnerID, w.AllEvents, w.Active, w.NextAt, version, string(settings)}, err
}

func (d webhookDoc) webhook() (w store.Webhook, err error) {
	if err := json.Unmarshal([]byte(d.Settings), &w); err != nil {
		return w, fmt.Errorf("%w: webhook %s: %w", store.ErrDamaged, d.ID.Hex(), err)
	}
	w.ID, w.OwnerID, w.AllEvents, w.Active, w.NextAt, w.Version = d.ID, d.OwnerID, d.AllEvents, d.Active, d.NextAt.UTC(), d.Version
	return w, nil
}

// markKey is the _id of a markDoc.
type markKey struct {
	WebhookID store.ID `bson:"webhook_id"`
	EventID   store.ID `bson:"event_id"`
}

// markDoc is a document of the collection webhook_marks. Its field due_to_tell is true while told is
// below due.
type markDoc struct {
	Key  markKey `bson:"_id"`
	Told int64   `bson:"told"`
	Due  int64   `bson:"due"`
}

// callsDoc is a document of the collection webhook_calls.
type callsDoc struct {
	Calls []string `bson:"calls"` // JSON, see store.WebhookCall
}

// CreateWebhook implements store.Webhooks.
func (s *Relay) CreateWebhook(ctx context.Context, w store.Webhook) error {
	d, err := newWebhookDoc(w, 1)
	if err == nil {
		if _, err = s.webhooks.InsertOne(ctx, d); mongodb.KeyTaken(err) {
			return nil
		}
	}
	if err != nil {
		return fmt.Errorf("create webhook %s: %w", w.ID.Hex(), mongodb.WriteError(err))
	}
	return nil
}

// Webhook implements store.Webhooks.
func (s *Relay) Webhook(ctx context.Context, id store.ID) (store.Webhook, error) {
	var d webhookDoc
	if err := s.webhooks.FindOne(ctx, bson.D{{Key: "_id", Value: id}}).Decode(&d); err != nil {
		return store.Webhook{}, fmt.Errorf("read webhook %s: %w", id.Hex(), mongodb.ReadError(err, store.ErrWebhookNotFound))
	}
	return d.webhook()
}

// WebhooksOf implements store.Webhooks.
func (s *Relay) WebhooksOf(ctx context.Context, owners []store.ID, allEvents bool) ([]store.Webhook, error) {
	filter := mongodb.In("owner_id", append([]store.ID{}, owners...)) // not null, which the server refuses
	if allEvents {
		filter = bson.D{{Key: "$or", Value: bson.A{filter, bson.D{{Key: "all_events", Value: true}}}}}
	}
	docs, err := mongodb.FindAll[webhookDoc](ctx, s.webhooks, filter, options.Find())
	if err != nil {
		return nil, fmt.Errorf("list webhooks: %w", mongodb.ReadError(err, nil))
	}
	all := make([]store.Webhook, len(docs))
	for i, d := range docs {
		if all[i], err = d.webhook(); err != nil {
			return nil, err
		}
	}
	return hooks.OnceByID(all), nil
}

// ReplaceWebhook implements store.Webhooks.
func (s *Relay) ReplaceWebhook(ctx context.Context, w store.Webhook) (bool, error) {
	d, err := newWebhookDoc(w, w.Version+1)
	var res *mongo.UpdateResult
	if err == nil {
		res, err = s.webhooks.ReplaceOne(ctx, bson.D{{Key: "_id", Value: w.ID}, {Key: "version", Value: w.Version}}, d)
	}
	if err != nil {
		return false, fmt.Errorf("change webhook %s: %w", w.ID.Hex(), mongodb.WriteError(err))
	}
	return res.MatchedCount > 0, nil
}

// DeleteWebhook implements store.Webhooks. Marks that a process makes at the same moment stay behind, and
// mean nothing.
func (s *Relay) DeleteWebhook(ctx context.Context, id store.ID) error {
	byID := bson.D{{Key: "_id", Value: id}}
	_, err := s.webhooks.DeleteOne(ctx, byID)
	if err == nil {
		_, err = s.webhookMarks.DeleteMany(ctx, marksOf(id))
	}
	if err == nil {
		_, err = s.webhookCalls.DeleteOne(ctx, byID)
	}
	if err != nil {
		return fmt.Errorf("delete webhook %s: %w", id.Hex(), mongodb.WriteError(err))
	}
	return nil
}

// marksOf selects the marks of a webhook.
func marksOf(webhook store.ID) bson.D {
	last := store.ID(bytes.Repeat([]byte{0xff}, len(store.ID{})))
	return bson.D{{Key: "_id", Value: bson.D{{Key: "$gte", Value: markKey{webhook, store.ID{}}}, {Key: "$lte", Value: markKey{webhook, last}}}}}
}

// MarkWebhooks implements store.Webhooks.
func (s *Relay) MarkWebhooks(ctx context.Context, marks []store.WebhookMark) error {
	return s.setMarks(ctx, marks, func(told any, old string) any { return bson.D{{Key: "$ifNull", Value: bson.A{old, told}}} })
}

// RewindWebhook implements store.Webhooks.
func (s *Relay) RewindWebhook(ctx context.Context, mark store.WebhookMark) error {
	return s.setMarks(ctx, []store.WebhookMark{mark}, func(told any, old string) any { return bson.D{{Key: "$min", Value: bson.A{old, told}}} })
}

// setMarks raises the due of marks, and sets their told by an expression of the new and the old one.
func (s *Relay) setMarks(ctx context.Context, marks []store.WebhookMark, told func(told any, old string) any) error {
	var writes []mongo.WriteModel
	for _, m := range marks {
		writes = append(writes, mongo.NewUpdateOneModel().SetFilter(bson.D{{Key: "_id", Value: markKey{m.WebhookID, m.EventID}}}).
			SetUpsert(true).SetUpdate(mongo.Pipeline{
			{{Key: "$set", Value: bson.D{
				{Key: "told", Value: told(m.Told, "$told")},
				{Key: "due", Value: bson.D{{Key: "$max", Value: bson.A{"$due", m.Due}}}},
			}}},
			dueToTell(),
		}))
	}
	if len(writes) == 0 {
		return nil
	}
	if _, err := s.webhookMarks.BulkWrite(ctx, writes, options.BulkWrite().SetOrdered(false)); err != nil {
		return fmt.Errorf("mark webhooks: %w", mongodb.WriteError(err))
	}
	return nil
}

// dueToTell is the part of an update that sets due_to_tell.
func dueToTell() bson.D {
	return bson.D{{Key: "$set", Value: bson.D{{Key: "due_to_tell", Value: bson.D{{Key: "$lt", Value: bson.A{"$told", "$due"}}}}}}}
}

// DueWebhooks implements store.Webhooks.
func (s *Relay) DueWebhooks(ctx context.Context, now time.Time, after store.ID, limit int) ([]store.ID, error) {
	marked, err := mongodb.QueryAll[struct {
		ID store.ID `bson:"_id"`
	}](ctx, s.webhookMarks, bson.D{{Key: "aggregate", Value: s.webhookMarks.Name()}, {Key: "cursor", Value: bson.D{}}, {Key: "pipeline", Value: mongo.Pipeline{
		{{Key: "$match", Value: bson.D{{Key: "due_to_tell", Value: true}}}},
		{{Key: "$group", Value: bson.D{{Key: "_id", Value: "$_id.webhook_id"}}}},
	}}})
	due := make([]store.ID, len(marked))
	for i, m := range marked {
		due[i] = m.ID
	}
	var docs []webhookDoc
	if err == nil && len(due) > 0 {
		docs, err = mongodb.FindAll[webhookDoc](ctx, s.webhooks, bson.D{
			{Key: "_id", Value: bson.D{{Key: "$in", Value: due}, {Key: "$gt", Value: after}}},
			{Key: "active", Value: true}, {Key: "next_at", Value: bson.D{{Key: "$lte", Value: now}}},
		}, options.Find().SetProjection(mongodb.OnlyID()).SetSort(bson.D{{Key: "_id", Value: 1}}).SetLimit(int64(limit)))
	}
	if err != nil {
		return nil, fmt.Errorf("find webhooks to call: %w", mongodb.ReadError(err, nil))
	}
	ids := make([]store.ID, len(docs))
	for i, d := range docs {
		ids[i] = d.ID
	}
	return ids, nil
}

// DueMarks implements store.Webhooks.
func (s *Relay) DueMarks(ctx context.Context, webhook, after store.ID, limit int) ([]store.WebhookMark, error) {
	docs, err := mongodb.FindAll[markDoc](ctx, s.webhookMarks, bson.D{
		{Key: "_id.webhook_id", Value: webhook}, {Key: "due_to_tell", Value: true}, {Key: "_id.event_id", Value: bson.D{{Key: "$gt", Value: after}}},
	}, options.Find().SetSort(bson.D{{Key: "_id.event_id", Value: 1}}).SetLimit(int64(limit)))
	if err != nil {
		return nil, fmt.Errorf("read what webhook %s is to be told: %w", webhook.Hex(), mongodb.ReadError(err, nil))
	}
	marks := make([]store.WebhookMark, len(docs))
	for i, d := range docs {
		marks[i] = store.WebhookMark{WebhookID: d.Key.WebhookID, EventID: d.Key.EventID, Told: d.Told, Due: d.Due}
	}
	return marks, nil
}

// ToldWebhook implements store.Webhooks.
func (s *Relay) ToldWebhook(ctx context.Context, m store.WebhookMark, told int64) error {
	_, err := s.webhookMarks.UpdateOne(ctx, bson.D{{Key: "_id", Value: markKey{m.WebhookID, m.EventID}}, {Key: "told", Value: m.Told}},
		mongo.Pipeline{{{Key: "$set", Value: bson.D{{Key: "told", Value: told}}}}, dueToTell()})
	if err != nil {
		return fmt.Errorf("store what webhook %s was told: %w", m.WebhookID.Hex(), mongodb.WriteError(err))
	}
	return nil
}

// KeepWebhookCall implements store.Webhooks.
func (s *Relay) KeepWebhookCall(ctx context.Context, webhook store.ID, call store.WebhookCall) error {
	packed, err := json.Marshal(call)
	if err == nil {
		_, err = s.webhookCalls.UpdateOne(ctx, bson.D{{Key: "_id", Value: webhook}}, bson.D{{Key: "$push", Value: bson.D{
			{Key: "calls", Value: bson.D{{Key: "$each", Value: bson.A{string(packed)}}, {Key: "$slice", Value: -store.KeptCalls}}},
		}}}, options.UpdateOne().SetUpsert(true))
	}
	if err != nil {
		return fmt.Errorf("remember a call of webhook %s: %w", webhook.Hex(), mongodb.WriteError(err))
	}
	return nil
}

// WebhookCalls implements store.Webhooks.
func (s *Relay) WebhookCalls(ctx context.Context, webhook store.ID) ([]store.WebhookCall, error) {
	docs, err := mongodb.FindAll[callsDoc](ctx, s.webhookCalls, bson.D{{Key: "_id", Value: webhook}}, options.Find())
	if err != nil {
		return nil, fmt.Errorf("read the calls of webhook %s: %w", webhook.Hex(), mongodb.ReadError(err, nil))
	}
	var calls []store.WebhookCall
	for _, d := range docs {
		for _, packed := range d.Calls {
			var c store.WebhookCall
			if err := json.Unmarshal([]byte(packed), &c); err != nil {
				return nil, fmt.Errorf("%w: a call of webhook %s: %w", store.ErrDamaged, webhook.Hex(), err)
			}
			calls = append(calls, c)
		}
	}
	slices.Reverse(calls)
	return calls, nil
}
