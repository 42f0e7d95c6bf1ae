package people

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/foreign"
	"github.com/eventio/eventio/pkg/store/sqlitestore/internal/sqldb"
)

// LinkIdentity implements foreign.Identities.
func (s *People) LinkIdentity(ctx context.Context, link foreign.Link) error {
	err := s.transact(ctx, func(tx *sql.Tx) error {
		if !link.UserID.IsZero() {
			if _, err := scanUser(tx.QueryRowContext(ctx, selectUser+`WHERE id = ?`, link.UserID[:])); err != nil {
				return err
			}
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO identity_links (id, user_id, changed_at) VALUES (?, ?, ?)
			ON CONFLICT (id) DO UPDATE SET user_id = excluded.user_id, changed_at = excluded.changed_at`,
			link.ID[:], link.UserID[:], sqldb.UnixMillis(link.ChangedAt))
		return err
	})
	if err != nil {
		return fmt.Errorf("link identity %s with user %s: %w", link.ID.Hex(), link.UserID.Hex(), err)
	}
	return nil
}

// IdentityLinks implements foreign.Identities.
func (s *People) IdentityLinks(ctx context.Context, since time.Time) iter.Seq2[foreign.Link, error] {
	scan := func(row sqldb.Scanner) (l foreign.Link, err error) {
		err = row.Scan(sqldb.ID{To: &l.ID}, sqldb.ID{To: &l.UserID}, sqldb.Millis{To: &l.ChangedAt})
		return l, err
	}
	return sqldb.Stream(ctx, s.read, scan, `SELECT id, user_id, changed_at FROM identity_links WHERE changed_at >= ?`, since.UnixMilli())
}

func scanID(row sqldb.Scanner) (id store.ID, err error) {
	err = row.Scan(sqldb.ID{To: &id})
	return id, err
}

// LinksOf implements foreign.Identities.
func (s *People) LinksOf(ctx context.Context, userID store.ID) ([]store.ID, error) {
	all, err := sqldb.All(ctx, s.read, scanID, `SELECT id FROM identity_links WHERE user_id = ? ORDER BY id`, userID[:])
	if err != nil {
		return nil, fmt.Errorf("list the identities of user %s: %w", userID.Hex(), err)
	}
	return all, nil
}

// LockedUsers implements foreign.Identities.
func (s *People) LockedUsers(ctx context.Context) iter.Seq2[store.ID, error] {
	return sqldb.Stream(ctx, s.read, scanID, `SELECT id FROM users WHERE locked_at > 0`)
}

// ErasedUsers implements foreign.Identities.
func (s *People) ErasedUsers(ctx context.Context) iter.Seq2[store.ID, error] {
	return sqldb.Stream(ctx, s.read, scanID, `SELECT user_id FROM erased_users`)
}

// NotePeople implements foreign.Identities.
func (s *People) NotePeople(ctx context.Context, people []store.User) error {
	err := s.transact(ctx, func(tx *sql.Tx) error {
		for _, u := range people {
			if err := notePerson(ctx, tx, u); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("note %d people of others: %w", len(people), err)
	}
	return nil
}

func notePerson(ctx context.Context, tx *sql.Tx, u store.User) error {
	var known bool
	err := tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM users WHERE id = ?1) OR EXISTS (SELECT 1 FROM erased_users WHERE user_id = ?1)`, u.ID[:]).Scan(&known)
	if err != nil || known {
		return err
	}
	for _, with := range []store.User{u, foreign.WithFreedEmail(u)} {
		if err = createUser(ctx, tx, with); !errors.Is(err, store.ErrEmailTaken) {
			return err
		}
	}
	return nil // of all people somebody has signed up with that address: the others are noted
}
