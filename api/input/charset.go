package input

import (
	"mime"
	"net/http"
	"strings"

	"github.com/eventio/eventio/api/problem"
)

// CheckCharset fails with the problem UnsupportedMediaType when a request says that its body is text
// in another encoding than UTF-8. JSON is in no other (RFC 8259, section 8.1): what was written in one
// would be stored as other letters than the sender's.
func CheckCharset(h http.Header) error {
	for _, declared := range h["Content-Type"] {
		if !strings.Contains(strings.ToLower(declared), "charset") {
			continue
		}
		_, parameters, err := mime.ParseMediaType(declared)
		switch strings.ToLower(strings.TrimSpace(parameters["charset"])) {
		case "utf-8", "utf8", "us-ascii", "ascii": // the last ones are a part of UTF-8
			if err == nil {
				continue
			}
		}
		return problem.Newf(problem.UnsupportedMediaType, "Send the body in UTF-8: Content-Type: application/json, without a charset or with charset=utf-8.")
	}
	return nil
}
