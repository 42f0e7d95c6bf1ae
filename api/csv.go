package api

import (
	"bytes"
	"encoding/csv"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/eventio/eventio/api/describe"
)

// formulaStarts has the first characters of what spreadsheets take for a formula, the wide forms of
// East Asian keyboards too, and those that hide one.
const formulaStarts = "=+-@\t\r\n＝＋－＠"

// csvList is a list in CSV: a line with the names of the columns, then one for each item.
func csvList(columns []string, cells func(any) []string) listForm {
	return listForm{
		media: describe.CSVMedia, open: csvLine(nil, columns),
		add: func(buf []byte, item any) ([]byte, error) { return csvLine(buf, cells(item)), nil },
	}
}

// csvLine adds a line. A cell that a spreadsheet would take for a formula gets an apostrophe before it:
// people choose some of the texts, and others open the file.
func csvLine(buf []byte, cells []string) []byte {
	safe := make([]string, len(cells))
	for i, cell := range cells {
		if first, _ := utf8.DecodeRuneInString(cell); strings.ContainsRune(formulaStarts, first) {
			cell = "'" + cell
		}
		safe[i] = cell
	}
	out := bytes.NewBuffer(buf)
	w := csv.NewWriter(out)
	w.UseCRLF = true
	_ = w.Write(safe) // into memory
	w.Flush()
	return out.Bytes()
}

// wantsCSV reports whether a client likes CSV better than JSON, which it has to say by the name of the
// media type (RFC 9110, section 12.5.1).
func wantsCSV(r *http.Request) bool {
	csvQuality, jsonQuality := 0.0, 0.0
	for _, line := range r.Header.Values("Accept") {
		for part := range strings.SplitSeq(line, ",") {
			media, parameters, err := mime.ParseMediaType(part)
			if err != nil {
				continue
			}
			quality := 1.0
			if q, ok := parameters["q"]; ok {
				if quality, err = strconv.ParseFloat(q, 64); err != nil {
					continue
				}
			}
			switch media {
			case "text/csv":
				csvQuality = quality
			case "application/json":
				jsonQuality = quality
			}
		}
	}
	return csvQuality > 0 && csvQuality >= jsonQuality
}
