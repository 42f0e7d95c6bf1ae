package web

import (
	"encoding/json"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// document is what of docs/openapi.json counts here.
type document struct {
	Paths map[string]map[string]struct {
		Responses map[string]struct{ Description string }
	}
	Components struct {
		Schemas map[string]struct {
			Properties map[string]struct{ Enum []string }
		}
	}
}

func openAPI(t testing.TB) (d document) {
	t.Helper()
	data, err := os.ReadFile("../docs/openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &d); err != nil {
		t.Fatal(err)
	}
	return d
}

// problemCodes are all codes that the API may answer, as its description lists them.
func problemCodes(t testing.TB) []string {
	t.Helper()
	codes := make(map[string]bool)
	named := regexp.MustCompile("`([a-z_]+)`: ")
	for _, methods := range openAPI(t).Paths {
		for _, operation := range methods {
			for _, response := range operation.Responses {
				for _, match := range named.FindAllStringSubmatch(response.Description, -1) {
					codes[match[1]] = true
				}
			}
		}
	}
	if len(codes) < 25 {
		t.Fatalf("only %d codes in docs/openapi.json", len(codes))
	}
	return slices.Sorted(maps.Keys(codes))
}

// TestEveryAnswerHasItsSentence: what the API says in words is for programmers. For each of its
// codes and states the pages have sentences of their own, in each language.
func TestEveryAnswerHasItsSentence(t *testing.T) {
	states := openAPI(t).Components.Schemas["Event"].Properties["registration_state"].Enum
	if len(states) != 7 {
		t.Fatalf("states of registration in docs/openapi.json: %q", states)
	}
	form := string(asset("pages/form.html"))
	for language, texts := range served.texts {
		need := func(key string) {
			t.Helper()
			if s := texts.sentences[key]; s.other == "" || s.one == "" {
				t.Errorf("%s: no sentence %s", language, key)
			}
		}
		// Beside the API's own: nothing was sent, and nothing came back; and two that any route may answer.
		for _, code := range append(problemCodes(t), "offline", "no_answer", "not_found", "method_not_allowed") {
			need("problem." + code + ".title")
			need("problem." + code + ".text")
		}
		for _, state := range states {
			need("manage.is_" + state)
			if state != "open" && state != "opens_soon" { // these have a button and a clock
				need("badge." + state)
				need("state." + state)
			}
		}
		asked := 0
		for field := range openAPI(t).Components.Schemas["NewEvent"].Properties {
			if strings.Contains(form, ` name="`+field+`"`) && field != "waitlist" && field != "requires_proven_email" { // with which nothing can be wrong
				asked++
				need("wrong." + field)
			}
		}
		if asked < 9 {
			t.Errorf("pages/form.html asks for %d fields only", asked)
		}
	}
}

func TestLanguagesSayTheSame(t *testing.T) {
	named := regexp.MustCompile(`\{\w+\}`)
	names := func(text string) []string {
		found := named.FindAllString(text, -1)
		slices.Sort(found)
		return slices.Compact(found)
	}
	first := served.texts[languages[0]].sentences
	for _, language := range languages[1:] {
		other := served.texts[language].sentences
		for key, s := range first {
			o, ok := other[key]
			if !ok {
				t.Errorf("%s has no %s", language, key)
				continue
			}
			if !slices.Equal(names(s.other), names(o.other)) {
				t.Errorf("%s of %s has other {names}: %q", key, language, o.other)
			}
		}
		for key := range other {
			if _, ok := first[key]; !ok {
				t.Errorf("%s has %s too much", language, key)
			}
		}
	}
}

// TestSentencesAreUsed: each sentence that is asked for by its whole key is there, and no sentence
// is left over.
func TestSentencesAreUsed(t *testing.T) {
	var sources strings.Builder
	for _, pattern := range []string{"assets/*.js", "pages/*.html"} {
		names, err := fs.Glob(embedded, pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			sources.Write(asset(name))
		}
	}
	for _, name := range []string{"page.go", "event.go", "text.go"} {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		sources.Write(data)
	}
	all := sources.String()
	made := regexp.MustCompile(`^(problem|register|leave|login|signup|password|edit|create|read|mail|keys)\.\w+\.(title|text)$|^(badge|state|wrong|month|weekday)\.|^manage\.is_|^guests\.(is|none)_|^list\.none_|^page\.\w+_title$`)
	for key := range served.texts["en"].sentences {
		if !made.MatchString(key) && !strings.Contains(all, `'`+key+`'`) && !strings.Contains(all, `"`+key+`"`) {
			t.Errorf("nothing says %s", key)
		}
	}
	for _, match := range regexp.MustCompile(`\bt\('([a-z_.]+)'|\bt "([a-z_.]+)"|say\("([a-z_.]+[a-z_])"`).FindAllStringSubmatch(all, -1) {
		key := match[1] + match[2] + match[3]
		if _, ok := served.texts["en"].sentences[key]; !ok {
			t.Errorf("there is no sentence %s", key)
		}
	}
}

func TestLanguageOfAVisitor(t *testing.T) {
	for name, test := range map[string]struct {
		target, accept, cookie, want string
	}{
		"no wish":                       {"/login", "", "", "en"},
		"German":                        {"/login", "de", "", "de"},
		"of Austria":                    {"/login", "de-AT,en;q=0.5", "", "de"},
		"English before German":         {"/login", "en-US,en;q=0.9,de;q=0.8", "", "en"},
		"German before English":         {"/login", "fr,de;q=0.9,en;q=0.8", "", "de"},
		"neither":                       {"/login", "fr,ja", "", "en"},
		"nonsense":                      {"/login", ";;;=,\x00", "", "en"},
		"chosen before":                 {"/login", "en", "eventio_language=de", "de"},
		"chosen before, of no language": {"/login", "de", "eventio_language=<script>", "de"},
		"chosen now":                    {"/login?lang=de", "en", "eventio_language=en", "de"},
		"chosen now, of no language":    {"/login?lang=xx", "de", "", "de"},
	} {
		path, query, _ := strings.Cut(test.target, "?")
		answer := askQuery(t, path, query, "Accept-Language", test.accept, "Cookie", test.cookie)
		if text := body(t, answer); answer.Header.Get("Content-Language") != test.want || !strings.Contains(text, `<html lang="`+test.want+`">`) {
			t.Errorf("%s: %s, want %s", name, answer.Header.Get("Content-Language"), test.want)
		}
		if kept := answer.Header.Get("Set-Cookie") != ""; kept != (query == "lang=de") {
			t.Errorf("%s: kept is %v", name, kept)
		}
	}
}

func TestTimesInWords(t *testing.T) {
	at := func(text string) time.Time {
		moment, err := time.Parse(time.RFC3339, text)
		if err != nil {
			t.Fatal(err)
		}
		return moment
	}
	for _, test := range []struct{ language, from, to, want string }{
		{"en", "2027-05-01T18:00:00Z", "2027-05-01T20:30:00Z", "Saturday, 1 May 2027, 18:00–20:30"},
		{"de", "2027-03-07T18:00:00Z", "2027-03-07T20:30:00Z", "Sonntag, 7. März 2027, 18:00–20:30 Uhr"},
		{"en", "2027-12-31T18:00:00Z", "2028-01-01T02:00:00Z", "Friday, 31 December 2027, 18:00 – Saturday, 1 January 2028, 02:00"},
	} {
		if got, _, _ := served.texts[test.language].span(at(test.from), at(test.to)); got != test.want {
			t.Errorf("%s: %q, want %q", test.language, got, test.want)
		}
	}
	for n, want := range map[int64]string{0: "0 places left", 1: "1 place left", 1234567: "1,234,567 places left"} {
		if got := served.texts["en"].say("places.left", "n", n); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	if got := served.texts["de"].say("places.left", "n", int64(1)); got != "Noch 1 Platz frei" {
		t.Error(got)
	}
}

// TestSharedLink: a link that is shared tells what it leads to, whatever the organizer has written.
func TestSharedLink(t *testing.T) {
	text := body(t, ask(t, http.MethodGet, "/events/"+someID))
	for _, want := range []string{
		`<title>Night &lt;/script&gt;&lt;script&gt;alert(1)&lt;/script&gt; &amp;`, `property="og:title" content="Night &lt;/script&gt;`,
		`Saturday, 1 May 2027, 20:00–22:00 (Europe/Berlin) · Hall &lt;3 · 1,199 places left · A &lt;b&gt;long&lt;/b&gt; one.`,
		`<link rel="canonical" href="/events/` + someID + `">`, `<meta property="og:type" content="website">`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s", want)
		}
	}
	if strings.Count(text, "<script") != 3 || strings.Contains(text, "alert(1)</script> ") {
		t.Error("a script of the title's is in the page")
	}
	block := regexp.MustCompile(`(?s)<script type="application/ld\+json">(.*?)</script>`).FindStringSubmatch(text)
	if block == nil {
		t.Fatal("no JSON-LD")
	}
	var ld map[string]any
	if err := json.Unmarshal([]byte(block[1]), &ld); err != nil {
		t.Fatalf("%v: %s", err, block[1])
	}
	for field, want := range map[string]any{
		"@context": "https://schema.org", "@type": "Event", "name": "Night </script><script>alert(1)</script> & \u2028 \"quoted\"",
		"startDate": "2027-05-01T20:00:00+02:00", "eventStatus": "https://schema.org/EventScheduled",
		"maximumAttendeeCapacity": 1200.0, "remainingAttendeeCapacity": 1199.0,
	} {
		if ld[field] != want {
			t.Errorf("%s is %v, want %v", field, ld[field], want)
		}
	}
}

// TestStateOfAPage: what a page begins with is what the API said, to the byte.
func TestStateOfAPage(t *testing.T) {
	text := body(t, ask(t, http.MethodGet, "/events/"+someID, "Cookie", "eventio_token=x"))
	block := regexp.MustCompile(`(?s)<script type="application/json" id="state">(.*?)</script>`).FindStringSubmatch(text)
	var got struct {
		Event, User map[string]any
		Tag         string
		Asked       bool
	}
	if block == nil {
		t.Fatal("no state")
	}
	if err := json.Unmarshal([]byte(block[1]), &got); err != nil {
		t.Fatalf("%v: %s", err, block[1])
	}
	if got.Event["id"] != someID || got.User["email"] != "ada@example.org" || got.Tag != `"1.1.upcoming.open"` || !got.Asked {
		t.Errorf("%+v", got)
	}
	answer := ask(t, http.MethodGet, "/login", "Cookie", "eventio_token=x")
	if got := answer.Header.Get("Set-Cookie"); got != "eventio_token=renewed; Path=/; HttpOnly" {
		t.Errorf("the renewed cookie is not handed on: %q", got)
	}
	if !strings.Contains(text, "Ada &lt;i&gt;") {
		t.Error("the header does not name the visitor")
	}
}

// TestReadableWithoutScripts: without scripts a page still says what, when, where, and whether
// there are places.
func TestReadableWithoutScripts(t *testing.T) {
	for address, want := range map[string][]string{
		"/events/" + someID: {"Night &lt;/script&gt;", "Saturday, 1 May 2027", "20:00–22:00", "Hall &lt;3", "1,199", "Second line, with; signs"},
		"/":                 {`<li><a href="/events/` + someID + `"`, "1,199 places left"},
	} {
		text := dataBlock.ReplaceAllString(body(t, ask(t, http.MethodGet, address)), "")
		for _, each := range want {
			if !strings.Contains(text, each) {
				t.Errorf("%s does not say %q", address, each)
			}
		}
	}
}

func TestCalendar(t *testing.T) {
	answer := ask(t, http.MethodGet, "/events/"+someID+"/event.ics")
	text := body(t, answer)
	for line := range strings.SplitSeq(text, "\r\n") {
		if len(line) > 75 {
			t.Errorf("a line of %d bytes: %s", len(line), line)
		}
		if strings.ContainsAny(line, "\r\n") {
			t.Errorf("half a line end in %q", line)
		}
	}
	whole := strings.ReplaceAll(text, "\r\n ", "")
	for _, want := range []string{
		"BEGIN:VCALENDAR\r\n", "UID:" + someID + "@eventio\r\n", "DTSTART:20270501T180000Z\r\n", "DTEND:20270501T200000Z\r\n",
		`DESCRIPTION:A <b>long</b> one.\nSecond line\, with\; signs` + "\r\n", "STATUS:CONFIRMED\r\n", "LOCATION:Hall <3\r\n",
	} {
		if !strings.Contains(whole, want) {
			t.Errorf("no %q in %s", want, text)
		}
	}
	if got := answer.Header.Get("Content-Disposition"); got != `attachment; filename="event.ics"` {
		t.Error(got)
	}
	if missing := ask(t, http.MethodGet, "/events/000000000000000000000001/event.ics"); missing.StatusCode != 404 {
		t.Errorf("of no event: %d", missing.StatusCode)
	}
}

func TestBundle(t *testing.T) {
	read := func(files map[string]string) func(string) string {
		return func(name string) string { return files[name] }
	}
	got, err := bundle("a.js", read(map[string]string{
		"a.js": "// first\nimport { b } from './b.js';\nimport './c.js';\n\nexport function a() {\n  return b; // kept\n}\n",
		"b.js": "import {\n  c,\n} from './c.js';\nexport const b = c;\n",
		"c.js": "export const c = 'https://x'; // kept\n",
	}))
	if want := "const c = 'https://x'; // kept\nconst b = c;\nfunction a() {\nreturn b; // kept\n}\n"; err != nil || got != want {
		t.Errorf("%v: %q", err, got)
	}
	for name, files := range map[string]map[string]string{
		"two of one name": {"a.js": "import './b.js';\nconst x = 1;\n", "b.js": "const x = 2;\n"},
		"another import":  {"a.js": "import x from './b.js';\n"},
		"a default":       {"a.js": "export default 1;\n"},
	} {
		if _, err := bundle("a.js", read(files)); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
