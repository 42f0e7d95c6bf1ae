package record

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/eventio/eventio/internal/wait"
	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/mongostore/internal/mongodb"
)

// position is what a store.Position says here: where to resume the change stream and, for the case
// that the oplog has moved past that, the time from which all rows are read again. While they are
// read, Scanned is the last one. A position of another database is the beginning of this one.
type position struct {
	Database string  `json:"database"`        // its id
	Token    string  `json:"token,omitempty"` // a resume token, in hex digits
	At       int64   `json:"at,omitempty"`    // ms since 1970, of the latest row that was read
	Scan     bool    `json:"scan,omitempty"`  // read all rows since At before the stream goes on
	Scanned  *rowKey `json:"scanned,omitempty"`
}

// MarshalText makes a rowKey a text of JSON.
func (k rowKey) MarshalText() ([]byte, error) {
	return fmt.Appendf(nil, "%s.%d", k.EventID.Hex(), k.Revision), nil
}

// UnmarshalText reads what MarshalText returns.
func (k *rowKey) UnmarshalText(text []byte) (err error) {
	var id string
	const idDigits = 24
	if len(text) <= idDigits {
		return errors.New("a key of the record is too short")
	}
	id = string(text[:idDigits])
	if k.EventID, err = store.ParseID(id); err != nil {
		return err
	}
	_, err = fmt.Sscanf(string(text[idDigits:]), ".%d", &k.Revision)
	return err
}

func (p position) text() store.Position {
	b, err := json.Marshal(p)
	if err != nil {
		panic("mongostore: " + err.Error()) // it has only texts and numbers
	}
	return store.Position(b)
}

func (s *Record) parsePosition(text store.Position) (p position, err error) {
	if text == "" {
		return position{Database: s.databaseID(), Scan: true}, nil
	}
	var token []byte
	if err = json.Unmarshal([]byte(text), &p); err == nil {
		token, err = hex.DecodeString(p.Token)
	}
	if err == nil && len(token) > 0 {
		err = bson.Raw(token).Validate()
	}
	if err == nil && p.Database != s.databaseID() {
		return position{Database: s.databaseID(), Scan: true}, nil
	}
	if err != nil {
		return p, fmt.Errorf("follow the record: this is not a position of this store: %w", err)
	}
	return p, nil
}

const (
	// scanBack is how far before the latest row that was read all rows are read again when the
	// oplog has moved past a position. It covers clocks of workers that differ, and long commits.
	scanBack = time.Hour
	scanPage = 200
	// streamWait is how long the server holds the request of a stream in which nothing happens.
	streamWait = time.Second
	// followIdle is how often Follow tells its position while nothing happens.
	followIdle = 5 * time.Second
)

// ChangesPosition implements store.Changes.
func (s *Record) ChangesPosition(ctx context.Context) (store.Position, error) {
	stream, err := s.watchChanges(ctx, "")
	if err != nil {
		return "", fmt.Errorf("read the position of the record: %w", mongodb.ReadError(err, nil))
	}
	defer closeStream(ctx, stream)
	return position{Database: s.databaseID(), Token: tokenOf(stream), At: time.Now().UnixMilli()}.text(), nil
}

// watchChanges opens a change stream behind a token; "": at the present.
func (s *Record) watchChanges(ctx context.Context, token string) (*mongo.ChangeStream, error) {
	how := options.ChangeStream().SetMaxAwaitTime(streamWait)
	if token != "" {
		raw, err := hex.DecodeString(token)
		if err != nil {
			return nil, err
		}
		how.SetResumeAfter(bson.Raw(raw))
	}
	return s.changes.Watch(ctx, mongo.Pipeline{{{Key: "$match", Value: mongodb.In("operationType", []string{"insert", "replace"})}}}, how)
}

func tokenOf(stream *mongo.ChangeStream) string { return hex.EncodeToString(stream.ResumeToken()) }

func closeStream(ctx context.Context, stream *mongo.ChangeStream) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), mongodb.EndLimit)
	defer cancel()
	_ = stream.Close(ctx)
}

// tokenLost reports whether a stream cannot be resumed at its token: the oplog no longer has it, or
// it is of another database.
func tokenLost(err error) bool {
	const invalidResumeToken, changeStreamFatalError, changeStreamHistoryLost = 260, 280, 286
	return mongodb.HasCode(err, invalidResumeToken, changeStreamFatalError, changeStreamHistoryLost)
}

