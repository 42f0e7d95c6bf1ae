package setup

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/rs/zerolog"

	"github.com/eventio/eventio/internal/private"
	"github.com/eventio/eventio/pkg/store/sqlitestore"
)

// warnOfFolder logs what other users may do with a data folder, and what to type. Changing the
// folder is for who made it: others may have a reason to look into it.
func warnOfFolder(folder string, log zerolog.Logger) {
	info, err := os.Stat(folder) // of the folder that a link leads to
	if err != nil {
		return // whatever it is, the lock fails with it
	}
	if rights := private.FolderOpenTo(info.Mode()); rights != "" {
		log.Warn().Str("folder", folder).Str("mode", fmt.Sprintf("%#o", info.Mode().Perm())).
			Msgf("other users of this machine may %s the data folder: type chmod 700 '%s'", rights, folder)
	}
}

// protectFiles takes other users' rights on the files of a locked data folder, and logs what it
// has changed. lockWas is the mode that the lock's file had, if that was changed.
func protectFiles(folder string, lockWas fs.FileMode, log zerolog.Logger) error {
	var changed []string
	if lockWas != 0 {
		changed = append(changed, fmt.Sprintf("%s was %#o", filepath.Join(folder, lockFile), lockWas))
	}
	files, err := sqlitestore.Protect(filepath.Join(folder, DatabaseFile))
	if changed = append(changed, files...); len(changed) > 0 {
		log.Warn().Strs("files", changed).Msg("other users of this machine could read files of the data folder, and the key that signs tokens in them: they cannot any more; replace the key if somebody may have")
	}
	return err
}

// warnOfLog logs that the database in file is not whole, and goes on logging when its
// write-ahead log is long because of another program.
func (e *Embedded) warnOfLog(file string) {
	if e.Store.LogMissing() {
		e.log.Error().Str("file", file).Msg("the database was in use when it was copied without its log (-wal), or that was removed after a crash: what was stored last before is missing; restore a backup made by eventio backup")
	}
	stop := make(chan struct{})
	e.atEnd(func() error { close(stop); return nil })
	go func() {
		for {
			select {
			case size := <-e.Store.LongLog():
				e.log.Warn().Str("file", file+"-wal").Int64("bytes", size).
					Msg("another program has been reading the database for long, and its log grows until that ends")
			case <-stop:
				return
			}
		}
	}()
}
