package web

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"path"
	"regexp"
	"strings"
	"time"
)

//go:embed pages assets text
var embedded embed.FS

// smallBody is up to how many bytes compression does not pay.
const smallBody = 1 << 10

// file is one thing to serve, complete and immutable.
type file struct {
	plain, gzipped []byte // gzipped is nil where it would not be smaller
	contentType    string
	etag           string
	forever        bool // its path says what is in it
}

func newFile(body []byte, contentType string) file {
	f := file{plain: body, contentType: contentType, etag: tagOf(body)}
	if packed := compress(body); len(packed) < len(body) {
		f.gzipped = packed
	}
	return f
}

func tagOf(body []byte) string {
	sum := sha256.Sum256(body)
	return `"` + base64.RawURLEncoding.EncodeToString(sum[:16]) + `"`
}

// compress makes a file as small as it gets; that is done once.
func compress(body []byte) []byte {
	packer, _ := gzip.NewWriterLevel(nil, gzip.BestCompression) // a level that there is
	return packed(packer, body)
}

func packed(packer *gzip.Writer, body []byte) []byte {
	var out bytes.Buffer
	packer.Reset(&out)
	_, _ = packer.Write(body) // memory takes everything
	_ = packer.Close()
	return out.Bytes()
}

// compressPage does it for a page that is made for one request: fast, with a packer that was used
// before, since a new one takes 800 KB of memory.
func (s *site) compressPage(body []byte) []byte {
	packer, ok := s.packers.Get().(*gzip.Writer)
	if !ok {
		packer = gzip.NewWriter(nil)
	}
	defer s.packers.Put(packer)
	return packed(packer, body)
}

// acceptsGzip reports whether a client takes gzip. Browsers name it without a weight, and who
// weighs it gets the plain body.
func acceptsGzip(r *http.Request) bool {
	for part := range strings.SplitSeq(r.Header.Get("Accept-Encoding"), ",") {
		if strings.EqualFold(strings.TrimSpace(part), "gzip") {
			return true
		}
	}
	return false
}

func (f file) serve(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Type", f.contentType)
	h.Set("Cache-Control", "no-cache")
	if f.forever {
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	body, tag := f.plain, f.etag
	if f.gzipped != nil {
		h.Add("Vary", "Accept-Encoding")
		if acceptsGzip(r) && r.Header.Get("Range") == "" {
			h.Set("Content-Encoding", "gzip")
			body, tag = f.gzipped, "W/"+tag
		}
	}
	h.Set("ETag", tag)
	// No modification time: the ETag alone decides, it survives a rebuild.
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(body))
}

const (
	stylePath = "style.css" // key of the style sheet among named assets
	iconFile  = "assets/favicon.svg"
)

// loadFiles makes the table of everything that is the same for everybody, by path. What it reads
// is part of the binary, so it fails in every run or in none: it panics.
func loadFiles(languages map[string]texts) map[string]file {
	table := map[string]file{
		"/robots.txt":  newFile([]byte(robots), textType),
		"/favicon.ico": newFile(asset(iconFile), "image/svg+xml"), // asked for by name, told by type
		"/favicon.svg": newFile(asset(iconFile), "image/svg+xml"),
	}
	add := func(name string, body []byte, contentType string) {
		f := newFile(body, contentType)
		f.forever = true
		table[hashedPath(name, body)] = f
	}
	add(stylePath, styleSheet(), "text/css; charset=utf-8")
	for language, t := range languages {
		add(scriptName(language), script(t), "text/javascript; charset=utf-8")
	}
	return table
}

func scriptName(language string) string { return "app-" + language + ".js" }

// hashedPath is the path of an asset: its name with a hash of its content.
func hashedPath(name string, body []byte) string {
	sum := sha256.Sum256(body)
	ending := path.Ext(name)
	return fmt.Sprintf("/assets/%s.%x%s", strings.TrimSuffix(name, ending), sum[:8], ending)
}

func asset(name string) []byte {
	body, err := embedded.ReadFile(name)
	if err != nil {
		panic("web: " + err.Error())
	}
	return body
}

var (
	cssComment = regexp.MustCompile(`(?s)/\*.*?\*/`)
	leadBlanks = regexp.MustCompile(`(?m)^[ \t]+|\n[ \t]*(?:\n[ \t]*)*$`)
	emptyLines = regexp.MustCompile(`\n{2,}`)
)

// styleSheet joins the style sheets, without comments and indentation.
func styleSheet() []byte {
	var all []byte
	for _, name := range []string{"base", "parts", "event", "forms", "modes"} {
		all = append(all, asset("assets/"+name+".css")...)
	}
	all = cssComment.ReplaceAll(all, nil)
	all = leadBlanks.ReplaceAll(all, nil)
	return emptyLines.ReplaceAll(all, []byte("\n"))
}

// script is what all pages in a language run: the sentences and the modules.
func script(t texts) []byte {
	sentences, err := json.Marshal(t.forScripts())
	if err != nil {
		panic("web: " + err.Error())
	}
	modules, err := bundle("main.js", func(name string) string { return string(asset("assets/" + name)) })
	if err != nil {
		panic("web: " + err.Error())
	}
	return []byte("const sentences = " + string(sentences) + ";\n" + modules)
}
