package web

import (
	"encoding/json"
	"fmt"
	"html/template"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/text/language"
)

// languages are those of the pages; the first one is for whoever wants none of them.
var languages = []string{"en", "de"}

// languageCookie keeps what a visitor has chosen, for a year.
const languageCookie = "eventio_language"

// texts are all sentences of a language: each a string, or one for each plural form.
type texts struct {
	language  string
	sentences map[string]sentence
}

// sentence is a text with {names} to fill in. Where it depends on a number, which is {n}, it has
// two forms: English and German have no others.
type sentence struct{ one, other string }

// UnmarshalJSON implements json.Unmarshaler.
func (s *sentence) UnmarshalJSON(data []byte) error {
	if err := json.Unmarshal(data, &s.other); err == nil {
		s.one = s.other
		return nil
	}
	var forms struct {
		One   string `json:"one"`
		Other string `json:"other"`
	}
	err := json.Unmarshal(data, &forms)
	s.one, s.other = forms.One, forms.Other
	return err
}

// MarshalJSON implements json.Marshaler.
func (s sentence) MarshalJSON() ([]byte, error) {
	if s.one == s.other {
		return json.Marshal(s.other)
	}
	return json.Marshal(map[string]string{"one": s.one, "other": s.other})
}

func loadTexts() map[string]texts {
	all := make(map[string]texts)
	for _, l := range languages {
		t := texts{language: l}
		if err := json.Unmarshal(asset("text/"+l+".json"), &t.sentences); err != nil {
			panic(fmt.Sprintf("web: text/%s.json: %v", l, err))
		}
		all[l] = t
	}
	return all
}

// forScripts leaves out what only pages say.
func (t texts) forScripts() map[string]sentence {
	some := make(map[string]sentence)
	for key, s := range t.sentences {
		if !strings.HasPrefix(key, "page.") && !strings.HasPrefix(key, "month.") && !strings.HasPrefix(key, "weekday.") {
			some[key] = s
		}
	}
	return some
}

// say is a sentence with its {names} filled in, from pairs of name and value. A number called n
// chooses the form. A key that there is not is a mistake of this program, which a test finds.
func (t texts) say(key string, pairs ...any) string {
	s, ok := t.sentences[key]
	if !ok {
		panic("web: no sentence " + key)
	}
	text := s.other
	var fill []string
	for i := 0; i+1 < len(pairs); i += 2 {
		value := fmt.Sprint(pairs[i+1])
		if n, ok := pairs[i+1].(int64); ok {
			value = t.number(n)
			if pairs[i] == "n" && n == 1 {
				text = s.one
			}
		}
		fill = append(fill, "{"+fmt.Sprint(pairs[i])+"}", value)
	}
	return strings.NewReplacer(fill...).Replace(text)
}

// number writes a number with its thousands apart.
func (t texts) number(n int64) string {
	digits := strconv.FormatInt(n, 10)
	var out strings.Builder
	for i, d := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 {
			out.WriteString(t.sentences["page.thousands"].other)
		}
		out.WriteRune(d)
	}
	return out.String()
}

// day writes a date; times are in the zone that they have.
func (t texts) day(at time.Time) string {
	return t.say("page.day", "weekday", t.say("weekday."+strconv.Itoa(int(at.Weekday()))), "day", at.Day(),
		"month", t.say("month."+strconv.Itoa(int(at.Month()))), "year", at.Year())
}

// month is the name of a month, short.
func (t texts) month(at time.Time) string {
	return string([]rune(t.say("month." + strconv.Itoa(int(at.Month()))))[:3])
}

// span writes from when until when something is, in one zone: all of it, and in two parts for
// two lines.
func (t texts) span(from, to time.Time) (all, first, second string) {
	clock := func(at time.Time) string { return at.Format("15:04") }
	if from.Format(time.DateOnly) == to.Format(time.DateOnly) {
		first, second = t.day(from), t.say("page.hours", "from", clock(from), "to", clock(to))
		return first + ", " + second, first, second
	}
	first, second = t.day(from)+", "+clock(from)+" –", t.day(to)+", "+clock(to)
	return first + " " + second, first, second
}

// funcs are what templates call.
func (t texts) funcs() template.FuncMap {
	return template.FuncMap{"t": t.say, "number": t.number}
}

// languageOf finds out what to speak with a visitor: what they have just chosen, what they chose
// before, what their browser asks for. A new choice is kept.
func languageOf(w http.ResponseWriter, r *http.Request) string {
	h := w.Header()
	h.Add("Vary", "Accept-Language")
	if chosen := r.URL.Query().Get("lang"); known(chosen) {
		http.SetCookie(w, &http.Cookie{ //nolint:gosec // not Secure: it is no secret, and must be sent over plain HTTP too
			Name: languageCookie, Value: chosen, Path: "/", MaxAge: 365 * 24 * 60 * 60, SameSite: http.SameSiteLaxMode, HttpOnly: true,
		})
		return chosen
	}
	if kept, err := r.Cookie(languageCookie); err == nil && known(kept.Value) {
		return kept.Value
	}
	wanted, _, err := language.ParseAcceptLanguage(r.Header.Get("Accept-Language"))
	if err != nil {
		return languages[0]
	}
	offered := make([]language.Tag, len(languages))
	for i, l := range languages {
		offered[i] = language.MustParse(l)
	}
	_, which, _ := language.NewMatcher(offered).Match(wanted...)
	return languages[which]
}

func known(l string) bool { return slices.Contains(languages, l) }
