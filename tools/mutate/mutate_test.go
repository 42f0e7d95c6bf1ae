package main

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// write makes files in a folder.
func write(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestMutants(t *testing.T) {
	dir := write(t, map[string]string{"a.go": `package a

func (s *set) add(n int) {
	for i := 0; i < n; i++ {
		s.put(i)
		s.log.Info().Int("i", i).Msg("put")
	}
	if old := s.size; old > n && s.open {
		s.size = old - n
	}
	switch {
	case n == 1:
		return
	}
}
`})
	all, err := mutants(filepath.Join(dir, "a.go"))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, m := range all {
		if m.place() != "a.go set.add" {
			t.Errorf("a mutant is in %s", m.place())
		}
		got = append(got, m.change())
	}
	want := []string{
		"i < n -> false", "i < n -> i <= n", "s.put(i) -> nothing",
		"old > n && s.open -> true", "old > n && s.open -> false", "old > n -> true", "old > n -> false",
		"s.open -> true", "s.open -> false", "old > n -> old >= n",
		"s.size = old - n -> nothing", "old - n -> old + n",
		"n == 1 -> true", "n == 1 -> false",
	}
	if !slices.Equal(got, want) {
		t.Errorf("mutants are\n%q, want\n%q", got, want)
	}
}

// TestWhereAMutantIs checks how a place is named: by the receiver's type, without its parameters.
func TestWhereAMutantIs(t *testing.T) {
	for receiver, want := range map[string]string{
		"": "a.go f", "(s set)": "a.go set.f", "(s *set)": "a.go set.f", "(s *set[K])": "a.go set.f", "(s *set[K, V])": "a.go set.f",
	} {
		dir := write(t, map[string]string{"a.go": "package a\n\nfunc " + receiver + " f() { g() }\n"})
		all, err := mutants(filepath.Join(dir, "a.go"))
		if err != nil {
			t.Fatal(err)
		}
		if len(all) != 1 || all[0].place() != want {
			t.Errorf("%s: %+v, want one in %s", receiver, all, want)
		}
	}
}

// TestRun: what a test looks at is killed, what hangs is too, and what survives is an error
// until it is explained.
func TestRun(t *testing.T) {
	dir := write(t, map[string]string{
		"go.mod": "module example\n\ngo 1.26\n",
		"p/p.go": `package p

func Least(a, b int) int {
	if a < b {
		return a
	}
	return b
}
`,
		"p/p_test.go": `package p

import "testing"

func TestLeast(t *testing.T) {
	if Least(1, 2) != 1 || Least(2, 1) != 1 {
		t.Error("not the least")
	}
}
`,
		"docs/mutations.md": "",
	})
	o := options{root: dir, files: ".", changes: ".", workers: 1}
	if err := run(context.Background(), o, "p"); err == nil || err.Error() != "1 mutants survived" {
		t.Errorf("without an explanation: %v", err)
	}
	row := "## `p`\n\n| place | mutation | why |\n|---|---|---|\n| `p.go Least` | `a < b -> a <= b` | of two equal numbers either is the least |\n"
	if err := os.WriteFile(filepath.Join(dir, "docs/mutations.md"), []byte(row), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := run(context.Background(), o, "p"); err != nil {
		t.Errorf("explained: %v", err)
	}
}
