// Package layout_test checks the sizes that CONTRIBUTING.md promises.
package layout_test

import (
	"bytes"
	"io/fs"
	"os"
	"path"
	"strings"
	"testing"
)

// TestPackagesStaySmall checks that a newcomer can read each package at a sitting: without its
// tests it has at most 25 files and 2,500 lines, and none of its files has more than 500.
func TestPackagesStaySmall(t *testing.T) {
	const mostFiles, mostLines, longestFile = 25, 2500, 500
	files, lines := make(map[string]int), make(map[string]int)
	here := os.DirFS("../..")
	err := fs.WalkDir(here, ".", func(name string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && (name == ".git" || name == "bin" || d.Name() == "node_modules") { // not ours to read
			return fs.SkipDir
		}
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
	if err != nil || len(files) < 50 {
		t.Fatalf("%d packages, %v", len(files), err)
	}
	for name := range files {
		if files[name] > mostFiles || lines[name] > mostLines {
			t.Errorf("package %s has %d files and %d lines", name, files[name], lines[name])
		}
	}
}
