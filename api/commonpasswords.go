package api

import (
	_ "embed"
	"fmt"
	"strings"
	"unicode/utf8"
)

// commonPasswords has one password a line, in lower case: common_passwords.LICENSE says
// where they come from.
//
//go:embed common_passwords.txt
var commonPasswords string

// passwordPolicy says which new passwords are refused. Old ones are never asked for it.
type passwordPolicy struct {
	common map[string]struct{} // nil: common ones are taken
}

// newPasswordPolicy refuses common passwords where passwords protect something: in trusted
// mode whoever can send a request may act as anybody, and the original's clients send what
// they always sent.
func newPasswordPolicy(mode Mode) passwordPolicy {
	if mode == Trusted {
		return passwordPolicy{}
	}
	p := passwordPolicy{common: make(map[string]struct{}, 3000)}
	for line := range strings.Lines(commonPasswords) {
		p.common[strings.TrimSuffix(line, "\n")] = struct{}{}
	}
	return p
}

// newPassword checks a password that somebody wants to have from now on, and leaves it
// exactly as typed.
func (p passwordPolicy) newPassword(f *fields, field, value, email string) string {
	before := len(f.errs)
	value = f.password(field, value)
	lower := strings.ToLower(value)
	_, common := p.common[lower]
	switch {
	case len(f.errs) > before:
	case utf8.RuneCountInString(value) < MinPassword:
		f.add(field, fmt.Sprintf("must have at least %d characters", MinPassword))
	case common:
		f.add(field, "is one of the most common passwords, which are tried first; choose another")
	case p.common != nil && lower == strings.ToLower(strings.TrimSpace(email)):
		f.add(field, "must not be the e-mail address")
	}
	return value
}
