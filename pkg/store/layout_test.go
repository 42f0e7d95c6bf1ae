package store_test

import (
	"bytes"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"testing"
)

// TestPackagesStaySmall checks that a newcomer can read each package of the store at a sitting: without its
// tests it has at most 25 files and 2,500 lines, and none of its files has more than 500.
func TestPackagesStaySmall(t *testing.T) {
	const mostFiles, mostLines, longestFile = 25, 2500, 500
	files, lines := make(map[string]int), make(map[string]int)
	here := os.DirFS(".")
	err := fs.WalkDir(here, ".", func(name string, _ fs.DirEntry, err error) error {
		if err != nil || path.Ext(name) != ".go" || strings.HasSuffix(name, "_test.go") {
			return err
		}
		text, err := fs.ReadFile(here, name)
		n := bytes.Count(text, []byte("\n"))
		if n > longestFile {
			t.Errorf("%s has %d lines", name, n)
		}
		files[path.Dir(name)]++
		lines[path.Dir(name)] += n
		return err
	})
	if err != nil || len(files) < 10 {
		t.Fatalf("%d packages, %v", len(files), err)
	}
	for name := range files {
		if files[name] > mostFiles || lines[name] > mostLines {
			t.Errorf("package %s has %d files and %d lines", name, files[name], lines[name])
		}
	}
}

// TestTheAdaptersLookAlike checks that what one adapter keeps in a file or folder of a name, the other
// does too.
func TestTheAdaptersLookAlike(t *testing.T) {
	alone := []string{
		"event_cache.go", "internal/mongodb", // of MongoDB
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
