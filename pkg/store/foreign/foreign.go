// Package foreign is about people whom others have proven than Event.io: their ids, and what a store keeps of them.
package foreign

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"iter"
	"time"

	"github.com/eventio/eventio/pkg/store"
)

// mark is the bit of the first byte that ids of people of other issuers have. Ids that are made here
// begin with the time, and have it from the year 2038 on.
const mark = 0x80

// Gateway takes the place of an issuer in the ids of people whom a gateway names. No issuer is called so,
// since those are URLs. Never change it.
const Gateway = "gateway"

// ID returns the id of somebody whom another issuer calls subject. It is made of a digest of the
// two, so nobody has to be asked for it, and whoever has it does not learn the subject: two issuers'
// people are different people, and so are two subjects, whatever their names and addresses are.
func ID(issuer, subject string) (id store.ID) {
	h := sha256.New()
	h.Write([]byte("eventio person of another issuer 1\n"))
	for _, part := range []string{issuer, subject} { // with its length, so that no two pairs are written alike
		h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(part))))
		h.Write([]byte(part))
	}
	copy(id[:], h.Sum(nil))
	id[0] |= mark
	return id
}

// Is reports whether an id is of [ID].
func Is(id store.ID) bool { return id[0]&mark != 0 }

// Link says that whom another issuer has proven is a user of ours.
type Link struct {
	// ID is of the function ID.
	ID store.ID
	// UserID is who that is; zero: the link was taken away.
	UserID store.ID
	// ChangedAt is when it was made or taken away, by the clock of who did it.
	ChangedAt time.Time
}

// Identities tells what must be known of people whom others prove. No request reads it: processes read
// it now and then. Errors of every method, beside those that it names: store.ErrUnavailable, and
// store.ErrNothingStored for a fault that does not pass. Each sequence yields an error at most once, as the
// last element.
type Identities interface {
	// LinkIdentity stores a link in place of one with the same ID. It may be repeated. Errors:
	// store.ErrUserNotFound when nobody has the UserID.
	LinkIdentity(ctx context.Context, link Link) error
	// IdentityLinks reads the links that were made or taken away at or after since.
	IdentityLinks(ctx context.Context, since time.Time) iter.Seq2[Link, error]
	// LinksOf returns the IDs of all links to a user, in order.
	LinksOf(ctx context.Context, userID store.ID) ([]store.ID, error)
	// LockedUsers reads who is locked.
	LockedUsers(ctx context.Context) iter.Seq2[store.ID, error]
	// ErasedUsers reads who was ever erased.
	ErasedUsers(ctx context.Context) iter.Seq2[store.ID, error]
	// NotePeople stores those of people who are no users yet and were never erased. Whose address is somebody else's gets
	// that of store.FreedEmail, unproven; who cannot have that either is left out. It may be repeated; after an error some may
	// be stored.
	NotePeople(ctx context.Context, people []store.User) error
}

// WithFreedEmail returns u with the address of store.FreedEmail, unproven: another user has theirs.
func WithFreedEmail(u store.User) store.User {
	u.Email, u.EmailProvenAt = store.FreedEmail(u.ID), time.Time{}
	return u
}
