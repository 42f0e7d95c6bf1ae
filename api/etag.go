package api

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/eventio/eventio/pkg/messages"
	"github.com/eventio/eventio/pkg/store"
)

// writeRead answers a read with v, or with 304 when the client has it already.
func writeRead(w http.ResponseWriter, r *http.Request, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode an answer: %w", err)
	}
	writeTagged(w, r, "application/json", body)
	return nil
}

// writeTagged sends a body with its ETag, unless it has one already. The tag is weak because
// compression may change the bytes on the way; the content that it stands for is the same.
func writeTagged(w http.ResponseWriter, r *http.Request, media string, body []byte) {
	h := w.Header()
	tag := h.Get("ETag")
	if tag == "" {
		sum := sha256.Sum256(body)
		tag = `W/"` + base64.RawURLEncoding.EncodeToString(sum[:16]) + `"`
		h.Set("ETag", tag)
	}
	if h.Get("Cache-Control") == "" {
		h.Set("Cache-Control", "no-cache") // keep it, but ask before using it
	}
	if matches(r.Header.Values("If-None-Match"), tag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h.Set("Content-Type", media)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write(body) // a client that is gone needs no answer
}

// matches is the weak comparison of RFC 9110, section 13.1.2. Our tags have no commas, so
// splitting at them is enough.
func matches(sent []string, tag string) bool {
	for _, line := range sent {
		for one := range strings.SplitSeq(line, ",") {
			one = strings.TrimSpace(one)
			if one == "*" || strings.TrimPrefix(one, "W/") == strings.TrimPrefix(tag, "W/") {
				return true
			}
		}
	}
	return false
}

// An event's tag has two parts: the organizer's version and the revision of everything. The
// whole of it tells whether the event is as it was (If-None-Match); for an edit only the
// version counts (If-Match), so that seats which are taken meanwhile do not make it fail.
func eventTag(e store.Event) string { return fmt.Sprintf(`"%d.%d"`, e.Version, e.Revision) }

// editVersion reads the version that an edit is based on, from If-Match.
func editVersion(h http.Header) (int64, error) {
	sent := h.Values("If-Match")
	if len(sent) == 0 {
		return 0, problem(CodePreconditionRequired, "Read the event and send its ETag in If-Match, so that nobody's edit is lost.")
	}
	if len(sent) == 1 && strings.TrimSpace(sent[0]) == "*" {
		return store.AnyVersion, nil
	}
	if len(sent) == 1 {
		tag := strings.TrimPrefix(strings.TrimSpace(sent[0]), "W/")
		version, _, ok := strings.Cut(strings.Trim(tag, `"`), ".")
		n, err := strconv.ParseInt(version, 10, 64)
		if ok && err == nil && n > 0 && len(tag) > 2 && tag[0] == '"' && tag[len(tag)-1] == '"' {
			return n, nil
		}
	}
	// A tag that we never gave matches no event.
	return 0, seatProblem(messages.SeatReply{Outcome: messages.OutcomeVersionMismatch}, nil)
}
