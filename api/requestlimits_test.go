package api_test

import (
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// TestLimitsOfARequest reads the table of limits of one request in docs/operations.md, and tries each at the limit and one
// beyond it. A row that the test does not know fails.
func TestLimitsOfARequest(t *testing.T) {
	page, err := os.ReadFile("../docs/operations.md")
	must(t, err)
	_, table, _ := strings.Cut(string(page), "\n**One request** has limits")
	table, _, _ = strings.Cut(table, "\n**Quotas**")
	rows := regexp.MustCompile(`(?m)^\| (.+?) \| ([0-9]+) \| ([0-9]{3})`).FindAllStringSubmatch(table, -1)
	forEachStore(t, func(t *testing.T, e *env) {
		addr := e.serveAsTheProgramsDo(t)
		event := e.newEvent(t, 10)
		e.register(t, event, newUser()).object(t, 201, registrationFields) // so that there is news to wait for
		length := func(body string) string { return fmt.Sprintf("Connection: close\r\nContent-Length: %d\r\n", len(body)) }
		// Each asks for something that is as long or as large as it is told.
		tries := map[string]func(n int) string{
			"bytes of a body": func(n int) string { return post11(events, length(pad(eventBody(), n)), pad(eventBody(), n)) },
			"bytes of the first line and the headers": func(n int) string {
				text := "GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Filler: \r\n\r\n"
				return strings.Replace(text, "Filler: ", "Filler: "+strings.Repeat("a", n-len(text)), 1)
			},
			"bytes of an `Idempotency-Key`": func(n int) string {
				body := eventBody()
				return post11(events, "Idempotency-Key: "+strings.Repeat("k", n)+"\r\n"+length(body), body)
			},
			"`limit` of a page": func(n int) string { return get11(event + "/registrations?limit=" + strconv.Itoa(n)) },
			"seconds of `wait`": func(n int) string { return get11(fmt.Sprintf("%s/changes?after=0&wait=%ds", event, n)) },
		}
		if len(rows) != len(tries) {
			t.Errorf("the table has %d rows, the test knows %d", len(rows), len(tries))
		}
		for _, row := range rows {
			try := tries[row[1]]
			if try == nil {
				t.Errorf("nobody tries %q", row[1])
				continue
			}
			t.Run(row[1], func(t *testing.T) {
				most, _ := strconv.Atoi(row[2])
				beyond, _ := strconv.Atoi(row[3])
				for n, want := range map[int]int{most: 200, most + 1: beyond} {
					answers, _ := exchange(t, addr, try(n))
					if len(answers) != 1 || (want == 200) != (answers[0].status/100 == 2) || want != 200 && answers[0].status != want {
						t.Errorf("%d: %v, want %d", n, answers, want)
					}
				}
			})
		}
	})
}

// get11 is a request whose answer ends the connection.
func get11(path string) string {
	return "GET " + path + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
}
