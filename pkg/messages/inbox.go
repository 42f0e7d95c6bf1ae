package messages

import (
	"cmp"
	"crypto/rand"
	"fmt"
	"strings"

	"github.com/nats-io/nats.go"
)

const (
	// inboxPrefix is the first token of an inbox, where NATS clients take replies.
	inboxPrefix = "_INBOX"
	// maxInbox is the length of the longest inbox to which a worker replies, in bytes.
	maxInbox = 256
	// messageNameLength is the length of the name of a message, in characters of 5 random bits.
	messageNameLength = 16
)

// newInbox returns a new inbox below the inbox prefix of conn, which nobody can guess. The inboxes
// of nats.go can be guessed by who has seen another one of the same process.
func newInbox(conn *nats.Conn) string {
	return cmp.Or(conn.Opts.InboxPrefix, inboxPrefix) + "." + rand.Text()
}

// newMessageName returns a name for a message, which nobody can guess: who has learned an inbox
// cannot answer the messages that are sent from it later.
func newMessageName() string { return rand.Text()[:messageNameLength] }

// CheckInboxPrefix fails on a prefix to which workers would not reply, see IsInbox.
func CheckInboxPrefix(prefix string) error {
	if strings.Contains(prefix, ".") || !IsInbox(prefix+".a.b") {
		return fmt.Errorf("inbox prefix %q: want %s, or %s_ and letters, digits, hyphens and underscores", prefix, inboxPrefix, inboxPrefix)
	}
	return nil
}

// IsInbox reports whether a worker may reply to subject: it is the inbox of a requester, then the
// name of a message. The first token is _INBOX, or begins with _INBOX_ where the processes of a
// deployment have inbox prefixes of their own. A reply to any other subject could be a request to
// somebody else.
func IsInbox(subject string) bool {
	if len(subject) > maxInbox {
		return false
	}
	prefix, rest, _ := strings.Cut(subject, ".")
	if prefix != inboxPrefix && (!strings.HasPrefix(prefix, inboxPrefix+"_") || !validToken(prefix)) {
		return false
	}
	tokens := 0
	for token := range strings.SplitSeq(rest, ".") {
		if !validToken(token) {
			return false
		}
		tokens++
	}
	return tokens >= 2
}
