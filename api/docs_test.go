package api

import (
	"html"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/eventio/eventio/api/describe"
)

// TestTheCommandsOfTheDocs has a shell read the command of each operation: it goes to the operation's path, with
// a token where one is asked for, and its body is JSON.
func TestTheCommandsOfTheDocs(t *testing.T) {
	t.Parallel()
	routes := described((&API{}).table())
	page := string(describe.Render(routes).HTML)
	const before = `curl() { printf '%s\n' "$@"; }; URL=http://localhost:3000; id=E user_id=U webhook_id=W session_id=S key_id=K token=T; `
	variables := strings.NewReplacer("{id}", "E", "{user_id}", "U", "{webhook_id}", "W", "{session_id}", "S", "{key_id}", "K", "{token}", "T")
	commands := make(map[string]string) // by the operation's id
	for _, match := range regexp.MustCompile(`(?s)<article id="(\w+)">.*?<pre class="try">(.*?)</pre>`).FindAllStringSubmatch(page, -1) {
		commands[match[1]] = html.UnescapeString(match[2])
	}
	for _, rt := range routes {
		out, err := exec.CommandContext(t.Context(), "sh", "-euc", before+commands[rt.Operation.ID]).Output()
		words := strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
		if want := "http://localhost:3000" + variables.Replace(rt.Pattern); err != nil || !slices.Contains(words, want) {
			t.Errorf("%s: %v, %q does not go to %s", rt.Operation.ID, err, words, want)
			continue
		}
		if got := slices.Contains(words, "Authorization: Bearer T"); got != rt.NeedsToken {
			t.Errorf("%s: it sends a token: %t", rt.Operation.ID, got)
		}
		if got := slices.Contains(words, rt.Method); got != (rt.Method != "GET") {
			t.Errorf("%s: its words are %q", rt.Operation.ID, words)
		}
		if i := slices.Index(words, "-d"); i >= 0 && !jsontext.Value(words[i+1]).IsValid() {
			t.Errorf("%s: its body is %s", rt.Operation.ID, words[i+1])
		}
	}
	if want := `curl -X POST "$URL/api/login" -H 'Content-Type: application/json' -d '{"email":"ada@example.org","password":"correct horse battery"}'`; commands["login"] != want {
		t.Errorf("got %s\nwant %s", commands["login"], want)
	}
}
