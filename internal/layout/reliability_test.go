package layout_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// TestReliabilityNamesTests: every test that docs/reliability.md names is in the package that it names, and no row of the
// matrix is missing.
func TestReliabilityNamesTests(t *testing.T) {
	page, err := os.ReadFile("../../docs/reliability.md")
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile("`([a-z0-9/]+) (Test[A-Za-z0-9]+)`").FindAllStringSubmatch(string(page), -1)
	if len(named) < 40 {
		t.Fatalf("only %d tests are found on the page", len(named))
	}
	for _, n := range named {
		if !hasTest(t, filepath.Join("../..", n[1]), n[2]) {
			t.Errorf("%s has no %s", n[1], n[2])
		}
	}
	for row := 1; row <= 27; row++ {
		if !strings.Contains(string(page), "\n| F"+strconv.Itoa(row)+" |") {
			t.Errorf("row F%d is missing", row)
		}
	}
}

// hasTest reports whether a package has a test of that name.
func hasTest(t *testing.T, dir, name string) bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), "\nfunc "+name+"(") {
			return true
		}
	}
	return false
}