// Follow implements store.Changes, by a change stream, which shows only what a majority has. When the
// oplog has moved past the position, Follow opens a new stream and then, before it reads that, all
// rows since scanBack before the position.
func (s *Record) Follow(ctx context.Context, from store.Position) iter.Seq2[store.Followed, error] {
	return func(yield func(store.Followed, error) bool) {
		p, err := s.parsePosition(from)
		if err != nil {
			yield(store.Followed{}, err)
			return
		}
		f := follower{store: s, position: p, yield: yield}
		for pause := mongodb.MinPause; ctx.Err() == nil && !f.stopped; pause = min(2*pause, time.Second) {
			before := f.position
			err := f.follow(ctx)
			switch {
			case f.stopped || ctx.Err() != nil:
				return
			case tokenLost(err):
				f.position = position{Database: s.databaseID(), At: f.position.At, Scan: true}
			case !mongodb.Transient(err):
				yield(store.Followed{}, fmt.Errorf("follow the record: %w", mongodb.ReadError(err, nil)))
				return
			}
			if f.position != before {
				pause = mongodb.MinPause
			}
			wait.For(ctx, pause)
		}
	}
}

// follower is the state of one Follow.
type follower struct {
	store    *Record
	position position
	yield    func(store.Followed, error) bool
	stopped  bool               // the caller has stopped
	scanned  map[store.ID]int64 // the last revision that the scan has yielded, until the stream has caught up
}

func (f *follower) tell(r store.ChangeRecord) error {
	if !f.yield(store.Followed{Record: r, Position: f.position.text()}, nil) {
		f.stopped = true
		return context.Canceled
	}
	return nil
}

// follow reads until an error.
func (f *follower) follow(ctx context.Context) error {
	stream, err := f.store.watchChanges(ctx, f.position.Token)
	if err != nil {
		return err
	}
	defer closeStream(ctx, stream)
	if f.position.Scan {
		f.position.Token = tokenOf(stream)
		if err := f.scan(ctx); err != nil {
			return err
		}
	}
	var told time.Time
	for news := true; ; {
		for stream.TryNext(ctx) {
			var change struct {
				Document Doc `bson:"fullDocument"`
			}
			if err := stream.Decode(&change); err != nil {
				return err
			}
			f.position.Token = tokenOf(stream)
			f.position.At = max(f.position.At, change.Document.At.UnixMilli())
			if change.Document.Key.Revision <= f.scanned[change.Document.Key.EventID] {
				continue
			}
			r, err := change.Document.record()
			if err == nil {
				err = f.tell(r)
			}
			if err != nil {
				return err
			}
			news = true
			if stream.RemainingBatchLength() == 0 {
				break // to ask for more may take streamWait, and what has come is not to wait for that
			}
		}
		if err := stream.Err(); err != nil {
			return err
		}
		if stream.ID() == 0 {
			return fmt.Errorf("the collection %s was dropped: %w", f.store.changes.Name(), store.ErrDatabaseReplaced)
		}
		f.position.Token, f.scanned = tokenOf(stream), nil
		if news || time.Since(told) >= followIdle {
			news, told = false, time.Now()
			if err := f.tell(store.ChangeRecord{}); err != nil {
				return err
			}
		}
	}
}

// scan reads all rows since scanBack before the position, those of one event in order. The stream was
// opened before, so it has what comes in the meantime.
func (f *follower) scan(ctx context.Context) error {
	since := time.UnixMilli(f.position.At).Add(-scanBack)
	f.scanned = make(map[store.ID]int64)
	for {
		filter := bson.D{{Key: "at", Value: bson.D{{Key: "$gte", Value: since}}}}
		if last := f.position.Scanned; last != nil {
			filter = append(filter, bson.E{Key: "_id", Value: bson.D{{Key: "$gt", Value: *last}}})
		}
		page, err := mongodb.FindAll[Doc](ctx, f.store.changes, filter,
			options.Find().SetSort(bson.D{{Key: "_id", Value: 1}}).SetLimit(scanPage))
		if err != nil {
			return err
		}
		for _, d := range page {
			r, err := d.record()
			if err != nil {
				return err
			}
			key := d.Key
			f.position.Scanned = &key
			f.scanned[key.EventID] = key.Revision
			if err := f.tell(r); err != nil {
				return err
			}
		}
		if len(page) < scanPage {
			f.position.Scan, f.position.Scanned = false, nil
			f.position.At = max(f.position.At, time.Now().UnixMilli())
			return nil
		}
	}
}
