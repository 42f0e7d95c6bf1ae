package passwords

import (
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"regexp"
	"strconv"

	"golang.org/x/crypto/bcrypt"
	"golang.org/x/crypto/scrypt"
)

// The bounds of foreign hashes. Each lets through what libraries make by default and a few times more, and keeps a hostile
// import from taking a slot for longer than a second or two.
const (
	maxBcryptCost   = 14
	maxScryptMemory = 256 << 20 // bytes: 128·N·r
	maxScryptWork   = 1 << 22   // N·r·p; OWASP's first choice is 1<<20
)

// foreignHash compares a password with a hash that another program has made. nil: the text is no such hash, or costs too
// much.
type foreignHash func(password string) bool

// IsForeign reports whether s is a hash of bcrypt or scrypt that a log-in can be checked against, at a cost that a process
// can bear. Who logs in with one gets an argon2id hash in its place.
func IsForeign(s string) bool { return parseForeign(s) != nil }

// parseForeign reads the forms in which hashes are stored.
func parseForeign(s string) foreignHash {
	if m := bcryptForm.FindStringSubmatch(s); m != nil {
		if cost, err := strconv.Atoi(m[1]); err != nil || cost < bcrypt.MinCost || cost > maxBcryptCost {
			return nil
		}
		return func(password string) bool { return bcrypt.CompareHashAndPassword([]byte(s), []byte(password)) == nil }
	}
	for _, form := range scryptForms {
		if m := form.pattern.FindStringSubmatch(s); m != nil {
			part := func(name string) string { return m[form.pattern.SubexpIndex(name)] }
			cost, err := strconv.ParseUint(part("cost"), 10, 32)
			if err != nil || form.logarithm && cost > 31 {
				return nil
			}
			if form.logarithm {
				cost = 1 << cost
			}
			salt, saltErr := form.salt(part("salt"))
			key, keyErr := form.key(part("key"))
			if saltErr != nil || keyErr != nil {
				return nil
			}
			return newScrypt(cost, part("r"), part("p"), salt, key)
		}
	}
	return nil
}

// bcryptForm has the versions of which all are one algorithm; 2x is that of a broken one.
var bcryptForm = regexp.MustCompile(`^\$2[aby]\$(\d\d)\$[./A-Za-z0-9]{53}$`)

// scryptForm is one way to write a hash of scrypt.
type scryptForm struct {
	pattern   *regexp.Regexp
	logarithm bool // the cost is the logarithm of N
	salt, key func(string) ([]byte, error)
}

func asText(s string) ([]byte, error) { return []byte(s), nil }

// scryptForms are those of PHC strings (passlib and others), of Werkzeug and of Django.
var scryptForms = [...]scryptForm{
	{regexp.MustCompile(`^\$scrypt\$ln=(?P<cost>\d+),r=(?P<r>\d+),p=(?P<p>\d+)\$(?P<salt>[A-Za-z0-9+/]+)\$(?P<key>[A-Za-z0-9+/]+)$`),
		true, base64.RawStdEncoding.DecodeString, base64.RawStdEncoding.DecodeString},
	{regexp.MustCompile(`^scrypt:(?P<cost>\d+):(?P<r>\d+):(?P<p>\d+)\$(?P<salt>[^$]+)\$(?P<key>[0-9a-f]+)$`), false, asText, hex.DecodeString},
	{regexp.MustCompile(`^scrypt\$(?P<cost>\d+)\$(?P<salt>[^$]+)\$(?P<r>\d+)\$(?P<p>\d+)\$(?P<key>[A-Za-z0-9+/]+=*)$`), false, asText, base64.StdEncoding.DecodeString},
}

// newScrypt returns the comparison with a hash of scrypt, or nil when that costs too much or cannot be.
func newScrypt(n uint64, rText, pText string, salt, key []byte) foreignHash {
	r, rErr := strconv.ParseUint(rText, 10, 16)
	p, pErr := strconv.ParseUint(pText, 10, 16)
	if rErr != nil || pErr != nil || r == 0 || p == 0 || n < 2 || n&(n-1) != 0 || n > maxScryptMemory ||
		128*n*r > maxScryptMemory || n*r*p > maxScryptWork || len(salt) < minSalt || len(key) < minKey || len(key) > maxKey {
		return nil
	}
	return func(password string) bool {
		got, err := scrypt.Key([]byte(password), salt, int(n), int(r), int(p), len(key))
		return err == nil && subtle.ConstantTimeCompare(got, key) == 1
	}
}
