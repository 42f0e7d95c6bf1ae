package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/rs/zerolog"

	"github.com/eventio/eventio/internal/access"
	"github.com/eventio/eventio/internal/identity"
	"github.com/eventio/eventio/internal/process"
	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/mongostore"
	"github.com/eventio/eventio/pkg/store/sqlitestore"
)

type tokenConfig struct {
	access.Keys
	User       string        `xor:"who" required:"" placeholder:"ID" help:"Who the token speaks for: an id of 24 hexadecimal digits."`
	Count      int           `xor:"who" required:"" placeholder:"N" help:"Instead of --user, for load tools: that many users are made up, and each is a line {\"user_id\":...,\"token\":...}. They are in no store."`
	Lifetime   time.Duration `default:"1h" help:"How long a token is valid, at most 24h."`
	Data       string        `env:"EVENTIO_DATA" default:"./data" type:"path" help:"Folder with the data of eventio, when there is no --mongodb-uri."`
	MongoDBURI string        `name:"mongodb-uri" env:"MONGODB_URI" placeholder:"URI" help:"MongoDB of api and worker."`
}

// storeLimit bounds the look into the store.
const storeLimit = 10 * time.Second

// identityStore is what a token is made from.
type identityStore interface {
	store.Identity
	Close() error
}

// printToken makes a token for an operator, or many for a load tool. The store knows the
// version of a user's password, without which a token has ended if it was changed lately.
// Where keys are given the user need not exist.
func printToken(ctx context.Context, c tokenConfig, env process.Env, log zerolog.Logger) (err error) {
	id, err := store.ParseID(c.User)
	switch {
	case c.User == "" && c.Count < 1:
		return errors.New("--count: want at least 1")
	case c.User != "" && (err != nil || id.IsZero()):
		return errors.New("--user: want an id of 24 hexadecimal digits")
	}
	keys, err := c.Parse()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, storeLimit)
	defer cancel()
	st, err := openIdentity(ctx, c, log)
	if err != nil {
		return err
	}
	who := identity.Person{ID: id}
	switch {
	case st != nil:
		defer func() { err = errors.Join(err, st.Close()) }()
		if c.Count == 0 {
			u, err := st.User(ctx, id)
			if err != nil && (keys.Empty() || !errors.Is(err, store.ErrUserNotFound)) {
				return err
			}
			who.PasswordVersion = u.PasswordVersion
		}
		if keys.Empty() {
			if keys, err = identity.SharedKeys(ctx, st); err != nil {
				return err
			}
		}
	case keys.Empty():
		return fmt.Errorf("there is no key: no data in %s, no --mongodb-uri and no EVENTIO_AUTH_KEYS", c.Data)
	}
	if c.Count > 0 {
		return printTokens(env.Stdout, keys, c.Count, c.Lifetime)
	}
	token, _, err := keys.Mint(who, time.Now(), c.Lifetime)
	if err != nil {
		return err
	}
	fmt.Fprintln(env.Stdout, token)
	return nil
}

// printTokens makes users up, who cost no password each.
func printTokens(to io.Writer, keys identity.Keys, count int, lifetime time.Duration) error {
	out := bufio.NewWriter(to)
	now := time.Now()
	for range count {
		id := store.NewID()
		token, _, err := keys.Mint(identity.Person{ID: id}, now, lifetime)
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "{\"user_id\":%q,\"token\":%q}\n", id.Hex(), token)
	}
	if err := out.Flush(); err != nil { // a file cut short would look whole
		return fmt.Errorf("print the tokens: %w", err)
	}
	return nil
}

// openIdentity opens the store that the flags name; nil when there is none. One that is not
// up to date is refused, not changed.
func openIdentity(ctx context.Context, c tokenConfig, log zerolog.Logger) (identityStore, error) {
	d := database{Data: c.Data, MongoDBURI: c.MongoDBURI}
	if _, err := os.Stat(d.file()); c.MongoDBURI == "" && err != nil {
		return nil, nil
	}
	if err := requireSchema(ctx, d, log); err != nil {
		return nil, err
	}
	if c.MongoDBURI != "" {
		return mongostore.Open(ctx, c.MongoDBURI, log)
	}
	return sqlitestore.Open(ctx, d.file())
}
