package testenv

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// Constants reads the source files of the package in a folder and returns the values of its
// string constants of a named type, in the order of the files. So a test of a closed set of words
// does not repeat the set. Constants fails the test when there are none.
func Constants(t testing.TB, folder, typeName string) (values []string) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(folder, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, declaration := range file.Decls {
			constants, ok := declaration.(*ast.GenDecl)
			if !ok || constants.Tok != token.CONST {
				continue
			}
			for _, spec := range constants.Specs {
				values = append(values, constantsOf(t, spec.(*ast.ValueSpec), typeName)...)
			}
		}
	}
	if len(values) == 0 {
		t.Fatalf("%s has no constants of type %s", folder, typeName)
	}
	return values
}

// constantsOf returns the values of one line of constants, when it is of the named type.
func constantsOf(t testing.TB, line *ast.ValueSpec, typeName string) (values []string) {
	t.Helper()
	if of, ok := line.Type.(*ast.Ident); !ok || of.Name != typeName {
		return nil
	}
	for _, value := range line.Values {
		literal, ok := value.(*ast.BasicLit)
		if !ok {
			t.Fatalf("%s is no literal", line.Names[0].Name)
		}
		text, err := strconv.Unquote(literal.Value)
		if err != nil {
			t.Fatal(err)
		}
		values = append(values, text)
	}
	return values
}
