package sqlitestore

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/eventio/eventio/internal/testenv"
	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/schema"
	"github.com/eventio/eventio/pkg/store/sqlitestore/internal/sqldb"
	"github.com/eventio/eventio/pkg/store/storetest"
)

// copyFiles copies files of the database at path into a new folder, as cp does.
func copyFiles(tb testing.TB, path string, suffixes ...string) (copied string) {
	tb.Helper()
	copied = filepath.Join(tb.TempDir(), "eventio.db")
	for _, suffix := range suffixes {
		data, err := os.ReadFile(path + suffix)
		if err == nil {
			err = os.WriteFile(copied+suffix, data, 0o600)
		}
		if err != nil {
			tb.Fatal(err)
		}
	}
	return copied
}

// findings returns what VerifyReader.CheckConstraints finds.
func findings(tb testing.TB, path string) string {
	tb.Helper()
	a, err := OpenVerifyReader(tb.Context(), path)
	if err != nil {
		tb.Fatal(err)
	}
	defer a.Close()
	var all []error
	for err := range a.CheckConstraints(tb.Context()) {
		if !errors.Is(err, store.ErrDamaged) {
			tb.Fatal(err)
		}
		all = append(all, err)
	}
	return fmt.Sprint(errors.Join(all...))
}

const sound = "<nil>"

func wantLogMissing(tb testing.TB, path string) {
	tb.Helper()
	for range 2 { // the first look hides nothing from the second
		if got := findings(tb, path); !strings.Contains(got, "log "+path+"-wal is missing") {
			tb.Errorf("the proof says %s", got)
		}
	}
}

func TestACopyWithoutItsLogIsNoticed(t *testing.T) {
	b := newBench(t)
	e := storetest.NewEvent(t, b, 1000)
	b.apply(t, storetest.NewRequests(e.ID, 10))
	alone := copyFiles(t, b.path, "")
	wantLogMissing(t, alone)
	if got := findings(t, copyFiles(t, b.path, "", "-wal")); got != sound {
		t.Errorf("a file with its log: %s", got)
	}
	if got := findings(t, b.path); got != sound {
		t.Errorf("the file that is in use: %s", got)
	}
	if open(t, b.path).LogMissing() {
		t.Error("a second store of the file misses its log")
	}
	again := open(t, alone)
	if !again.LogMissing() {
		t.Error("a store says nothing about the log that is missing")
	}
}

// TestACopyAfterACheckpointIsNoticed: the events that a copy without its log has lost are those
// that verify used to call clean: the log was moved to the file before, so the file is sound.
func TestACopyAfterACheckpointIsNoticed(t *testing.T) {
	b := newBench(t)
	for range 3 {
		storetest.NewEvent(t, b, 1000)
	}
	b.backfill(t.Context())
	lost := storetest.NewEvent(t, b, 1000)
	alone := copyFiles(t, b.path, "")
	wantLogMissing(t, alone)
	if _, err := open(t, alone).Event(t.Context(), lost.ID); !errors.Is(err, store.ErrEventNotFound) {
		t.Errorf("the copy has the event: %v", err)
	}
}

func TestAClosedFileIsWhole(t *testing.T) {
	path := filepath.Join(t.TempDir(), "eventio.db")
	s, err := Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	storetest.NewEvent(t, s, 10)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if !sqldb.NoLog(path) {
		t.Error("its log is left")
	}
	if got := findings(t, copyFiles(t, path, "")); got != sound {
		t.Errorf("a copy of it: %s", got)
	}
}

// TestToolsLeaveWhatAKilledProcessLeft: what a killed process left may be opened by a tool first.
// That takes the log away when it closes the file, unless it keeps it.
func TestToolsLeaveWhatAKilledProcessLeft(t *testing.T) {
	for what, use := range map[string]func(path string) error{
		"a migration": func(path string) error {
			m, err := OpenMigrator(path)
			if err != nil {
				return err
			}
			if err := m.Migrate(t.Context(), newest(t, stored(t, 1)), func(schema.Migration) {}); err != nil {
				return err
			}
			return m.Close()
		},
		"a store": func(path string) error {
			s, err := Open(t.Context(), path)
			if err != nil {
				return err
			}
			if s.LogMissing() {
				t.Error("it misses the log")
			}
			return s.Close()
		},
	} {
		t.Run(what, func(t *testing.T) {
			b := newBench(t)
			e := storetest.NewEvent(t, b, 10)
			killed := copyFiles(t, b.path, "", "-wal", "-shm")
			if err := use(killed); err != nil {
				t.Fatal(err)
			}
			if got := findings(t, killed); got != sound {
				t.Errorf("after it: %s", got)
			}
			if _, err := open(t, killed).Event(t.Context(), e.ID); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestAMigrationHidesNoMissingLog checks that the log which a migration makes is not taken for one
// that is missing.
func TestAMigrationHidesNoMissingLog(t *testing.T) {
	b := newBench(t)
	storetest.NewEvent(t, b, 10)
	alone := copyFiles(t, b.path, "")
	m, err := OpenMigrator(alone)
	if err != nil {
		t.Fatal(err)
	}
	err = m.Migrate(t.Context(), newest(t, stored(t, 1)), func(schema.Migration) {})
	if err := errors.Join(err, m.Close()); err != nil {
		t.Fatal(err)
	}
	wantLogMissing(t, alone)
}

// TestAStoreStaysMarkedBesideOthers: a tool such as eventio token opens the file while another
// process serves it, and closes it.
func TestAStoreStaysMarkedBesideOthers(t *testing.T) {
	b := newBench(t)
	storetest.NewEvent(t, b, 10)
	other, err := Open(t.Context(), b.path)
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Close(); err != nil {
		t.Fatal(err)
	}
	b.backfill(t.Context()) // now the file has no mark
	testenv.Eventually(t, 10*checkInterval, "a mark in the file", func() error {
		if got := findings(t, copyFiles(t, b.path, "")); got == sound {
			return errors.New("a copy without its log is called sound")
		}
		return nil
	})
}
