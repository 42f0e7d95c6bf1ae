package relay

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/mongostore/internal/mongodb"
	"github.com/eventio/eventio/pkg/store/outbox"
)

var _ outbox.Outbox = (*Relay)(nil)

// mailDoc is a document of the collection mails.
type mailDoc struct {
	Key       string      `bson:"_id"`
	Kind      outbox.Kind `bson:"kind"`
	UserID    store.ID    `bson:"user_id"`
	Address   string      `bson:"address,omitempty"`
	Language  string      `bson:"language,omitempty"`
	EventID   store.ID    `bson:"event_id"`
	Revision  int64       `bson:"revision"`
	Number    int64       `bson:"number"`
	CreatedAt time.Time   `bson:"created_at"`
	ExpiresAt time.Time   `bson:"expires_at"`
	DueAt     time.Time   `bson:"due_at,omitempty"` // missing when nothing more is to be done
	Attempt   int64       `bson:"attempt"`
	RemovedAt time.Time   `bson:"removed_at,omitempty"` // by a TTL index
}

func (d mailDoc) mail() outbox.Mail {
	return outbox.Mail{
		Key: d.Key, Kind: d.Kind, UserID: d.UserID, Address: d.Address, Language: d.Language, EventID: d.EventID, Revision: d.Revision,
		Number: d.Number, CreatedAt: d.CreatedAt.UTC(), ExpiresAt: d.ExpiresAt.UTC(), DueAt: d.DueAt.UTC(), Attempt: d.Attempt,
	}
}

// AddMails implements outbox.Outbox, by an upsert of each, which changes nothing where there is one.
func (s *Relay) AddMails(ctx context.Context, mails []outbox.Mail) error {
	if len(mails) == 0 {
		return nil
	}
	writes := make([]mongo.WriteModel, len(mails))
	for i, m := range mails {
		d := mailDoc{
			m.Key, m.Kind, m.UserID, m.Address, m.Language, m.EventID, m.Revision, m.Number, m.CreatedAt, m.ExpiresAt, m.DueAt, 0, time.Time{},
		}
		writes[i] = mongo.NewUpdateOneModel().SetFilter(bson.D{{Key: "_id", Value: m.Key}}).
			SetUpdate(bson.D{{Key: "$setOnInsert", Value: d}}).SetUpsert(true)
	}
	_, err := s.mails.BulkWrite(ctx, writes, options.BulkWrite().SetOrdered(false))
	if mongo.IsDuplicateKeyError(err) { // two upserts of one key at the same time: repeated, they find it
		_, err = s.mails.BulkWrite(ctx, writes, options.BulkWrite().SetOrdered(false))
	}
	if err != nil {
		return fmt.Errorf("store mails: %w", mongodb.WriteError(err))
	}
	return nil
}

// ClaimMails implements outbox.Outbox, one mail after the other.
func (s *Relay) ClaimMails(ctx context.Context, now, until time.Time, limit int) (mails []outbox.Mail, err error) {
	for len(mails) < limit {
		var d mailDoc
		err := s.mails.FindOneAndUpdate(ctx, bson.D{{Key: "due_at", Value: bson.D{{Key: "$lte", Value: now}}}},
			bson.D{{Key: "$set", Value: bson.D{{Key: "due_at", Value: until}}}, {Key: "$inc", Value: bson.D{{Key: "attempt", Value: 1}}}},
			options.FindOneAndUpdate().SetSort(bson.D{{Key: "due_at", Value: 1}}).SetReturnDocument(options.After)).Decode(&d)
		switch {
		case errors.Is(err, mongo.ErrNoDocuments):
			return mails, nil
		case err != nil && len(mails) > 0: // what is claimed must not be lost
			return mails, nil
		case err != nil:
			return nil, fmt.Errorf("claim mails: %w", mongodb.WriteError(err))
		}
		mails = append(mails, d.mail())
	}
	return mails, nil
}

// FinishMail implements outbox.Outbox.
func (s *Relay) FinishMail(ctx context.Context, m outbox.Mail, until time.Time) error {
	return s.settleMail(ctx, m, bson.D{
		{Key: "$set", Value: bson.D{{Key: "removed_at", Value: until}}},
		{Key: "$unset", Value: bson.D{{Key: "due_at", Value: ""}, {Key: "address", Value: ""}}},
	})
}

// PutOffMail implements outbox.Outbox.
func (s *Relay) PutOffMail(ctx context.Context, m outbox.Mail) error {
	return s.settleMail(ctx, m, bson.D{
		{Key: "$set", Value: bson.D{{Key: "due_at", Value: m.DueAt}}}, {Key: "$unset", Value: bson.D{{Key: "removed_at", Value: ""}}},
	})
}

// settleMail ends the claim of a mail. One that is removed meanwhile is settled.
func (s *Relay) settleMail(ctx context.Context, m outbox.Mail, update bson.D) error {
	res, err := s.mails.UpdateOne(ctx, bson.D{{Key: "_id", Value: m.Key}, {Key: "attempt", Value: m.Attempt}}, update)
	if err == nil && res.MatchedCount == 0 {
		var found int64
		found, err = s.mails.CountDocuments(ctx, bson.D{{Key: "_id", Value: m.Key}})
		if err == nil && found > 0 {
			err = outbox.ErrClaimLost
		}
	}
	if err != nil {
		return fmt.Errorf("settle the mail %s: %w", m.Key, mongodb.WriteError(err))
	}
	return nil
}

// ForgetMails implements outbox.Outbox: TTL indexes do it.
func (s *Relay) ForgetMails(context.Context, time.Time) (int, error) { return 0, nil }

