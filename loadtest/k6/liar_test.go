//go:build k6

package k6

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"
)

// answer is one on its way to k6, of the request that asked for it.
type answer struct {
	*http.Request
	status int
	header http.Header
	body   string
}

func (a *answer) asksForSeat() bool {
	return a.Method == http.MethodPost && strings.HasSuffix(a.URL.Path, "/registrations")
}

func (a *answer) isRoster() bool {
	return a.Method == http.MethodGet && strings.HasSuffix(a.URL.Path, "/registrations")
}

func (a *answer) isEvent() bool {
	return a.Method == http.MethodGet && strings.Count(a.URL.Path, "/") == 3 && strings.HasPrefix(a.URL.Path, "/api/events/")
}

// problem makes the answer a problem document.
func (a *answer) problem(status int, code string) {
	a.status, a.body = status, `{"code":"`+code+`"}`
}

// teller changes answers on their way; it is never called twice at once.
type teller func(*answer)

// liar is a server that says what an honest one says, but for what tell changes.
func liar(t *testing.T, honest string, tell teller) string {
	t.Helper()
	target, err := url.Parse(honest)
	if err != nil {
		t.Fatal(err)
	}
	var one sync.Mutex
	// Without a word that it is one: eventio believes its own machine only.
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) }}
	proxy.ModifyResponse = func(res *http.Response) error {
		body, err := io.ReadAll(res.Body)
		if err != nil {
			return err
		}
		a := answer{Request: res.Request, status: res.StatusCode, header: res.Header, body: string(body)}
		one.Lock()
		tell(&a)
		one.Unlock()
		if a.status == 0 {
			panic(http.ErrAbortHandler) // cuts the connection
		}
		res.StatusCode, res.Body, res.ContentLength = a.status, io.NopCloser(bytes.NewReader([]byte(a.body))), int64(len(a.body))
		res.Header.Del("Content-Length")
		return nil
	}
	server := httptest.NewServer(proxy)
	t.Cleanup(server.Close)
	return server.URL
}

// once tells a lie about the first answer that it fits.
func once(lie func(*answer) bool) teller {
	told := false
	return func(a *answer) {
		if !told {
			told = lie(a)
		}
	}
}

func theTruth() teller { return func(*answer) {} }

// field changes a number of every event that is read.
func field(name string, change func(float64) float64) teller {
	return func(a *answer) {
		var event map[string]any
		if a.isEvent() && json.Unmarshal([]byte(a.body), &event) == nil {
			event[name] = change(event[name].(float64))
			changed, _ := json.Marshal(event) // came from JSON
			a.body = string(changed)
		}
	}
}

func soldOffByOne() teller {
	return field("tickets_sold", func(n float64) float64 { return n - 1 })
}

func fewerPlaces() teller { return field("capacity", func(float64) float64 { return 1 }) }
func morePlaces() teller  { return field("capacity", func(n float64) float64 { return n + 1 }) }

func refusedForPromised() teller {
	return once(func(a *answer) bool {
		if !a.asksForSeat() || a.status != http.StatusConflict {
			return false
		}
		a.status, a.body = http.StatusCreated, `{}`
		return true
	})
}

func promisedForRefused() teller {
	return once(func(a *answer) bool {
		if !a.asksForSeat() || a.status != http.StatusCreated {
			return false
		}
		a.problem(http.StatusConflict, "sold_out")
		return true
	})
}

// anothersSeat puts user 31, who was refused, in the place of the last on the roster.
func anothersSeat() teller {
	return func(a *answer) {
		if a.isRoster() {
			a.body = a.body[:len(a.body)-len(`00000000"]`)] + `00000020"]`
		}
	}
}

// second changes the second on every roster, given the first.
func second(change func(first string) string) teller {
	return func(a *answer) {
		var roster []string
		if a.isRoster() && json.Unmarshal([]byte(a.body), &roster) == nil && len(roster) > 1 {
			roster[1] = change(roster[0])
			changed, _ := json.Marshal(roster) // came from JSON
			a.body = string(changed)
		}
	}
}

func twiceOnTheRoster() teller { return second(func(first string) string { return first }) }

func strangerOnTheRoster() teller {
	return second(func(string) string { return strings.Repeat("f", 24) })
}

func fault() teller {
	return once(func(a *answer) bool {
		if a.asksForSeat() {
			a.problem(http.StatusInternalServerError, "internal")
		}
		return a.asksForSeat()
	})
}

func refusedWithoutTime() teller {
	return once(func(a *answer) bool {
		if a.asksForSeat() {
			a.problem(http.StatusServiceUnavailable, "overloaded")
		}
		return a.asksForSeat()
	})
}

// ofOneKey spoils every answer to the first key that comes.
func ofOneKey(status int, code string) teller {
	key := ""
	return func(a *answer) {
		if !a.asksForSeat() {
			return
		}
		if key == "" {
			key = a.Header.Get("Idempotency-Key")
		}
		if a.Header.Get("Idempotency-Key") == key {
			a.problem(status, code)
			a.header.Set("Retry-After", "1")
		}
	}
}

func alwaysRefused() teller { return ofOneKey(http.StatusServiceUnavailable, "overloaded") }
func neverKnown() teller    { return ofOneKey(http.StatusGatewayTimeout, "unknown_outcome") }

func unreadableEvent() teller {
	return once(func(a *answer) bool {
		if a.isEvent() {
			a.body = "{"
		}
		return a.isEvent()
	})
}

func unreadableRoster() teller {
	return func(a *answer) {
		if a.isRoster() {
			a.body = "["
		}
	}
}

func cut() teller {
	return once(func(a *answer) bool {
		if a.asksForSeat() {
			a.status = 0
		}
		return a.asksForSeat()
	})
}

func freedSeatIsLost() teller {
	return func(a *answer) {
		if a.Header.Get("Idempotency-Key") == "lucky" {
			a.problem(http.StatusConflict, "sold_out")
		}
	}
}

func openTooEarly() teller {
	return once(func(a *answer) bool {
		if a.asksForSeat() {
			a.status, a.body = http.StatusCreated, `{}`
		}
		return a.asksForSeat()
	})
}

func repeatedIsRefused() teller {
	seen := make(map[string]bool)
	return func(a *answer) {
		key := a.Header.Get("Idempotency-Key")
		if a.asksForSeat() && seen[key] {
			a.problem(http.StatusBadRequest, "already_registered")
		}
		seen[key] = true
	}
}
