package store_test

import (
	"os"
	"path"
	"slices"
	"strings"
	"testing"
)

// TestTheAdaptersLookAlike checks that what one adapter keeps in a file or folder of a name, the other
// does too.
func TestTheAdaptersLookAlike(t *testing.T) {
	alone := []string{
		"verify_events.go", "internal/eventcache", "internal/mongodb", "internal/scan", // of MongoDB, whose documents have any form
		"backup.go", "checkpoint.go", "errors.go", "files.go", "openmark.go", "transaction.go", "wal.go", "internal/sqldb", // of SQLite
	}
	names := func(adapter string) (all []string) {
		for _, folder := range []string{"", "internal", "internal/people", "internal/record", "internal/relay"} {
			entries, err := os.ReadDir(path.Join(adapter, folder))
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range entries {
				name := path.Join(folder, e.Name())
				if !strings.HasSuffix(name, "_test.go") && e.Name() != "testdata" && !slices.Contains(alone, name) {
					all = append(all, name)
				}
			}
		}
		return all
	}
	if a, b := names("mongostore"), names("sqlitestore"); !slices.Equal(a, b) {
		t.Errorf("mongostore has %q\nsqlitestore has %q", a, b)
	}
}
