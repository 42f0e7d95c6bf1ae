package importer

import (
	"context"
	"fmt"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/eventio/eventio/pkg/store/imports"

	"github.com/eventio/eventio/api/input"
	"github.com/eventio/eventio/internal/original"
	"github.com/eventio/eventio/internal/passwords"
	"github.com/eventio/eventio/internal/text"
	"github.com/eventio/eventio/pkg/store"
)

// userBatch is how many users are hashed and stored at once: about two seconds of a core.
const userBatch = 100

func (i *importer) importUsers(ctx context.Context) error {
	var batch []original.User
	for u, err := range i.from.Users(ctx) {
		if err != nil {
			return err
		}
		if !u.HasID {
			i.leaveOut("user %s (%q, %q): its _id is not an ObjectID", u.Key, u.Name, u.Email)
			i.progress.Add(1)
			continue
		}
		if batch = append(batch, u); len(batch) == userBatch {
			if err := i.importUserBatch(ctx, batch); err != nil {
				return err
			}
			batch = batch[:0]
		}
	}
	return i.importUserBatch(ctx, batch)
}

// importedUser is a user on the way from the original into the store.
type importedUser struct {
	store.User
	password string // to be hashed; none for a user whose PasswordHash is settled
	address  string // in the original
	notes    []string
}

func (n *importedUser) note(format string, args ...any) {
	n.notes = append(n.notes, fmt.Sprintf(format, args...))
}

func (i *importer) importUserBatch(ctx context.Context, batch []original.User) error {
	ids := make([]store.ID, len(batch))
	for k, u := range batch {
		ids[k] = u.ID
	}
	known, err := i.into.KnownUsers(ctx, ids)
	if err != nil {
		return err
	}
	var people []*importedUser
	first := make(map[string]bool) // addresses in this batch
	for _, u := range batch {
		if known[u.ID] {
			i.knownUsers++
			i.notes("user "+u.Key, u.Odd)
			i.progress.Add(1)
			continue
		}
		n := importedUserOf(u)
		if i.proven && sameMailbox(n.Email, u.Email) {
			n.EmailProvenAt = i.started.UTC().Truncate(time.Millisecond)
		}
		if key := store.EmailKey(n.Email); first[key] {
			n.duplicate()
		} else {
			first[key] = true
		}
		people = append(people, n)
	}
	if err := i.hash(ctx, people); err != nil {
		return err
	}
	// Whoever's address is taken is stored in the second round, under another one.
	for len(people) > 0 {
		if people, err = i.storeUsers(ctx, people); err != nil {
			return err
		}
	}
	return nil
}

// storeUsers stores people and returns those whose address was taken, with another one.
func (i *importer) storeUsers(ctx context.Context, people []*importedUser) (again []*importedUser, err error) {
	users := make([]store.User, len(people))
	for k, n := range people {
		users[k] = n.User
	}
	outcomes, err := i.into.ImportUsers(ctx, users)
	if err != nil {
		return nil, err
	}
	for k, n := range people {
		switch outcomes[k] {
		case imports.AddressInUse:
			if strings.HasSuffix(n.Email, duplicateDomain) {
				return nil, fmt.Errorf("user %s: the address %s is taken too", n.ID.Hex(), n.Email)
			}
			n.duplicate()
			again = append(again, n)
		case imports.AlreadyThere:
			i.knownUsers++
		default:
			i.users++
			i.notes("user "+n.ID.Hex(), n.notes)
		}
	}
	return again, nil
}

// Domains that nobody can ever own (RFC 2606, section 2): no mail and no log-in link can
// reach a stranger.
const (
	duplicateDomain = "@duplicate.invalid"
	missingDomain   = "@missing.invalid"
)

// duplicate gives the user an address of their own: the one they had belongs to another
// user, who has it from now on alone.
func (n *importedUser) duplicate() {
	n.Email, n.EmailProvenAt = n.ID.Hex()+duplicateDomain, time.Time{}
	n.note("the address %q belongs to another user, who keeps it; this one gets %s and cannot log in with the old one", n.address, n.Email)
}

