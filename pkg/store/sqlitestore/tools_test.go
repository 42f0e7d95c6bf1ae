package sqlitestore

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/changes"
	"github.com/eventio/eventio/pkg/store/storetest/tooltest"
)

func TestTools(t *testing.T) {
	tooltest.Run(t, func(tb testing.TB) tooltest.Target {
		path := filepath.Join(tb.TempDir(), "eventio ?#%.db")
		s := open(tb, path)
		a, err := OpenVerifyReader(tb.Context(), path)
		if err != nil {
			tb.Fatal(err)
		}
		tb.Cleanup(func() {
			if err := a.Close(); err != nil {
				tb.Error(err)
			}
		})
		removeSearch := func(tb testing.TB, id store.ID) {
			tb.Helper()
			if _, err := s.write.ExecContext(tb.Context(), `DELETE FROM event_beginnings WHERE event_id = ?`, id[:]); err != nil {
				tb.Fatal(err)
			}
		}
		change := func(statement string, cut int) func(testing.TB, store.ChangeRecord) {
			return func(tb testing.TB, r store.ChangeRecord) {
				tb.Helper()
				packed := changes.Pack(r)
				if _, err := s.write.ExecContext(tb.Context(), statement, r.EventID[:], r.Revision, packed[:len(packed)-cut]); err != nil {
					tb.Fatal(err)
				}
			}
		}
		const set = `UPDATE changes SET packed = ?3 WHERE event_id = ?1 AND revision = ?2`
		return tooltest.Target{
			SetChange: change(set, 0), CutChange: change(set, 1), RemoveChange: change(`DELETE FROM changes WHERE event_id = ?1 AND revision = ?2 AND ?3 IS NOT NULL`, 0),
			Store: s, VerifyReader: a, RemoveSearch: removeSearch, SetCounters: func(tb testing.TB, e store.Event) {
				tb.Helper()
				conn, err := s.write.Conn(tb.Context())
				if err != nil {
					tb.Fatal(err)
				}
				defer conn.Close()
				exec := func(query string, args ...any) {
					if _, err := conn.ExecContext(context.WithoutCancel(tb.Context()), query, args...); err != nil {
						tb.Fatal(err)
					}
				}
				exec(`PRAGMA ignore_check_constraints = 1`)
				exec(`UPDATE events SET capacity = ?, tickets_sold = ?, waiting = ?, last_number = ?, confirmed_through = ? WHERE id = ?`,
					e.Capacity, e.TicketsSold, e.Waiting, e.LastNumber, e.ConfirmedThrough, e.ID[:])
				exec(`PRAGMA ignore_check_constraints = 0`)
			}}
	})
}
