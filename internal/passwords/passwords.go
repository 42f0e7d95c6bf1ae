// Package passwords says how passwords are stored: as argon2id hashes in the PHC string
// format.
package passwords

import "github.com/alexedwards/argon2id"

// Params are the argon2id parameters of new hashes: the first choice of OWASP's Password
// Storage Cheat Sheet (19 MiB, two passes, one lane).
func Params() argon2id.Params {
	return argon2id.Params{Memory: 19 << 10, Iterations: 2, Parallelism: 1, SaltLength: 16, KeyLength: 32}
}

// Hash makes the PHC string of a password. It takes 19 MiB and tens of milliseconds of a
// core: whoever calls it bounds how many run at once.
func Hash(password string) (string, error) {
	params := Params()
	return argon2id.CreateHash(password, &params)
}

// IsHash reports whether s is a hash that a log-in can be checked against.
func IsHash(s string) bool {
	_, _, _, err := argon2id.DecodeHash(s)
	return err == nil
}
