package web

import (
	"bytes"
	"encoding/json"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/eventio/eventio/api/gate"
)

// The pages: each is pages/layout.html around pages/<name>.html.
const (
	pageEvents        = "events"
	pageEvent         = "event"
	pageManage        = "manage"
	pageForm          = "form" // a new event, and the edit of one
	pageRegistrations = "registrations"
	pageLogin         = "login"
	pageSignup        = "signup"
	pageAccount       = "account"
	pageForgot        = "forgot" // asks for a link to set a new password
	pageReset         = "reset"  // where that link leads
	pageProve         = "prove"  // asks for a link to prove an address, and is where it leads
	pageMail          = "mail"   // switches mails off
	pageMissing       = "missing"
	pageCalendar      = "calendar" // no page, but a file to download
)

// fixedPages are by path, eventPages by what follows /events/{id}/.
var (
	fixedPages = map[string]string{
		"/": pageEvents, "/events/new": pageForm, "/registrations": pageRegistrations,
		"/login": pageLogin, "/signup": pageSignup, "/account": pageAccount,
		"/forgot": pageForgot, "/reset": pageReset, "/prove": pageProve, "/mail": pageMail,
	}
	eventPages = map[string]string{"": pageEvent, "manage": pageManage, "edit": pageForm, "event.ics": pageCalendar}
)

// listed is how many events the list has for who reads without scripts.
const listed = 50

// page is a page in a language, ready to be filled in.
type page struct {
	template      *template.Template
	script, style string // paths
}

func loadPages(languages map[string]texts, files map[string]file) map[string]map[string]*page {
	styled := hashedPath(stylePath, styleSheet())
	all := make(map[string]map[string]*page)
	for l, t := range languages {
		all[l] = make(map[string]*page)
		scripted := hashedPath(scriptName(l), script(t))
		for _, name := range []string{pageEvents, pageEvent, pageManage, pageForm, pageRegistrations, pageLogin, pageSignup, pageAccount, pageForgot, pageReset, pageProve, pageMail, pageMissing} {
			parsed := template.Must(template.New("layout.html").Funcs(t.funcs()).ParseFS(embedded, "pages/layout.html", "pages/parts.html", "pages/"+name+".html"))
			all[l][name] = &page{template: parsed, script: scripted, style: styled}
		}
	}
	return all
}

// visit is a request for a page.
type visit struct {
	page    string
	status  int
	eventID string // "" for pages that are not about an event
}

// view is what a page is filled in with.
type view struct {
	texts
	Language, Other string
	Page, Path      string // Path is that of the request
	Base            string // the path below which a gateway serves us, or ""
	Here            string // where to come back to after logging in
	SwitchTo        string // this page in the other language
	Script, Style   string
	Title           string
	Description     string
	User            *user
	Event           *eventView
	Missing         bool // there is no such event
	Trouble         bool // it could not be asked for
	Edit            bool // of the form: an event that is there
	List            []eventView
	State           state
}

// state is what the scripts of a page begin with: the answers of the API, as they came.
type state struct {
	Page            string          `json:"page"`
	User            json.RawMessage `json:"user,omitempty"`
	Event           json.RawMessage `json:"event,omitempty"`
	Tag             string          `json:"tag,omitempty"`
	Registration    json.RawMessage `json:"registration,omitempty"`
	RegistrationTag string          `json:"registration_tag,omitempty"`
	// Now is when the page was made, in milliseconds, on a page on which somebody waits for an opening. Others
	// are without it, so that they stay the same.
	Now int64 `json:"now,omitempty"`
	// Asked says that Registration is known: without one there is none.
	Asked bool `json:"asked,omitempty"`
	// Unsure says that the service could not tell who the visitor is.
	Unsure bool `json:"unsure,omitempty"`
}

type user struct {
	ID    string `json:"id"`
	Name  string `json:"name"`
	Email string `json:"email"`
	// ProvenAt is when they proved that the address is theirs; zero: they have not.
	ProvenAt time.Time `json:"email_proven_at"`
	// ExpiresAt is when their cookie ends; zero: it is a gateway that says who they are.
	ExpiresAt time.Time `json:"session_expires_at"`
}

