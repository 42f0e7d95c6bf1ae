package web

import (
	"fmt"
	"regexp"
	"strings"
)

var (
	importLine = regexp.MustCompile(`(?m)^import (?:\{[^}]*\} from )?'\./([\w-]+\.js)';\n`)
	exportWord = regexp.MustCompile(`(?m)^export `)
	jsComment  = regexp.MustCompile(`(?m)^\s*//.*\n`)
	jsIndent   = regexp.MustCompile(`(?m)^\s+`)
	topLevel   = regexp.MustCompile(`(?m)^(?:export )?(?:async )?(?:function\*?|const|let|class) (\w+|\{[^}]*\}|\[[^\]]*\])`)
)

// bundle joins a module and all that it imports into one, so that a visit asks for one script.
// Each module comes once, before those that import it; imports, exports, comments and
// indentation are left out. The modules share one scope then: a name that two of them declare is
// an error, and so is an import that is written in another form than ours.
func bundle(first string, read func(name string) string) (string, error) {
	var out strings.Builder
	seen := make(map[string]bool)
	declared := map[string]string{"sentences": "the bundle"}
	var add func(name string) error
	add = func(name string) error {
		if seen[name] {
			return nil
		}
		seen[name] = true
		text := read(name)
		for _, match := range importLine.FindAllStringSubmatch(text, -1) {
			if err := add(match[1]); err != nil {
				return err
			}
		}
		for _, match := range topLevel.FindAllStringSubmatch(text, -1) {
			if other, twice := declared[match[1]]; twice {
				return fmt.Errorf("%s and %s both declare %s", other, name, match[1])
			}
			declared[match[1]] = name
		}
		text = importLine.ReplaceAllString(text, "")
		if strings.Contains(text, "import ") || strings.Contains(text, "export default") || strings.Contains(text, "export {") {
			return fmt.Errorf("%s imports or exports in a form that cannot be joined", name)
		}
		text = jsIndent.ReplaceAllString(jsComment.ReplaceAllString(exportWord.ReplaceAllString(text, ""), ""), "")
		out.WriteString(text)
		return nil
	}
	err := add(first)
	return out.String(), err
}
