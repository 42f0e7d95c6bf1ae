package serve

import (
	"bytes"
	"encoding/csv"
	"mime"
	"strconv"
	"strings"

	"github.com/eventio/eventio/api/describe"
	"github.com/eventio/eventio/api/input"
	"github.com/eventio/eventio/api/wire"
)

// CSVOptions are the ways in which spreadsheets differ.
type CSVOptions struct {
	mark      bool // begin with a byte order mark
	Separator rune
}

// CSVOptionsOf reads whether CSV is asked for, and of which kind; nil: JSON is.
func CSVOptionsOf(f *input.Fields, r *Request) *CSVOptions {
	q := input.Query(r.URL)
	asked := PrefersCSV(r.Header.Values("Accept"))
	if q.Has("format") {
		f.OneOf("format", q.Get("format"), wire.FormatJSON, wire.FormatCSV)
		asked = q.Get("format") == wire.FormatCSV
	}
	options := &CSVOptions{Separator: ','}
	for _, name := range []string{"bom", "separator"} {
		if q.Has(name) && !asked {
			f.Add(name, "must be left out without format=csv")
		}
	}
	options.mark = f.Bool("bom", q)
	if q.Has("separator") {
		f.OneOf("separator", q.Get("separator"), wire.SeparatorComma, wire.SeparatorSemicolon)
		if q.Get("separator") == wire.SeparatorSemicolon {
			options.Separator = ';'
		}
	}
	if !asked {
		return nil
	}
	return options
}

// PrefersCSV reports whether a client wants text/csv rather than JSON, which it gets when both weigh
// the same.
func PrefersCSV(accept []string) bool {
	var csvWeight, jsonWeight float64
	for _, line := range accept {
		for part := range strings.SplitSeq(line, ",") {
			media, parameters, err := mime.ParseMediaType(part)
			if err != nil {
				continue
			}
			weight := 1.0
			if q, err := strconv.ParseFloat(parameters["q"], 64); err == nil {
				weight = q
			}
			switch media {
			case "text/csv":
				csvWeight = max(csvWeight, weight)
			case "application/json", "application/*", "*/*":
				jsonWeight = max(jsonWeight, weight)
			}
		}
	}
	return csvWeight > jsonWeight
}

// byteOrderMark is U+FEFF.
const byteOrderMark = "\ufeff"

// Format makes CSV of a list (RFC 4180), with a first line of names.
func (o CSVOptions) Format(names []string, cells func(any) []string) ListFormat {
	var buf bytes.Buffer
	rows := csv.NewWriter(&buf)
	rows.UseCRLF, rows.Comma = true, o.Separator
	line := func(fields []string) ([]byte, error) {
		buf.Reset()
		if err := rows.Write(fields); err != nil {
			return nil, err
		}
		rows.Flush()
		return buf.Bytes(), rows.Error()
	}
	begin, _ := line(names) // memory takes everything
	format := ListFormat{media: describe.CSVMedia, begin: string(begin), item: func(item any) ([]byte, error) {
		return line(cells(item))
	}}
	if o.mark {
		format.begin = byteOrderMark + format.begin
	}
	return format
}

// Defused makes sure that no spreadsheet takes a text for a formula: it puts an apostrophe before one
// that begins as formulas do, after blanks and invisible characters (OWASP, "CSV Injection"; the wide
// forms are what Excel takes for the same in Japanese). People choose their names and addresses
// themselves, and organizers open the file.
func Defused(text string) string {
	shown := strings.TrimLeftFunc(text, func(r rune) bool {
		return r <= ' ' || r == '\u00a0' || r == '\u3000' || r == '\ufeff' || r >= '\u200b' && r <= '\u200f'
	})
	switch {
	case shown != "" && strings.ContainsRune("=+-@|%＝＋－＠", []rune(shown)[0]), strings.HasPrefix(text, "\t"), strings.HasPrefix(text, "\r"):
		return "'" + text
	}
	return text
}