// Named reports whether the visitor's name is known.
func (u user) Named() bool { return u.Name != "" && u.Name != "-" }

// Proven reports whether the visitor has proven that the address is theirs.
func (u user) Proven() bool { return !u.ProvenAt.IsZero() }

func (s *site) servePage(w http.ResponseWriter, r *http.Request, v visit) {
	l := languageOf(w, r)
	t, p := s.texts[l], s.pages[l][v.page]
	other := languages[0]
	if l == other {
		other = languages[1]
	}
	// The path of a page that there is not is a stranger's text: it could lead anywhere.
	here := &url.URL{Path: "/"}
	if v.page != pageMissing {
		here = r.URL
	}
	data := view{
		texts: t, Language: l, Other: other, Page: v.page, Path: r.URL.Path, Base: baseOf(r), Script: p.script, Style: p.style, Here: here.Path,
		SwitchTo: switchTo(here, other), Description: t.say("page.description"), Edit: v.eventID != "" && v.page == pageForm,
	}
	data.State.Page = v.page
	h := w.Header()
	h.Add("Vary", "Cookie")
	s.fillUser(w, r, &data)
	if v.eventID != "" {
		v.status = s.fillEvent(r, v, &data)
	}
	if v.page == pageEvents {
		s.fillList(r, &data)
	}
	data.Title = s.title(data)
	var out bytes.Buffer
	if err := p.template.Execute(&out, data); err != nil { // its data always fits, as a test shows
		http.Error(w, "The page could not be made.", http.StatusInternalServerError)
		return
	}
	h.Set("Content-Type", htmlType)
	h.Set("Content-Language", l)
	// A cookie, or what a proof opens, makes the page one person's own.
	cache := "no-cache"
	if data.User != nil || h.Get("Set-Cookie") != "" {
		cache = "private, no-cache"
	}
	if v.status != http.StatusOK {
		cache = "no-store"
	}
	h.Set("Cache-Control", cache)
	s.serveBody(w, r, v.status, below(data.Base, out.Bytes()))
}

func (s *site) title(v view) string {
	switch {
	case v.Missing:
		return v.say("event.missing_title")
	case v.Event != nil && v.Page == pageEvent:
		return v.Event.Title
	case v.Event != nil && v.Page == pageManage:
		return v.say("page.manage_title", "title", v.Event.Title)
	case v.Edit:
		return v.say("page.edit_title")
	}
	return v.say("page." + v.Page + "_title")
}

// fillUser finds out who the visitor is, and hands on the renewal of their cookie.
func (s *site) fillUser(w http.ResponseWriter, r *http.Request, v *view) {
	if !mayBeKnown(r) {
		return
	}
	a := s.ask(r, "/api/session")
	switch a.status {
	case http.StatusOK:
		var u user
		if json.Unmarshal(a.body, &u) != nil {
			return
		}
		v.User, v.State.User = &u, a.body
		for _, cookie := range a.header.Values("Set-Cookie") {
			w.Header().Add("Set-Cookie", cookie)
		}
	case http.StatusUnauthorized:
	default:
		// Also when there is no such user: whom a gateway or an issuer names is noted a moment after they have
		// come for the first time.
		v.State.Unsure = true
	}
}

// mayBeKnown reports whether a visitor may be somebody whom the API knows: logged in, or named by a gateway
// or the token that it adds. Which cookie says so is the API's matter.
func mayBeKnown(r *http.Request) bool {
	if gate.IsNamed(r.Context()) || r.Header.Get("Authorization") != "" {
		return true
	}
	for _, c := range r.Cookies() {
		if c.Name != languageCookie {
			return true
		}
	}
	return false
}

