// Package user is the command eventio user, by which operators look at people, lock them, end their
// log-ins, set their passwords and erase them. It works on the database itself, while Event.io
// serves it or not: every API process finds there, within 5 s, whose tokens have ended.
package user

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/term"

	"github.com/eventio/eventio/api/input"
	"github.com/eventio/eventio/api/problem"
	"github.com/eventio/eventio/cmd/eventio/internal/listing"
	"github.com/eventio/eventio/internal/erasure"
	"github.com/eventio/eventio/internal/export"
	"github.com/eventio/eventio/internal/fairqueue"
	"github.com/eventio/eventio/internal/passwords"
	"github.com/eventio/eventio/internal/process"
	"github.com/eventio/eventio/internal/security"
	"github.com/eventio/eventio/internal/setup"
	"github.com/eventio/eventio/pkg/messages"
	"github.com/eventio/eventio/pkg/store"
)

// Who names a person.
type Who struct {
	Who string `arg:"" help:"An id of 24 hexadecimal digits, or an e-mail address."`
}

// Command has the actions of eventio user.
type Command struct {
	setup.Database
	StartTimeout time.Duration `env:"EVENTIO_START_TIMEOUT" default:"1m" help:"Longest wait for the database at the start."`
	listing.JSON

	List        struct{} `cmd:"" help:"Print all people, by e-mail address."`
	Create      creation `cmd:"" help:"Sign a person up, with a password that is read from the standard input."`
	Show        Who      `cmd:"" help:"Print one person, with their log-ins."`
	Export      Who      `cmd:"" help:"Print everything that is stored of a person but the hash of the password, one JSON object a line: what the person gets under /api/users/{user_id}/export."`
	Edit        edit     `cmd:"" help:"Change a person's name or e-mail address."`
	Lock        Who      `cmd:"" aliases:"disable" help:"End all log-ins of a person within 5 s, and let them not log in again until they are unlocked."`
	Unlock      Who      `cmd:"" aliases:"enable" help:"Let a person log in again."`
	Revoke      Who      `cmd:"" help:"End all log-ins of a person within 5 s. They can log in again."`
	Prove       Who      `cmd:"" help:"Note that a person has proven that their e-mail address is theirs, so that events which ask for it let them in."`
	Free        Who      `cmd:"" help:"Take an address that is not proven from the person who has it, so that its owner can sign up with it. Their log-ins end within 5 s."`
	Link        link     `cmd:"" help:"Have whom an issuer or a gateway names be this person within 5 s: what they do counts as theirs."`
	Unlink      link     `cmd:"" help:"Have them be a person of their own again within 5 s."`
	SetPassword Who      `cmd:"" help:"Set a person's password, which is read from the standard input, and end all their log-ins within 5 s."`
	Delete      deletion `cmd:"" aliases:"erase" help:"Erase a person: registrations for events that have not ended and their own such events are cancelled, log-ins end within 5 s, and the id means nobody any more."`
}

// edit has the flags of eventio user edit.
type edit struct {
	Who
	Name  string `help:"The new name."`
	Email string `help:"The new e-mail address."`
}

// deletion has the flags of eventio user delete.
type deletion struct {
	Who
	Yes  bool          `help:"Do not only say what would be done. It cannot be undone."`
	Wait time.Duration `default:"10s" help:"How long after the log-ins have ended to look again for what processes have still taken from the person until they knew; 5 s and the request timeout."`
}

// limit bounds an action, and longLimit an erasure, which waits for every request of its own, and the
// list of everybody.
const (
	limit     = 30 * time.Second
	longLimit = 10 * time.Minute
)

