// Package token is the command eventio token, which prints tokens for operators and load
// tools.
package token

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/rs/zerolog"

	"github.com/eventio/eventio/internal/identity"
	"github.com/eventio/eventio/internal/process"
	"github.com/eventio/eventio/internal/security"
	"github.com/eventio/eventio/internal/setup"
	"github.com/eventio/eventio/pkg/store"
)

// Command has the flags of eventio token.
type Command struct {
	setup.Keys
	setup.Database
	User     string        `xor:"who" required:"" placeholder:"ID" help:"Who the token speaks for: an id of 24 hexadecimal digits."`
	Count    int           `xor:"who" required:"" placeholder:"N" help:"Instead of --user, for load tools: that many users are made up, and each is a line {\"user_id\":...,\"token\":...}. They are in no store."`
	Lifetime time.Duration `default:"1h" help:"How long a token is valid, at most 24h."`
}

// maxCount is the most tokens that are printed at once: 3 GB of them.
const maxCount = 10_000_000

// storeLimit bounds the look into the store.
const storeLimit = 10 * time.Second

// Run prints one token, or many. The store knows the version of a user's password: a
// token without it has ended already if the password was ever changed. With keys among the
// flags neither a store nor the user need exist.
func (c Command) Run(ctx context.Context, env process.Env, log zerolog.Logger) error {
	id, err := store.ParseID(c.User)
	switch {
	case c.User == "" && c.Count < 1:
		return process.Positive("--count", c.Count)
	case c.Count > maxCount:
		return process.InRange("--count", c.Count, 1, maxCount)
	case c.User != "" && (err != nil || id.IsZero()):
		return process.Usage("--user: %s is not an id of 24 hexadecimal digits", process.Quote(c.User))
	}
	if c.Lifetime <= 0 || c.Lifetime > identity.MaxLifetime {
		return process.Usage("--lifetime: %v is not above 0 and at most %v", c.Lifetime, identity.MaxLifetime)
	}
	keys, err := c.Parse()
	if err != nil {
		return err
	}
	if c.Database, err = c.Resolve(); err != nil {
		return err
	}
	who := identity.Person{ID: id}
	if c.Exists() {
		keys, who, err = c.look(ctx, log, keys, id)
	} else if keys.Empty() {
		err = &process.Failure{Sentence: fmt.Sprintf("there is no key to sign with: the folder %s has no %s; choose the folder with --data, name the database with --mongodb-uri, or give the keys with --auth-keys",
			c.Data, setup.DatabaseFile)}
	}
	if err != nil {
		return err
	}
	if c.Count > 0 {
		security.Log(log, security.TokenIssued, security.Operator(), security.About{Count: c.Count})
		return c.printMany(ctx, env.Stdout, keys)
	}
	token, _, err := keys.Mint(who, time.Now(), c.Lifetime)
	if err != nil {
		return err
	}
	security.Log(log, security.TokenIssued, security.Operator(), security.About{User: id, Count: 1})
	fmt.Fprintln(env.Stdout, token)
	return nil
}

// look reads from the database what the flags leave open: the keys, if none are given, and
// the version of the user's password. It refuses a database whose schema is not up to date.
func (c Command) look(ctx context.Context, log zerolog.Logger, given identity.Keys, user store.ID) (keys identity.Keys, who identity.Person, err error) {
	keys, who = given, identity.Person{ID: user}
	ctx, cancel := context.WithTimeout(ctx, storeLimit)
	defer cancel()
	defer setup.Waiting(ctx, log, c.Database.String())()
	if err := c.RequireSchema(ctx, log); err != nil {
		return keys, who, err
	}
	st, err := c.Open(ctx, log)
	if err != nil {
		return keys, who, err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	if c.Count == 0 {
		u, err := st.User(ctx, user)
		if err != nil && (keys.Empty() || !errors.Is(err, store.ErrUserNotFound)) {
			return keys, who, err
		}
		who.PasswordVersion = u.PasswordVersion
	}
	if keys.Empty() {
		keys, err = identity.SharedKeys(ctx, st)
	}
	return keys, who, err
}

// printMany prints tokens of users that it makes up, without the cost of a password each.
func (c Command) printMany(ctx context.Context, to io.Writer, keys identity.Keys) error {
	out := bufio.NewWriter(to)
	now := time.Now()
	for range c.Count {
		if ctx.Err() != nil {
			return &process.Failure{Sentence: "interrupted: not all tokens are printed", Cause: errors.Join(ctx.Err(), out.Flush())}
		}
		id := store.NewID()
		token, _, err := keys.Mint(identity.Person{ID: id}, now, c.Lifetime)
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "{\"user_id\":%q,\"token\":%q}\n", id.Hex(), token)
	}
	if err := out.Flush(); err != nil { // a file that was cut short would look complete
		return fmt.Errorf("print the tokens: %w", err)
	}
	return nil
}
