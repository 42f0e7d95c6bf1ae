// Package zone knows the time zones of the IANA time zone database, the same ones on every
// machine: names and rules are embedded.
//
// time.LoadLocation looks into the folder that the environment variable ZONEINFO names, then
// into the machine's folder, and only then at the embedded time/tzdata. So it accepts what that
// machine happens to have, such as right/UTC, posixrules or localtime, and applies the rules of
// the machine's release. Nothing in package time reads time/tzdata alone, so this package
// embeds the archive that time/tzdata is made from.
package zone

import (
	"archive/zip"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
	_ "time/tzdata" // for whatever else asks package time for a zone, TZ for one, in an image without a folder
)

// archive is lib/time/zoneinfo.zip of the Go release that last generated it.
//
//go:generate sh -c "cp \"$(go env GOROOT)/lib/time/zoneinfo.zip\" zoneinfo.zip && chmod 644 zoneinfo.zip"
//go:embed zoneinfo.zip
var archive string

// placeholder is the zone of a machine whose zone nobody has set. It is a name of the database,
// but no place's time.
const placeholder = "Factory"

// errUnknown follows the name of the field that holds the name of a zone.
var errUnknown = errors.New("must be a name of the IANA time zone database, like Europe/Berlin")

// files returns what the archive has, by name.
var files = sync.OnceValue(func() map[string]*zip.File {
	r, err := zip.NewReader(strings.NewReader(archive), int64(len(archive)))
	if err != nil {
		panic("zone: the embedded archive: " + err.Error()) // a build that TestArchive refuses
	}
	byName := make(map[string]*zip.File, len(r.File))
	for _, f := range r.File {
		if f.Name != placeholder {
			byName[f.Name] = f
		}
	}
	return byName
})

// Load returns the location with a name, or a link, of the IANA time zone database, spelled as
// there. Every other text is refused, in words that follow the name of its field: also the
// empty one, Local, Factory, and names of folders that operating systems add (right/UTC,
// posix/UTC, posixrules). Load is safe for concurrent use.
func Load(name string) (*time.Location, error) {
	f := files()[name]
	if f == nil {
		return nil, errUnknown
	}
	r, err := f.Open()
	if err != nil {
		return nil, fmt.Errorf("read zone %s: %w", name, err)
	}
	defer r.Close()
	data, err := io.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("read zone %s: %w", name, err)
	}
	return time.LoadLocationFromTZData(name, data)
}