// Act does what the command line says: command is "user lock <who>", for instance. It is not called
// Run, because kong would then take user alone for a command.
func (c Command) Act(ctx context.Context, env process.Env, command string, log zerolog.Logger) (err error) {
	if c.Database, err = c.Resolve(); err != nil {
		return err
	}
	if err := process.StartTimeout(c.StartTimeout); err != nil {
		return err
	}
	if c.MongoDBURI == "" {
		if err := c.RequireFile(); err != nil {
			return err
		}
	}
	action := strings.Fields(command)[1]
	within := limit
	if action == "delete" || action == "list" {
		within = longLimit
	}
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	starting, cancelStart := context.WithTimeout(ctx, c.StartTimeout)
	defer cancelStart()
	waited := setup.Waiting(starting, log, c.Database.String())
	defer waited()
	if err := c.RequireSchema(starting, log); err != nil {
		return err
	}
	out := c.New(env.Stdout)
	if action == "list" {
		return c.list(ctx, out)
	}
	st, err := c.Open(starting, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	waited()
	now := time.Now().UTC().Truncate(time.Millisecond)
	do := actions{st, env, log, now, out}
	switch action {
	case "create":
		return do.create(ctx, c.Create)
	case "show":
		return do.show(ctx, c.Show)
	case "export":
		return do.export(ctx, c.Export)
	case "edit":
		return do.edit(ctx, c.Edit)
	case "lock":
		return do.change(ctx, c.Lock, security.AccountLocked, func(id store.ID) (store.User, error) { return st.LockUser(ctx, id, now) })
	case "unlock":
		return do.change(ctx, c.Unlock, security.AccountUnlocked, func(id store.ID) (store.User, error) { return st.UnlockUser(ctx, id) })
	case "revoke":
		return do.change(ctx, c.Revoke, security.SessionsEnded, func(id store.ID) (store.User, error) { return st.EndTokens(ctx, id, now) })
	case "prove":
		return do.prove(ctx, c.Prove)
	case "free":
		return do.free(ctx, c.Free)
	case "link":
		return do.link(ctx, c.Link)
	case "unlink":
		return do.unlink(ctx, c.Unlink)
	case "set-password":
		return do.setPassword(ctx, c.SetPassword)
	default:
		return do.erase(ctx, c.Delete)
	}
}

// person is what is printed of a user. JSON keeps control characters in names from the terminal.
type person struct {
	ID            store.ID  `json:"id"`
	Email         string    `json:"email"`
	EmailProvenAt time.Time `json:"email_proven_at,omitzero"`
	Name          string    `json:"name"`
	CreatedAt     time.Time `json:"created_at"`
	LockedAt      time.Time `json:"locked_at,omitzero"`
	Sessions      []session `json:"sessions,omitempty"`
	// Linked has the ids of whom others name, who count as this person.
	Linked []store.ID `json:"linked,omitempty"`
}

type session struct {
	ID        store.ID  `json:"id"`
	Client    string    `json:"client"`
	CreatedAt time.Time `json:"created_at"`
	ExpiresAt time.Time `json:"expires_at"`
}

func personOf(u store.User) person {
	return person{ID: u.ID, Email: u.Email, EmailProvenAt: u.EmailProvenAt, Name: u.Name, CreatedAt: u.CreatedAt, LockedAt: u.LockedAt}
}

// list prints everybody.
func (c Command) list(ctx context.Context, out *listing.Printer) (err error) {
	reader, err := c.OpenVerifyReader(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, reader.Close()) }()
	if err := out.Head("ID", "E-MAIL", "NAME", "SIGNED UP", "LOCKED"); err != nil {
		return err
	}
	for u, err := range reader.ReadUsers(ctx) {
		if err == nil {
			err = out.Row(personOf(u.User), u.ID.Hex(), u.Email, u.Name, u.CreatedAt.Format(time.DateTime), dateTime(u.LockedAt))
		}
		if err != nil {
			return errors.Join(err, out.Flush())
		}
	}
	return out.Flush()
}

// dateTime returns a time for people, or nothing when there is none.
func dateTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Format(time.DateTime)
}

// actions are what is done with one person.
type actions struct {
	st  setup.Store
	env process.Env
	log zerolog.Logger
	now time.Time
	out *listing.Printer
}