// sameMailbox reports whether mail to an address that is stored goes where it went in the original: to what
// stood before the @, in whichever form the domain is.
func sameMailbox(stored, typed string) bool {
	was, _, _ := strings.Cut(strings.TrimSpace(typed), "@")
	is, _, _ := strings.Cut(stored, "@")
	return is == was
}

// normal returns the normal form of a text, or the text as it is when it has none, and notes what others
// would wonder about.
func normal(value, what string, form func(string, int) (string, error), maxChars int, note func(string, ...any)) string {
	if value == "" {
		return value
	}
	stored, err := form(value, maxChars)
	if err != nil {
		note("%s %v; it stays as it is until somebody edits it", what, err)
		return value
	}
	if stored != strings.TrimSpace(value) {
		note("%s is stored in its normal form, %q", what, stored)
	}
	return stored
}

func importedUserOf(u original.User) *importedUser {
	n := &importedUser{
		User:    store.User{ID: u.ID, Name: u.Name, Email: strings.TrimSpace(u.Email), CreatedAt: u.CreatedAt},
		address: u.Email, notes: u.Odd,
	}
	switch {
	case n.Email == "":
		n.Email = u.ID.Hex() + missingDomain
		n.note("has no address and gets %s", n.Email)
	case strings.Count(n.Email, "@") != 1 || len(n.Email) > input.MaxEmail || strings.ContainsAny(n.Email, " \t\r\n"):
		n.note("the address %q is not one that log-in takes", n.Email)
	default:
		address, _, err := text.Address(n.Email)
		if err != nil {
			n.note("the address %+q %v; it stays, and they log in with it as it is", n.Email, err)
			break
		}
		if !strings.EqualFold(address, n.Email) {
			n.note("the address %+q is stored in its normal form, %q", n.Email, address)
		}
		n.Email = address
	}
	n.Name = normal(u.Name, "the name", text.Line, input.MaxName, n.note)
	switch p := u.Password; {
	case strings.TrimSpace(p) == "":
		n.note("has no password and cannot log in until one is set")
	case passwords.IsHash(p), passwords.IsForeign(p):
		n.PasswordHash = p
	case foreignHash.MatchString(p):
		n.note("the password is a hash of a kind that cannot be checked here, or that costs too much; they cannot log in until one is set")
	default:
		if len(p) > passwords.MaxBytes || strings.ContainsRune(p, 0) {
			n.note("the password is not one that log-in takes: more than %d bytes, or null bytes", passwords.MaxBytes)
		}
		n.password = p
	}
	return n
}

// foreignHash matches the stored forms of bcrypt, of the other argon2, scrypt and PBKDF2,
// of crypt(3), and those of Werkzeug and Django. To hash such a text as if somebody had typed it would help nobody.
var foreignHash = regexp.MustCompile(`^\$(2[abxy]?\$\d\d\$[./A-Za-z0-9]{53}|argon2[a-z]*\$.+\$.+|s0\$.+\$.+|scrypt\$.+\$.+|pbkdf2[-a-z0-9]*\$.+\$.+|(1|5|6|y|7)\$.+\$.+)$|^(scrypt:\d+:\d+:\d+|pbkdf2:[a-z0-9]+(:\d+)?|scrypt|(pbkdf2|bcrypt)_[a-z0-9]+|argon2)\$.+\$.+$`)

// hash hashes the passwords, as many at once as there are cores.
func (i *importer) hash(ctx context.Context, people []*importedUser) error {
	work := make(chan *importedUser)
	errs := make(chan error, len(people))
	var cores sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		cores.Go(func() {
			for n := range work {
				var err error
				if n.password != "" && ctx.Err() == nil {
					n.PasswordHash, err = passwords.Hash(n.password)
				}
				errs <- err
				i.progress.Add(1)
			}
		})
	}
	for _, n := range people {
		work <- n
	}
	close(work)
	cores.Wait()
	close(errs)
	for err := range errs {
		if err != nil {
			return fmt.Errorf("hash a password: %w", err)
		}
	}
	return ctx.Err()
}
