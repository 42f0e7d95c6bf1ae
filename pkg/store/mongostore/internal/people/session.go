package people

import (
	"context"
	"fmt"
	"iter"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/mongostore/internal/mongodb"
)

// sessionDoc is a document of the collection sessions.
type sessionDoc struct {
	ID              store.ID  `bson:"_id"`
	UserID          store.ID  `bson:"user_id"`
	PasswordVersion int64     `bson:"password_version"`
	Client          string    `bson:"client"`
	CreatedAt       time.Time `bson:"created_at"`
	ExpiresAt       time.Time `bson:"expires_at"`
	EndedAt         time.Time `bson:"ended_at,omitempty"` // missing while nobody has ended it
	RemovedAt       time.Time `bson:"removed_at"`         // by a TTL index
}

func newSessionDoc(s store.Session) sessionDoc {
	return sessionDoc{
		ID: s.ID, UserID: s.UserID, PasswordVersion: s.PasswordVersion, Client: s.Client,
		CreatedAt: s.CreatedAt, ExpiresAt: s.ExpiresAt, RemovedAt: s.ExpiresAt.Add(store.SessionKept),
	}
}

func (d sessionDoc) session() store.Session {
	return store.Session{
		ID: d.ID, UserID: d.UserID, PasswordVersion: d.PasswordVersion, Client: d.Client,
		CreatedAt: d.CreatedAt.UTC(), ExpiresAt: d.ExpiresAt.UTC(), EndedAt: d.EndedAt.UTC(),
	}
}

func (d sessionDoc) ended() store.EndedSession {
	return store.EndedSession{ID: d.ID, EndedAt: d.EndedAt.UTC(), ExpiresAt: d.ExpiresAt.UTC()}
}

// CreateSession implements store.Sessions.
func (s *People) CreateSession(ctx context.Context, session store.Session) error {
	_, err := s.sessions.InsertOne(ctx, newSessionDoc(session))
	if err != nil && !mongodb.KeyTaken(err) {
		return fmt.Errorf("create a session of user %s: %w", session.UserID.Hex(), mongodb.WriteError(err))
	}
	return nil
}

// UserSessions implements store.Sessions.
func (s *People) UserSessions(ctx context.Context, userID store.ID, now time.Time) ([]store.Session, error) {
	docs, err := mongodb.FindAll[sessionDoc](ctx, s.sessions, bson.D{
		{Key: "user_id", Value: userID}, {Key: "ended_at", Value: nil}, {Key: "expires_at", Value: bson.D{{Key: "$gt", Value: now}}},
	}, options.Find().SetSort(bson.D{{Key: "_id", Value: -1}}).SetLimit(store.MaxSessions))
	if err != nil {
		return nil, fmt.Errorf("list the sessions of user %s: %w", userID.Hex(), mongodb.ReadError(err, nil))
	}
	all := make([]store.Session, len(docs))
	for i, d := range docs {
		all[i] = d.session()
	}
	return all, nil
}

// SessionHistory implements store.Sessions.
func (s *People) SessionHistory(ctx context.Context, userID store.ID) iter.Seq2[store.Session, error] {
	return mongodb.Stream(ctx, s.sessions, bson.D{
		{Key: "find", Value: s.sessions.Name()}, {Key: "filter", Value: bson.D{{Key: "user_id", Value: userID}}},
		{Key: "sort", Value: bson.D{{Key: "_id", Value: -1}}},
	}, sessionDoc.session)
}

// laterEnd returns the fields that move when a session is to live longer.
func laterEnd(s store.Session) map[string]time.Time {
	return map[string]time.Time{"expires_at": s.ExpiresAt, "removed_at": s.ExpiresAt.Add(store.SessionKept)}
}

// ExtendSession implements store.Sessions.
func (s *People) ExtendSession(ctx context.Context, session store.Session) (alive bool, err error) {
	if err := s.CreateSession(ctx, session); err != nil {
		return false, err
	}
	res, err := s.sessions.UpdateOne(ctx,
		bson.D{{Key: "_id", Value: session.ID}, {Key: "user_id", Value: session.UserID}, {Key: "ended_at", Value: nil}},
		bson.D{{Key: "$max", Value: laterEnd(session)}})
	if err != nil {
		return false, fmt.Errorf("extend session %s: %w", session.ID.Hex(), mongodb.WriteError(err))
	}
	return res.MatchedCount > 0, nil
}

// EndSession implements store.Sessions, by the server's clock: the clocks of API processes differ.
func (s *People) EndSession(ctx context.Context, session store.Session) error {
	if !session.ExpiresAt.IsZero() {
		if err := s.CreateSession(ctx, session); err != nil {
			return err
		}
	}
	set := bson.D{{Key: "ended_at", Value: "$$NOW"}}
	if !session.ExpiresAt.IsZero() {
		for name, at := range laterEnd(session) {
			set = append(set, bson.E{Key: name, Value: bson.D{{Key: "$max", Value: bson.A{"$" + name, at}}}})
		}
	}
	_, err := s.sessions.UpdateOne(ctx,
		bson.D{{Key: "_id", Value: session.ID}, {Key: "user_id", Value: session.UserID}, {Key: "ended_at", Value: nil}},
		mongo.Pipeline{{{Key: "$set", Value: set}}})
	if err != nil {
		return fmt.Errorf("end session %s: %w", session.ID.Hex(), mongodb.WriteError(err))
	}
	return nil
}

// EndedSessions implements store.Sessions.
func (s *People) EndedSessions(ctx context.Context, since time.Time) iter.Seq2[store.EndedSession, error] {
	return mongodb.Stream(ctx, s.sessions, bson.D{
		{Key: "find", Value: s.sessions.Name()}, {Key: "filter", Value: bson.D{{Key: "ended_at", Value: bson.D{{Key: "$gte", Value: since}}}}},
		{Key: "projection", Value: bson.D{{Key: "ended_at", Value: 1}, {Key: "expires_at", Value: 1}}},
	}, sessionDoc.ended)
}