// tokenDoc is a document of the collection mail_tokens. Its _id is the digest.
type tokenDoc struct {
	Hash            []byte      `bson:"_id"`
	Kind            outbox.Kind `bson:"kind"`
	UserID          store.ID    `bson:"user_id"`
	Address         string      `bson:"address"`
	PasswordVersion int64       `bson:"password_version"`
	ExpiresAt       time.Time   `bson:"expires_at"` // by a TTL index
}

// AddToken implements outbox.Outbox.
func (s *Relay) AddToken(ctx context.Context, t outbox.Token) error {
	_, err := s.mailTokens.InsertOne(ctx, tokenDoc{t.Hash[:], t.Kind, t.UserID, t.Address, t.PasswordVersion, t.ExpiresAt})
	if err != nil && !mongodb.KeyTaken(err) {
		return fmt.Errorf("store a token of user %s: %w", t.UserID.Hex(), mongodb.WriteError(err))
	}
	return nil
}

// Token implements outbox.Outbox.
func (s *Relay) Token(ctx context.Context, hash [sha256.Size]byte, now time.Time) (outbox.Token, error) {
	var d tokenDoc
	err := s.mailTokens.FindOne(ctx, bson.D{
		{Key: "_id", Value: hash[:]}, {Key: "expires_at", Value: bson.D{{Key: "$gt", Value: now}}},
	}).Decode(&d)
	if err != nil {
		return outbox.Token{}, fmt.Errorf("look up a token: %w", mongodb.ReadError(err, outbox.ErrNoToken))
	}
	return outbox.Token{
		Hash: hash, Kind: d.Kind, UserID: d.UserID, Address: d.Address, PasswordVersion: d.PasswordVersion, ExpiresAt: d.ExpiresAt.UTC(),
	}, nil
}

// DropTokens implements outbox.Outbox.
func (s *Relay) DropTokens(ctx context.Context, userID store.ID, kind outbox.Kind) error {
	_, err := s.mailTokens.DeleteMany(ctx, bson.D{{Key: "user_id", Value: userID}, {Key: "kind", Value: kind}})
	if err != nil {
		return fmt.Errorf("remove tokens of user %s: %w", userID.Hex(), mongodb.WriteError(err))
	}
	return nil
}

// mailSettingsDoc is a document of the collection mail_settings.
type mailSettingsDoc struct {
	UserID   store.ID  `bson:"_id"`
	Token    string    `bson:"token"`
	Language string    `bson:"language,omitempty"`
	OffAt    time.Time `bson:"off_at,omitempty"`
}

func (d mailSettingsDoc) settings() outbox.Settings {
	return outbox.Settings{UserID: d.UserID, Token: d.Token, Language: d.Language, OffAt: d.OffAt.UTC()}
}

// MailSettings implements outbox.Outbox.
func (s *Relay) MailSettings(ctx context.Context, fresh outbox.Settings) (outbox.Settings, error) {
	var d mailSettingsDoc
	read := func() error { return s.mailSettings.FindOne(ctx, bson.D{{Key: "_id", Value: fresh.UserID}}).Decode(&d) }
	err := read()
	if fresh.Token != "" && errors.Is(err, mongo.ErrNoDocuments) {
		_, err = s.mailSettings.InsertOne(ctx, mailSettingsDoc(fresh))
		if err != nil && !mongodb.KeyTaken(err) {
			return outbox.Settings{}, fmt.Errorf("store the mail settings of user %s: %w", fresh.UserID.Hex(), mongodb.WriteError(err))
		}
		err = read()
	}
	if err != nil {
		return outbox.Settings{}, fmt.Errorf("read the mail settings of user %s: %w", fresh.UserID.Hex(), mongodb.ReadError(err, outbox.ErrNoToken))
	}
	return d.settings(), nil
}

// MailSettingsOf implements outbox.Outbox.
func (s *Relay) MailSettingsOf(ctx context.Context, token string) (outbox.Settings, error) {
	var d mailSettingsDoc
	if err := s.mailSettings.FindOne(ctx, bson.D{{Key: "token", Value: token}}).Decode(&d); err != nil {
		return outbox.Settings{}, fmt.Errorf("find mail settings: %w", mongodb.ReadError(err, outbox.ErrNoToken))
	}
	return d.settings(), nil
}

// SetMailSettings implements outbox.Outbox.
func (s *Relay) SetMailSettings(ctx context.Context, v outbox.Settings) error {
	update := bson.D{{Key: "$set", Value: bson.D{{Key: "language", Value: v.Language}, {Key: "off_at", Value: v.OffAt}}}}
	if v.OffAt.IsZero() {
		update = bson.D{{Key: "$set", Value: bson.D{{Key: "language", Value: v.Language}}}, {Key: "$unset", Value: bson.D{{Key: "off_at", Value: ""}}}}
	}
	if _, err := s.mailSettings.UpdateOne(ctx, bson.D{{Key: "_id", Value: v.UserID}}, update); err != nil {
		return fmt.Errorf("change the mail settings of user %s: %w", v.UserID.Hex(), mongodb.WriteError(err))
	}
	return nil
}

// ForgetMailsOf removes what is stored for mails to a user, in the transaction of ctx.
func (s *Relay) ForgetMailsOf(ctx context.Context, id store.ID) error {
	_, err := s.mails.DeleteMany(ctx, bson.D{{Key: "user_id", Value: id}})
	if err == nil {
		_, err = s.mailTokens.DeleteMany(ctx, bson.D{{Key: "user_id", Value: id}})
	}
	if err == nil {
		_, err = s.mailSettings.DeleteOne(ctx, bson.D{{Key: "_id", Value: id}})
	}
	return err
}
