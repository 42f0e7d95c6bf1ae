package problem_test

import (
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/eventio/eventio/api/problem"
)

// declared returns the codes that codes.go declares.
func declared(t *testing.T) (codes []problem.Code) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "codes.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if of, ok := spec.Type.(*ast.Ident); ok && of.Name == "Code" {
			text, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			codes = append(codes, problem.Code(text))
		}
		return true
	})
	return codes
}

// TestTheTableIsWhole: every code has one row in the table and one in docs/api.md, with the same
// status, and no other has. Each constant has a row; a code that no program names needs no constant.
func TestTheTableIsWhole(t *testing.T) {
	guide, err := os.ReadFile("../../docs/api.md")
	if err != nil {
		t.Fatal(err)
	}
	var rows, guided []string
	for code := range problem.Codes() {
		rows = append(rows, strconv.Itoa(code.Status())+" "+string(code))
		p := problem.New(code)
		if p.Title == "" || p.Detail == "" || !strings.HasSuffix(p.Detail, ".") || strings.HasSuffix(p.Title, ".") || p.Status < 400 {
			t.Errorf("%s has the status %d, the title %q and the detail %q", code, p.Status, p.Title, p.Detail)
		}
	}
	for _, m := range regexp.MustCompile("(?m)^\\| (\\d{3}) \\| `([a-z_]+)` \\|").FindAllSubmatch(guide, -1) {
		guided = append(guided, string(m[1])+" "+string(m[2]))
	}
	slices.Sort(guided)
	if slices.Sort(rows); !slices.Equal(rows, guided) {
		t.Errorf("the table has\n%v, docs/api.md\n%v", rows, guided)
	}
	for _, code := range declared(t) {
		if row := strconv.Itoa(code.Status()) + " " + string(code); !slices.Contains(rows, row) {
			t.Errorf("%s is declared and has no row", code)
		}
	}
}

func TestACodeThatIsNotInTheTableTellsNothing(t *testing.T) {
	if p := problem.New("secret"); p.Code != problem.Internal || p.Status != 500 || strings.Contains(p.Type, "secret") {
		t.Errorf("it is %+v", p)
	}
}

func TestWrite(t *testing.T) {
	cause := errors.New("the cause")
	for name, c := range map[string]struct {
		p      *problem.Problem
		header http.Header // set before
		status int
		body   string
		retry  string // "" none, "1-3" a few seconds
		other  string // WWW-Authenticate
	}{
		"the table's words": {problem.New(problem.SoldOut).Because(cause), nil, 409,
			`{"type":"urn:eventio:problem:sold_out","title":"The event is sold out","status":409,"detail":"Every seat is taken; nothing was changed.","code":"sold_out"}`, "", ""},
		"one wrong field": {problem.InvalidFields(problem.FieldError{Field: "a", Reason: "is wrong"}), nil, 400,
			`{"type":"urn:eventio:problem:invalid","title":"The request is not valid","status":400,"detail":"a is wrong.","code":"invalid","errors":[{"field":"a","reason":"is wrong"}]}`, "", ""},
		"two wrong fields": {problem.InvalidFields(problem.FieldError{Field: "a", Reason: "is wrong"}, problem.FieldError{Field: "b", Reason: "too"}), nil, 400,
			`{"type":"urn:eventio:problem:invalid","title":"The request is not valid","status":400,"detail":"Fix the fields listed in errors and send the request again.","code":"invalid",` +
				`"errors":[{"field":"a","reason":"is wrong"},{"field":"b","reason":"too"}]}`, "", ""},
		"who is not known is challenged": {problem.Newf(problem.Unauthenticated, "No %d.", 1), nil, 401,
			`{"type":"urn:eventio:problem:unauthenticated","title":"Authentication required","status":401,"detail":"No 1.","code":"unauthenticated"}`, "", `Bearer realm="eventio"`},
		"a little later":    {problem.New(problem.Overloaded), nil, 503, "", "1-3", ""},
		"not before":        {&problem.Problem{Code: problem.RegistrationNotOpen, Status: 409, RetryAfter: 1500 * time.Millisecond}, nil, 409, "", "2", ""},
		"as the limit says": {problem.New(problem.RateLimited), http.Header{"Retry-After": {"17"}}, 429, "", "17", ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := httptest.NewRecorder()
			maps.Copy(w.Header(), c.header)
			c.p.Write(w)
			h := w.Result().Header
			if w.Code != c.status || h.Get("Content-Type") != "application/problem+json" || h.Get("Cache-Control") != "no-store" ||
				h.Get("Content-Length") != strconv.Itoa(w.Body.Len()) {
				t.Errorf("%d %v", w.Code, h)
			}
			if c.body != "" && w.Body.String() != c.body+"\n" {
				t.Errorf("the body is\n%s, want\n%s", w.Body, c.body)
			}
			retry := h.Get("Retry-After")
			if c.retry == "1-3" && (len(retry) == 1 && retry >= "1" && retry <= "3") {
				retry = c.retry
			}
			if retry != c.retry || h.Get("WWW-Authenticate") != c.other {
				t.Errorf("headers are %v", h)
			}
			if strings.Contains(w.Body.String(), cause.Error()) {
				t.Error("the client is told the cause")
			}
		})
	}
	if p := problem.New(problem.SoldOut).Because(cause); !errors.Is(p, cause) || p.Error() != "sold_out: the cause" {
		t.Errorf("the error is %v", p)
	}
}

// TestProblemsAreSentAsTheyAre: what is sent is the document of the problem, and its length, whether it is as New makes it or has been given
// something of its own.
func TestProblemsAreSentAsTheyAre(t *testing.T) {
	for code := range problem.Codes() {
		for name, change := range map[string]func(*problem.Problem){
			"as it is":     func(*problem.Problem) {},
			"a type":       func(p *problem.Problem) { p.Type += "x" },
			"a title":      func(p *problem.Problem) { p.Title += "x" },
			"a status":     func(p *problem.Problem) { p.Status++ },
			"a detail":     func(p *problem.Problem) { p.Detail += "x" },
			"another code": func(p *problem.Problem) { p.Code = "unheard_of" },
			"a field":      func(p *problem.Problem) { p.Errors = []problem.FieldError{{Field: "a", Reason: "b"}} },
			"a position":   func(p *problem.Problem) { p.Position = 7 },
		} {
			p := problem.New(code)
			change(p)
			want, err := json.Marshal(p)
			if err != nil {
				t.Fatal(err)
			}
			for range 2 {
				w := httptest.NewRecorder()
				p.Write(w)
				if got := w.Body.String(); got != string(want)+"\n" || w.Code != p.Status || w.Header().Get("Content-Length") != strconv.Itoa(len(got)) {
					t.Errorf("%s, %s: %d %v %s", code, name, w.Code, w.Header(), got)
				}
			}
		}
	}
}

// BenchmarkProblem is what a sold-out answer costs.
func BenchmarkProblem(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		problem.New(problem.SoldOut).Write(httptest.NewRecorder())
	}
}
