package identity

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"strings"
	"time"
)

const (
	// BrowserLifetime is how long a browser is known after a log-in from it.
	BrowserLifetime = 180 * 24 * time.Hour

	// browserUse separates the keys that sign browsers from those that sign tokens and from
	// all others that are made of the same secrets (RFC 5869, section 3.2). The number grows
	// with the form of what is signed.
	browserUse = "eventio known browser 1"
	// maxBrowser is the longest value that is looked at, in bytes: a kid of 64 and 75 more.
	maxBrowser = 160
)

// browserIDSize is the size of the random id of a browser, in bytes.
const browserIDSize = 16

// A known browser's value is kid ":" base64url(expiry, id, MAC): expiry in seconds since 1970
// as 8 bytes, then the random id, then the HMAC-SHA-256 of the person, the expiry and the id.
// It does not hold the person: whoever finds the value in a browser learns from it of nobody.
const browserSize = 8 + browserIDSize + sha256.Size

// browserMAC signs the expiry and the id of a browser of p.
func (k Keys) browserMAC(keyID string, p Person, signed []byte) []byte {
	key, err := hkdf.Key(sha256.New, k.secrets[keyID], nil, browserUse, sha256.Size)
	if err != nil { // cannot happen: HKDF makes up to 255 times as much
		panic(err)
	}
	mac := hmac.New(sha256.New, key)
	mac.Write(p.ID[:])
	mac.Write(binary.BigEndian.AppendUint64(nil, uint64(p.PasswordVersion)))
	mac.Write(signed)
	return mac.Sum(nil)
}

// mintBrowser signs that p has logged in from a browser at the time now.
func (k Keys) mintBrowser(p Person, now time.Time) (value string, expires time.Time) {
	expires = now.UTC().Truncate(time.Second).Add(BrowserLifetime)
	signed := binary.BigEndian.AppendUint64(make([]byte, 0, browserSize), uint64(expires.Unix()))
	id := make([]byte, browserIDSize)
	_, _ = rand.Read(id) // never fails
	signed = append(signed, id...)
	return k.signing + ":" + base64.RawURLEncoding.EncodeToString(append(signed, k.browserMAC(k.signing, p, signed)...)), expires
}

// verifyBrowser returns the id of a browser from which p has logged in before now.
func (k Keys) verifyBrowser(value string, p Person, now time.Time) (id string, known bool) {
	if len(value) > maxBrowser {
		return "", false
	}
	keyID, encoded, _ := strings.Cut(value, ":")
	if _, ours := k.secrets[keyID]; !ours {
		return "", false
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(encoded)
	if err != nil || len(raw) != browserSize {
		return "", false
	}
	signed, mac := raw[:8+browserIDSize], raw[8+browserIDSize:]
	if !hmac.Equal(mac, k.browserMAC(keyID, p, signed)) {
		return "", false
	}
	left := time.Unix(int64(binary.BigEndian.Uint64(signed)), 0).Sub(now)
	if left <= 0 || left > BrowserLifetime+leeway {
		return "", false
	}
	return string(signed[8:]), true
}

// SignBrowser makes the value of a long-lived cookie which proves that p has logged in from a
// browser. It is given after each log-in and change of the password, and lets nobody in: it
// says only that a password sent beside it deserves an earlier turn than a stranger's
// (OWASP's "device cookies"). It counts in all processes with the same keys, also after they
// were restarted, until it expires, its key is removed, or the password of p changes.
func (g *Guard) SignBrowser(p Person) (value string, expires time.Time) {
	return g.keys.mintBrowser(p, time.Now())
}

// KnownBrowser reports whether value proves that p, with the version of the password that is
// stored now, has logged in from the browser that sends it. The id is the browser's own: a
// random one for each value, of 16 bytes.
func (g *Guard) KnownBrowser(value string, p Person) (id string, known bool) {
	return g.keys.verifyBrowser(value, p, time.Now())
}
