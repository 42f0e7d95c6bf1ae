package store

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"iter"
	"time"
)

// foreign is the bit of the first byte that ids of people of other issuers have. Ids that are made here
// begin with the time, and have it from the year 2038 on.
const foreign = 0x80

// ForeignID returns the id of somebody whom another issuer calls subject. It is made of a digest of the
// two, so nobody has to be asked for it, and whoever has it does not learn the subject: two issuers'
// people are different people, and so are two subjects, whatever their names and addresses are.
func ForeignID(issuer, subject string) (id ID) {
	h := sha256.New()
	h.Write([]byte("eventio person of another issuer 1\n"))
	for _, part := range []string{issuer, subject} { // with its length, so that no two pairs are written alike
		h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(part))))
		h.Write([]byte(part))
	}
	copy(id[:], h.Sum(nil))
	id[0] |= foreign
	return id
}

// IsForeign reports whether an id is of ForeignID.
func IsForeign(id ID) bool { return id[0]&foreign != 0 }

// IdentityLink says that whom another issuer has proven is a user of ours.
type IdentityLink struct {
	// ID is of ForeignID.
	ID ID
	// UserID is who that is; zero: the link was taken away.
	UserID ID
	// ChangedAt is when it was made or taken away, by the clock of who did it.
	ChangedAt time.Time
}

// Identities tells what must be known of people whom others prove. No request reads it: processes read
// it now and then. Errors of every method, beside those that it names: ErrUnavailable, and
// ErrNothingStored for a fault that does not pass. Each sequence yields an error at most once, as the
// last element.
type Identities interface {
	// LinkIdentity stores a link in place of one with the same ID. It may be repeated. Errors:
	// ErrUserNotFound when nobody has the UserID.
	LinkIdentity(ctx context.Context, link IdentityLink) error
	// IdentityLinks reads the links that were made or taken away at or after since.
	IdentityLinks(ctx context.Context, since time.Time) iter.Seq2[IdentityLink, error]
	// LinksOf returns the IDs of all links to a user, in order.
	LinksOf(ctx context.Context, userID ID) ([]ID, error)
	// LockedUsers reads who is locked.
	LockedUsers(ctx context.Context) iter.Seq2[ID, error]
	// ErasedUsers reads who was ever erased.
	ErasedUsers(ctx context.Context) iter.Seq2[ID, error]
}
