// Package backup is the command eventio backup, which copies the database of a data folder
// into one file, while it is in use or not.
package backup

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/rs/zerolog"

	"github.com/eventio/eventio/cmd/eventio/internal/progress"
	"github.com/eventio/eventio/internal/process"
	"github.com/eventio/eventio/internal/setup"
	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/sqlitestore"
)

// Command has the flags of eventio backup.
type Command struct {
	File string `arg:"" type:"path" help:"The file to make. It must not exist, and its folder must."`
	Data string `env:"EVENTIO_DATA" default:"./data" type:"path" placeholder:"FOLDER" help:"Folder of the embedded store. The right to read it is enough. Default ./data. (MongoDB has mongodump.)"`
}

// Run makes the file, or fails and leaves none.
func (c Command) Run(ctx context.Context, env process.Env, _ zerolog.Logger) error {
	if c.Data == "" {
		return process.Usage("--data must name a folder")
	}
	database := setup.Database{Data: c.Data}
	if err := database.RequireFile(); err != nil {
		return err
	}
	source := filepath.Join(c.Data, setup.DatabaseFile)
	if sqlitestore.OwnFile(source, c.File) {
		return process.Usage("%s is a name that the database uses itself: choose another one for the backup", c.File)
	}
	started := time.Now()
	bar := progress.New(env.Stderr, "backup", 0)
	var copied int64 // pages
	at, err := sqlitestore.Backup(ctx, source, c.File, func(done, all int64) {
		if done < copied {
			copied = 0 // it began anew
		}
		bar.Grow(all)
		bar.Add(int(done - copied))
		copied = done
	})
	bar.Finish()
	if err != nil {
		return c.explain(ctx, database, err)
	}
	size := int64(0)
	if info, err := os.Stat(c.File); err == nil {
		size = info.Size()
	}
	fmt.Fprintf(env.Stdout, "backup: %s holds the database as of %s: %d bytes, in %v\n", c.File,
		at.UTC().Format(time.RFC3339), size, time.Since(started).Round(time.Millisecond))
	fmt.Fprintf(env.Stdout, "restore: copy it to %s in an empty folder, and run eventio verify --data there\n", setup.DatabaseFile)
	fmt.Fprintln(env.Stdout, "secret: it has the key that signs tokens, and what is known of people")
	return nil
}

// explain returns a sentence about a backup that failed.
func (c Command) explain(ctx context.Context, database setup.Database, err error) error {
	var path *fs.PathError
	var link *os.LinkError
	switch {
	case ctx.Err() != nil:
		return &process.Failure{Sentence: "the backup was interrupted; there is no file", Cause: err}
	case errors.Is(err, fs.ErrExist):
		return &process.Failure{Sentence: fmt.Sprintf("%s exists: a backup never replaces a file, choose another name", c.File), Cause: err}
	case errors.Is(err, store.ErrStorageFull):
		return &process.Failure{Sentence: fmt.Sprintf("there is no room for the backup in %s: make room, or choose another folder", filepath.Dir(c.File)), Cause: err}
	case errors.Is(err, sqlitestore.ErrDisturbed):
		return &process.Failure{Sentence: sqlitestore.ErrDisturbed.Error(), Cause: err}
	case errors.As(err, &path), errors.As(err, &link):
		return &process.Failure{Sentence: fmt.Sprintf("the backup cannot be written to %s: %s", c.File,
			cmp.Or(process.Reason(err), "the system refuses it")), Cause: err}
	}
	return database.Explain(err)
}
