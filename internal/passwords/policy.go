package passwords

import (
	_ "embed"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/eventio/eventio/internal/text"
)

// MinLength is the least length of a new password, in characters.
const MinLength = 8

// commonPasswords has one password a line, in lower case: common_passwords.LICENSE says
// where the list comes from.
//
//go:embed common_passwords.txt
var commonPasswords string

// Policy decides which new passwords are refused. The zero value checks the length only. It
// is safe for concurrent use.
type Policy struct {
	common map[string]struct{} // nil: easily guessed passwords are allowed
}

// RefuseGuessable returns the policy that also refuses the most common passwords and the
// user's own e-mail address.
func RefuseGuessable() Policy {
	p := Policy{common: make(map[string]struct{}, 3000)}
	for line := range strings.Lines(commonPasswords) {
		p.common[strings.TrimSuffix(line, "\n")] = struct{}{}
	}
	return p
}

// Check returns why the user with this e-mail address cannot have a new password, in words
// that follow the name of its field, or nil. The address may be empty when it is not known.
func (p Policy) Check(password, email string) error {
	if err := Check(password); err != nil {
		return err
	}
	password, err := text.Password(password)
	if err != nil {
		return err
	}
	lower := strings.ToLower(password)
	_, common := p.common[lower]
	switch {
	case utf8.RuneCountInString(password) < MinLength:
		return fmt.Errorf("must have at least %d characters", MinLength)
	case common:
		return errors.New("is one of the most common passwords, which are tried first; choose another")
	case p.common != nil && slices.Contains(text.AddressKeys(email), lower):
		return errors.New("must not be the e-mail address")
	}
	return nil
}
