package main

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
)

// mutant is one small change of one file.
type mutant struct {
	file     string // its path
	line     int
	function string // around the change, with its receiver's type; empty outside of functions
	from, to string // the source before and after
	text     []byte // the whole file, changed
}

// place names where a mutant is, without its line, which moves with every edit.
func (m mutant) place() string { return filepath.Base(m.file) + " " + m.function }

// change says what a mutant changes, in one line.
func (m mutant) change() string {
	to := m.to
	if to == "" {
		to = "nothing"
	}
	return strings.Join(strings.Fields(m.from), " ") + " -> " + strings.Join(strings.Fields(to), " ")
}

// mutants makes all mutants of a file. It fails when the file cannot be read or parsed.
//
// They are those that a missing test lets through most often: a statement that is left out, a
// condition that always or never holds, a bound that is off by one, and a sum that is a
// difference. Some do not compile, which the compiler finds out.
func mutants(path string) ([]mutant, error) {
	source, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	set := token.NewFileSet()
	parsed, err := parser.ParseFile(set, path, source, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	f := file{path: path, source: source, set: set}
	for _, d := range parsed.Decls {
		if fn, ok := d.(*ast.FuncDecl); ok && fn.Body != nil {
			f.function = named(fn)
			ast.Inspect(fn.Body, f.visit)
		}
	}
	return f.found, nil
}

// file is a file on the way through its syntax tree.
type file struct {
	path     string
	source   []byte
	set      *token.FileSet
	function string
	found    []mutant
}

func named(fn *ast.FuncDecl) string {
	if fn.Recv == nil {
		return fn.Name.Name
	}
	t := fn.Recv.List[0].Type
	if star, ok := t.(*ast.StarExpr); ok {
		t = star.X
	}
	switch generic := t.(type) {
	case *ast.IndexExpr:
		t = generic.X
	case *ast.IndexListExpr:
		t = generic.X
	}
	return fmt.Sprintf("%s.%s", t, fn.Name.Name)
}

// opposite has the operators that are exchanged.
func opposite(op token.Token) (token.Token, bool) {
	switch op {
	case token.LSS:
		return token.LEQ, true
	case token.LEQ:
		return token.LSS, true
	case token.GTR:
		return token.GEQ, true
	case token.GEQ:
		return token.GTR, true
	case token.ADD:
		return token.SUB, true
	case token.SUB:
		return token.ADD, true
	case token.MUL:
		return token.QUO, true
	case token.QUO:
		return token.MUL, true
	}
	return op, false
}

func (f *file) visit(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.ExprStmt:
		if !logs(n.X) {
			f.replace(n.Pos(), n.End(), "")
		}
	case *ast.IncDecStmt, *ast.DeferStmt, *ast.GoStmt, *ast.SendStmt, *ast.BranchStmt:
		f.replace(n.Pos(), n.End(), "")
	case *ast.AssignStmt:
		if n.Tok != token.DEFINE {
			f.replace(n.Pos(), n.End(), "")
		}
	case *ast.IfStmt:
		f.always(n.Cond)
		if n.Init != nil { // an assignment before a condition is looked at, but never left out
			ast.Inspect(n.Cond, f.visit)
			ast.Inspect(n.Body, f.visit)
			if n.Else != nil {
				ast.Inspect(n.Else, f.visit)
			}
			return false
		}
	case *ast.ForStmt:
		if n.Cond != nil {
			f.replace(n.Cond.Pos(), n.Cond.End(), "false")
			ast.Inspect(n.Cond, f.visit)
		}
		ast.Inspect(n.Body, f.visit)
		return false
	case *ast.SwitchStmt:
		if n.Tag == nil {
			for _, clause := range n.Body.List {
				for _, condition := range clause.(*ast.CaseClause).List {
					f.always(condition)
				}
			}
		}
	case *ast.BinaryExpr:
		if n.Op == token.LAND || n.Op == token.LOR {
			f.always(n.X)
			f.always(n.Y)
		} else if to, ok := opposite(n.Op); ok {
			f.change(n, n.OpPos, n.Op.String(), to.String())
		}
	}
	return true
}

// logs reports whether an expression writes a line of a log, which decides nothing.
func logs(x ast.Expr) bool {
	call, ok := x.(*ast.CallExpr)
	if !ok {
		return false
	}
	method, ok := call.Fun.(*ast.SelectorExpr)
	return ok && (method.Sel.Name == "Msg" || method.Sel.Name == "Msgf")
}

// always makes a condition hold always, and never.
func (f *file) always(condition ast.Expr) {
	f.replace(condition.Pos(), condition.End(), "true")
	f.replace(condition.Pos(), condition.End(), "false")
}

// replace puts another text in the place of a node.
func (f *file) replace(from, end token.Pos, to string) {
	begin, stop := f.set.Position(from), f.set.Position(end)
	f.add(begin, f.source[begin.Offset:stop.Offset], []byte(to), begin.Offset, stop.Offset, to)
}

// change exchanges one operator of an expression.
func (f *file) change(n ast.Node, at token.Pos, was, is string) {
	begin, stop, op := f.set.Position(n.Pos()), f.set.Position(n.End()), f.set.Position(at)
	from := f.source[begin.Offset:stop.Offset]
	i := op.Offset - begin.Offset
	to := string(from[:i]) + is + string(from[i+len(was):])
	f.add(begin, from, []byte(is), op.Offset, op.Offset+len(was), to)
}

func (f *file) add(at token.Position, from, put []byte, begin, end int, to string) {
	f.found = append(f.found, mutant{
		file: f.path, line: at.Line, function: f.function, from: string(from), to: to,
		text: bytes.Join([][]byte{f.source[:begin], put, f.source[end:]}, nil),
	})
}