// find reads the person who is meant.
func (a actions) find(ctx context.Context, who Who) (store.User, error) {
	if strings.Contains(who.Who, "@") {
		u, err := a.st.UserByEmail(ctx, who.Who)
		if errors.Is(err, store.ErrUserNotFound) {
			err = &process.Failure{Sentence: "nobody has this e-mail address; eventio user list prints all people", Cause: err}
		}
		return u, err
	}
	id, err := store.ParseID(who.Who)
	if err != nil || id.IsZero() {
		return store.User{}, process.Usage("%s is neither an id of 24 hexadecimal digits nor an e-mail address", process.Quote(who.Who))
	}
	u, err := a.st.User(ctx, id)
	if errors.Is(err, store.ErrUserNotFound) {
		sentence := "nobody has this id; eventio user list prints all people"
		if at, err := a.st.ErasedAt(ctx, id); err == nil && !at.IsZero() {
			sentence = "the person with this id was erased at " + at.Format(time.RFC3339)
		}
		err = &process.Failure{Sentence: sentence, Cause: err}
		return store.User{ID: id}, err
	}
	return u, err
}

func (a actions) show(ctx context.Context, who Who) error {
	u, err := a.find(ctx, who)
	if err != nil {
		return err
	}
	p := personOf(u)
	if p.Linked, err = a.st.LinksOf(ctx, u.ID); err != nil {
		return err
	}
	sessions, err := a.st.UserSessions(ctx, u.ID, a.now)
	if err != nil {
		return err
	}
	for _, s := range sessions {
		if s.PasswordVersion == u.PasswordVersion {
			p.Sessions = append(p.Sessions, session{s.ID, s.Client, s.CreatedAt, s.ExpiresAt})
		}
	}
	return a.out.One(p)
}

// change makes a change and prints the person as they are then.
func (a actions) change(ctx context.Context, who Who, event security.Event, change func(store.ID) (store.User, error)) error {
	u, err := a.find(ctx, who)
	if err == nil {
		u, err = change(u.ID)
	}
	if err != nil {
		return err
	}
	a.tell(event, u.ID)
	return a.out.One(personOf(u))
}

