package mail

import (
	"embed"
	"encoding/json"
	"fmt"
	"html/template"
	"strconv"
	"strings"
	texttemplate "text/template"
	"time"

	"github.com/eventio/eventio/internal/zone"
	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/outbox"
)

//go:embed text
var textFiles embed.FS

// Languages are those of the mails, the same as those of the pages; the first one is for whoever's
// language is not known.
func Languages() []string { return []string{"en", "de"} }

// texts are all sentences of a language, with {names} to fill in.
type texts struct {
	language        string
	Date            string              `json:"date"`
	Months          [12]string          `json:"months"`
	Weekdays        [7]string           `json:"weekdays"`
	FromTo          string              `json:"from_to"`
	OnFromTo        string              `json:"on_from_to"`
	Hello           string              `json:"hello"`
	HelloNobody     string              `json:"hello_nobody"`
	When            string              `json:"when"`
	Where           string              `json:"where"`
	Number          string              `json:"number"`
	ToEvent         string              `json:"to_event"`
	ToRegistrations string              `json:"to_registrations"`
	Why             string              `json:"why"`
	Off             string              `json:"off"`
	AskedWhy        string              `json:"asked_why"`
	Kinds           map[outbox.Kind]say `json:"kinds"`
}

// say is what the mails of a kind say.
type say struct {
	Subject string `json:"subject"`
	Lead    string `json:"lead"`
	Button  string `json:"button"`
}

// templates are what texts are put into.
type templates struct {
	html  *template.Template
	plain *texttemplate.Template
	texts map[string]texts // by language
}

// newTemplates panics when an embedded file is damaged, which a test would find.
func newTemplates() *templates {
	t := &templates{
		html:  template.Must(template.ParseFS(textFiles, "text/mail.html")),
		plain: texttemplate.Must(texttemplate.ParseFS(textFiles, "text/mail.txt")),
		texts: make(map[string]texts),
	}
	for _, l := range Languages() {
		data, err := textFiles.ReadFile("text/" + l + ".json")
		v := texts{language: l}
		if err == nil {
			err = json.Unmarshal(data, &v)
		}
		if err != nil {
			panic(fmt.Sprintf("mail: text/%s.json: %v", l, err))
		}
		t.texts[l] = v
	}
	return t
}

// in returns the texts of the first language that there is, or of the first of Languages.
func (t *templates) in(languages ...string) texts {
	for _, l := range append(languages, Languages()[0]) {
		if v, ok := t.texts[l]; ok {
			return v
		}
	}
	panic("mail: no texts") // there are those of Languages
}

// fill puts values, given as pairs of name and value, into the {names} of a text. A value is not looked
// at again, so one that has braces stays as it is.
func fill(text string, pairs ...string) string {
	for i := 0; i < len(pairs); i += 2 {
		pairs[i] = "{" + pairs[i] + "}"
	}
	return strings.NewReplacer(pairs...).Replace(text)
}

// oneLine makes a text of people fit for a line: whatever it contains, it ends no line and hides
// nothing.
func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }

func (t texts) day(at time.Time) string {
	return fill(t.Date, "weekday", t.Weekdays[at.Weekday()], "day", strconv.Itoa(at.Day()), "month", t.Months[at.Month()-1], "year", strconv.Itoa(at.Year()))
}

// span says when an event is, in its own time zone, or in UTC when it has none.
func (t texts) span(e store.Event) string {
	where, name := time.UTC, "UTC"
	if loaded, err := zone.Load(e.TimeZone); err == nil {
		where, name = loaded, e.TimeZone
	}
	from, to := e.StartsAt.In(where), e.EndsAt.In(where)
	clock := func(at time.Time) string { return at.Format("15:04") }
	if from.Format(time.DateOnly) == to.Format(time.DateOnly) {
		return fill(t.OnFromTo, "day", t.day(from), "from", clock(from), "to", clock(to), "zone", name)
	}
	return fill(t.FromTo, "from", t.day(from)+", "+clock(from), "to", t.day(to)+", "+clock(to), "zone", name)
}