// fillEvent asks for an event, and for the visitor's own registration for it.
func (s *site) fillEvent(r *http.Request, v visit, data *view) (status int) {
	path := "/api/events/" + v.eventID
	a := s.ask(r, path)
	switch a.status {
	case http.StatusOK:
	case http.StatusNotFound, http.StatusBadRequest:
		data.Missing = true
		return http.StatusNotFound
	default:
		data.Trouble = true
		return http.StatusServiceUnavailable
	}
	e, err := newEventView(data.texts, a.body)
	if err != nil {
		data.Trouble = true
		return http.StatusServiceUnavailable
	}
	data.Event, data.State.Event, data.State.Tag = e, a.body, a.header.Get("ETag")
	if v.page == pageEvent {
		data.Description = e.summary(data.texts)
	}
	if data.User == nil || v.page != pageEvent {
		return http.StatusOK
	}
	if e.Registration == "opens_soon" {
		data.State.Now = time.Now().UnixMilli()
	}
	own := s.ask(r, path+"/registrations/"+data.User.ID)
	switch own.status {
	case http.StatusOK:
		data.State.Registration, data.State.RegistrationTag, data.State.Asked = own.body, own.header.Get("ETag"), true
	case http.StatusNotFound:
		data.State.Asked = true
	}
	return http.StatusOK
}

// fillList asks for the next events, for who reads without scripts, and before them for those that began
// earlier and last.
func (s *site) fillList(r *http.Request, data *view) {
	now := time.Now().UTC().Truncate(time.Minute)
	since, ends := now.Add(-24*time.Hour).Format(time.RFC3339), "&ends_after="+now.Format(time.RFC3339)
	began := s.listOf(r, data.texts, "&sort=-starts_at&to="+since+ends)
	slices.Reverse(began)
	data.List = append(began, s.listOf(r, data.texts, "&from="+since+ends)...)
}

func (s *site) listOf(r *http.Request, t texts, filters string) (list []eventView) {
	a := s.ask(r, "/api/events?limit="+strconv.Itoa(listed)+filters)
	var all []json.RawMessage
	if a.status != http.StatusOK || json.Unmarshal(a.body, &all) != nil {
		return nil
	}
	for _, raw := range all {
		if e, err := newEventView(t, raw); err == nil {
			list = append(list, *e)
		}
	}
	return list
}

// switchTo is the address of a page in another language.
func switchTo(u *url.URL, other string) string {
	q := u.Query()
	q.Set("lang", other)
	return u.Path + "?" + q.Encode()
}

// answer is what the API says.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// ask sends a GET to the API in this process, in the name of the visitor: with their proof and
// address, so that the API decides what they may see and counts it as theirs.
func (s *site) ask(r *http.Request, path string) answer {
	target, err := url.Parse(path)
	if err != nil || s.api == nil {
		return answer{status: http.StatusServiceUnavailable}
	}
	// A new request, so that nothing else of the visitor's own one counts: no body, no condition.
	inner := &http.Request{
		Method: http.MethodGet, URL: target, Proto: r.Proto, ProtoMajor: r.ProtoMajor, ProtoMinor: r.ProtoMinor,
		Header: http.Header{"Accept": {"application/json"}}, Body: http.NoBody,
		Host: r.Host, RemoteAddr: r.RemoteAddr, TLS: r.TLS, RequestURI: path,
	}
	for _, name := range []string{"Authorization", "Cookie", "Origin", "Sec-Fetch-Site", "Sec-Fetch-Mode", "Sec-Fetch-Dest", "User-Agent", "X-Request-Id"} {
		if sent := r.Header.Values(name); len(sent) > 0 {
			inner.Header[name] = sent
		}
	}
	got := &recorder{header: make(http.Header), status: http.StatusOK}
	s.api.ServeHTTP(got, inner.WithContext(r.Context()))
	return answer{got.status, got.header, got.body.Bytes()}
}

// recorder keeps an answer.
type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
}

// Header implements http.ResponseWriter.
func (r *recorder) Header() http.Header { return r.header }

// WriteHeader implements http.ResponseWriter.
func (r *recorder) WriteHeader(status int) { r.status = status }

// Write implements http.ResponseWriter.
func (r *recorder) Write(data []byte) (int, error) { return r.body.Write(data) }

// firstLine is the beginning of a text, of at most so many characters, on one line.
func firstLine(text string, most int) string {
	text = strings.Join(strings.Fields(text), " ")
	n := 0
	for i := range text {
		if n++; n > most {
			return strings.TrimRight(text[:i], " ,.;:") + "…"
		}
	}
	return text
}
