// Package listing prints records for operators and for their scripts: tables on a terminal, JSON elsewhere.
package listing

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/mattn/go-isatty"
)

// JSON is the flag that asks for JSON.
type JSON struct {
	JSON bool `name:"json" help:"Print JSON, one object a line, also on a terminal. It is what comes when the output is none."`
}

// A Printer prints records. It is not safe for concurrent use.
type Printer struct {
	out   *bufio.Writer
	table *tabwriter.Writer // nil: JSON
}

// New makes a printer to out: of JSON when that is asked for, or out is no terminal.
func (j JSON) New(out io.Writer) *Printer {
	file, ok := out.(*os.File)
	return newPrinter(out, !j.JSON && ok && isatty.IsTerminal(file.Fd()))
}

func newPrinter(out io.Writer, forPeople bool) *Printer {
	p := &Printer{out: bufio.NewWriter(out)}
	if forPeople {
		p.table = tabwriter.NewWriter(p.out, 0, 0, 2, ' ', 0)
	}
	return p
}

// Head prints the names of a table's columns. JSON has none.
func (p *Printer) Head(columns ...string) error {
	if p.table == nil {
		return nil
	}
	return p.row(columns)
}

// Row prints a record of a list: v as JSON, the cells in a table. What a terminal would obey is written as in Go's string
// literals.
func (p *Printer) Row(v any, cells ...string) error {
	if p.table == nil {
		return p.line(v)
	}
	return p.row(cells)
}

// One prints a record alone and at once, for people on several lines.
func (p *Printer) One(v any) error {
	if err := p.line(v, jsontext.Multiline(p.table != nil)); err != nil {
		return err
	}
	return p.out.Flush()
}

// Flush prints what Head and Row have kept.
func (p *Printer) Flush() error {
	if p.table != nil {
		if err := p.table.Flush(); err != nil {
			return err
		}
	}
	return p.out.Flush()
}

func (p *Printer) line(v any, options ...json.Options) error {
	line, err := json.Marshal(v, options...)
	if err == nil {
		_, err = fmt.Fprintf(p.out, "%s\n", line)
	}
	return err
}

func (p *Printer) row(cells []string) error {
	safe := make([]string, len(cells))
	for i, cell := range cells {
		safe[i] = cell
		if quoted := strconv.QuoteToGraphic(cell); quoted[1:len(quoted)-1] != cell {
			safe[i] = quoted
		}
	}
	_, err := fmt.Fprintln(p.table, strings.Join(safe, "\t"))
	return err
}
