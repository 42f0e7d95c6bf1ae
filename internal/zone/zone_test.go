package zone

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestArchive: the embedded archive is the one of the Go release that builds, from which
// time/tzdata is made too, and each of its zones can be loaded.
func TestArchive(t *testing.T) {
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	released, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(root)), "lib", "time", "zoneinfo.zip"))
	switch {
	case os.IsNotExist(err):
		t.Log("this Go was packaged without its archive: nothing to compare with")
	case err != nil:
		t.Fatal(err)
	case string(released) != archive:
		t.Error("zoneinfo.zip is not the one of this Go release: run go generate ./internal/zone")
	}
	if len(files()) < 590 {
		t.Errorf("%d zones", len(files()))
	}
	for name := range files() {
		if _, err := Load(name); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestLoad(t *testing.T) {
	for _, name := range []string{
		"Europe/Berlin", "America/Argentina/ComodRivadavia", "UTC", "Etc/UTC", "Etc/GMT+12", "EST5EDT", "CET",
		"Europe/Kyiv", "Europe/Kiev", "US/Pacific", "Asia/Calcutta", "America/Coyhaique", "GB-Eire", "W-SU",
	} {
		if got, err := Load(name); err != nil || got.String() != name {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	for _, name := range []string{
		"", " ", "Local", "localtime", "Factory", "posixrules", "right/UTC", "right/Europe/Berlin", "posix/Europe/Berlin",
		"europe/berlin", "EUROPE/BERLIN", "utc", "Europe/berlin", "Europe", "Europe/", "/Europe/Berlin", "./UTC", "UTC/", "UTC.",
		"Europe//Berlin", "Europe/../UTC", "../zoneinfo/UTC", "../../../etc/passwd", `Europe\Berlin`, "Europe/Berlin ", " UTC", "UTC\n",
		"UTC\x00", "Europe/Atlantis", "zone.tab", "zone1970.tab", "tzdata.zi", "leapseconds", "iso3166.tab", "SystemV/EST5EDT",
		"GMT+1", "UTC+1", "+01:00", "Z", "CEST", "MESZ", "TZif2", "EST5EDT,M3.2.0,M11.1.0", "Eu\u00adrope/Berlin", "Ｅurope/Berlin",
	} {
		if got, err := Load(name); err == nil {
			t.Errorf("%q is taken: %v", name, got)
		}
	}
}

// TestRulesAreEmbedded: what the machine says of a zone does not count.
func TestRulesAreEmbedded(t *testing.T) {
	folder := t.TempDir()
	utc, err := files()["UTC"].Open()
	if err != nil {
		t.Fatal(err)
	}
	defer utc.Close()
	forged, err := os.Create(filepath.Join(folder, "Nowhere"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := forged.ReadFrom(utc); err != nil {
		t.Fatal(err)
	}
	if err := forged.Close(); err != nil {
		t.Fatal(err)
	}
	t.Setenv("ZONEINFO", folder) // package time reads it once: nothing in this process has before
	if _, err := time.LoadLocation("Nowhere"); err != nil {
		t.Fatalf("package time does not read ZONEINFO, so this proves nothing: %v", err)
	}
	if _, err := Load("Nowhere"); err == nil {
		t.Error("a zone of the machine's folder is taken")
	}
	berlin, err := Load("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	for at, want := range map[string]int{"2027-01-01T00:00:00Z": 1, "2027-07-01T00:00:00Z": 2} {
		when, err := time.Parse(time.RFC3339, at)
		if err != nil {
			t.Fatal(err)
		}
		if _, offset := when.In(berlin).Zone(); offset != want*3600 {
			t.Errorf("%s: %d s east, want %d h", at, offset, want)
		}
	}
}

func BenchmarkLoad(b *testing.B) {
	for b.Loop() {
		if _, err := Load("Europe/Berlin"); err != nil {
			b.Fatal(err)
		}
	}
}