// export prints everything that is stored of a person.
func (a actions) export(ctx context.Context, who Who) error {
	u, err := a.find(ctx, who)
	if err != nil {
		return err
	}
	a.tell(security.AccountExported, u.ID)
	for record, err := range export.Person(ctx, a.st, export.More{Mails: a.st, Keys: a.st, Links: a.st}, u.ID) {
		if err == nil {
			err = a.out.One(record)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// tell writes the message that the operator did something to a person.
func (a actions) tell(event security.Event, id store.ID) {
	security.Log(a.log, event, security.Operator(), security.About{User: id})
}

// edit changes the name and the e-mail address, under the rules of the API.
func (a actions) edit(ctx context.Context, c edit) error {
	if c.Name == "" && c.Email == "" {
		return process.Usage("--name or --email must be given")
	}
	u, err := a.find(ctx, c.Who)
	if err != nil {
		return err
	}
	before := u.Email
	var f input.Fields
	if c.Name != "" {
		u.Name = f.Line("name", c.Name, input.MaxName)
	}
	if c.Email != "" {
		u.Email = f.Email("email", c.Email)
	}
	if p, ok := errors.AsType[*problem.Problem](f.Err()); ok {
		return process.Usage("--%s %s", p.Errors[0].Field, p.Errors[0].Reason)
	}
	err = a.st.EditUser(ctx, u)
	if errors.Is(err, store.ErrEmailTaken) {
		err = &process.Failure{Sentence: "another person has the address of --email", Cause: err}
	}
	if err != nil {
		return err
	}
	if u.Email != before {
		a.tell(security.EmailChanged, u.ID)
	}
	return a.out.One(personOf(u))
}

// prove notes that the address of a person is proven.
func (a actions) prove(ctx context.Context, who Who) error {
	u, err := a.find(ctx, who)
	if err == nil {
		u, err = a.st.ProveEmail(ctx, u.ID, u.Email, a.now)
	}
	if err != nil {
		return err
	}
	a.tell(security.EmailProven, u.ID)
	return a.out.One(personOf(u))
}

// free takes the address from a person.
func (a actions) free(ctx context.Context, who Who) error {
	u, err := a.find(ctx, who)
	if err == nil {
		u, err = a.st.FreeEmail(ctx, u.Email, a.now)
	}
	if errors.Is(err, store.ErrEmailProven) {
		return &process.Failure{Sentence: "the person has proven that the address is theirs, so nobody else can have it; eventio user edit or delete changes that", Cause: err}
	}
	if err != nil {
		return err
	}
	a.tell(security.EmailFreed, u.ID)
	return a.out.One(personOf(u))
}

// setPassword reads a password and stores it.
func (a actions) setPassword(ctx context.Context, who Who) error {
	u, err := a.find(ctx, who)
	if err != nil {
		return err
	}
	after := u
	if after.PasswordHash, err = a.newPassword(ctx, u); err != nil {
		return err
	}
	after.PasswordVersion++
	after.PasswordChangedAt = a.now
	if err := a.st.SetPassword(ctx, u, after); err != nil {
		return err
	}
	a.tell(security.PasswordChanged, u.ID)
	return a.out.One(personOf(after))
}

// newPassword reads a password that a user may have, and returns its hash.
func (a actions) newPassword(ctx context.Context, u store.User) (hash string, err error) {
	password, err := a.readPassword()
	if err != nil {
		return "", err
	}
	if err := passwords.RefuseGuessable().Check(password, u.Email); err != nil {
		return "", process.Usage("the password %v", err)
	}
	return passwords.NewHasher(0, 0).Hash(ctx, fairqueue.Known(u.ID), password)
}

// maxPassword is the longest password that is read, in bytes, with its line end.
const maxPassword = 4096

// readPassword reads the first line of the standard input, without showing it on a terminal. It is
// no argument of the command, because other users of the machine can see these.
func (a actions) readPassword() (string, error) {
	if file, ok := a.env.Stdin.(*os.File); ok && term.IsTerminal(int(file.Fd())) {
		fmt.Fprint(a.env.Stderr, "New password: ")
		text, err := term.ReadPassword(int(file.Fd()))
		fmt.Fprintln(a.env.Stderr)
		return string(text), err
	}
	if a.env.Stdin == nil {
		return "", process.Usage("the new password is read from the standard input, which has none")
	}
	line, err := bufio.NewReader(io.LimitReader(a.env.Stdin, maxPassword)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	return strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r"), nil
}

// erase erases a person, or somebody who was erased and whose erasure was interrupted.
func (a actions) erase(ctx context.Context, c deletion) (err error) {
	u, err := a.find(ctx, c.Who)
	if errors.Is(err, store.ErrUserNotFound) && !u.ID.IsZero() {
		at, failed := a.st.ErasedAt(ctx, u.ID)
		if failed != nil || at.IsZero() {
			return errors.Join(err, failed)
		}
	} else if err != nil {
		return err
	}
	if !c.Yes {
		return process.Usage("erasing %s cannot be undone: registrations for events that have not ended, and their own such events, are cancelled; repeat it with --yes", u.ID.Hex())
	}
	queue, err := setup.OpenQueue(ctx, a.st, process.Quiet(a.log))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, queue.Close()) }()
	by := messages.Actor{Kind: messages.ActorOperator}
	cancelled := func(event store.ID) {
		security.Log(a.log, security.EventCancelled, security.Operator(), security.About{Event: event})
	}
	if err := erasure.Erase(ctx, a.st, queue, u.ID, by, cancelled); err != nil {
		return err
	}
	a.tell(security.AccountErased, u.ID)
	// What other processes take from the person until they know would hold a seat for nobody.
	at, err := a.st.ErasedAt(ctx, u.ID)
	if err != nil {
		return err
	}
	if left := time.Until(at.Add(c.Wait)); left > 0 {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(left):
		}
		if err := erasure.Erase(ctx, a.st, queue, u.ID, by, cancelled); err != nil {
			return err
		}
	}
	return a.out.One(struct {
		ID     store.ID `json:"id"`
		Erased bool     `json:"erased"`
	}{u.ID, true})
}
