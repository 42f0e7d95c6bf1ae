package sqlitestore

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/eventio/eventio/pkg/store/sqlitestore/internal/sqldb"
	"github.com/eventio/eventio/pkg/store/storetest/tooltest"
)

// stored copies the data folder that an earlier version has written, and returns its file.
func stored(tb testing.TB, version int) string {
	tb.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", fmt.Sprintf("v%d", version), "eventio.db"))
	if err != nil {
		tb.Fatal(err)
	}
	path := filepath.Join(tb.TempDir(), "eventio.db")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		tb.Fatal(err)
	}
	return path
}

// TestStoredVersions checks that what any released version has written can be read. The file
// testdata/vN was made by the program whose newest version was N; the first one had no versions
// yet.
func TestStoredVersions(t *testing.T) {
	path := stored(t, 1)
	s := open(t, path)
	a, err := OpenVerifyReader(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	if got := version(t, path); got != newest(t, path) {
		t.Errorf("version is %d, want %d", got, newest(t, path))
	}
	tooltest.RunStored(t, tooltest.Stored{Store: s, VerifyReader: a})
}

// TestAMigratedFileIsLikeAFreshOne checks that a migrated file has the same tables and indexes as a
// new one, down to their SQL.
func TestAMigratedFileIsLikeAFreshOne(t *testing.T) {
	old, fresh := stored(t, 1), filepath.Join(t.TempDir(), "eventio.db")
	objects := func(path string) (all []string) {
		s := open(t, path)
		for line, err := range sqldb.Stream(t.Context(), s.read, sqldb.ScanValue[string],
			`SELECT type || ' ' || name || ': ' || coalesce(sql, '') FROM sqlite_schema ORDER BY name`) {
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, line)
		}
		return all
	}
	if got, want := objects(old), objects(fresh); !slices.Equal(got, want) {
		t.Errorf("migrated:\n%q\nfresh:\n%q", got, want)
	}
}

// TestAVerifyReaderSaysWhichVersionItNeeds checks that a file of an unknown version is refused,
// instead of being found damaged.
func TestAVerifyReaderSaysWhichVersionItNeeds(t *testing.T) {
	path := stored(t, 1)
	edit(t, path, `PRAGMA user_version = 99`)
	wantSchemaError(t, "the database has version 99", func(ctx context.Context) error {
		a, err := OpenVerifyReader(ctx, path)
		if err == nil {
			_ = a.Close()
		}
		return err
	})
}
