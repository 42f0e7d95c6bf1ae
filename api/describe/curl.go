package describe

import (
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/eventio/eventio/api/describe/openapi"
)

// pathParameter is an id in a path, which a command takes from the variable of that name.
var pathParameter = regexp.MustCompile(`\{(\w+)\}`)

// curl writes a command that tries an operation, with the example of its body. It takes the variables
// URL, token, and those that the path names.
func curl(place openapi.Place, op *openapi.Operation) (string, error) {
	words := []string{"curl"}
	if place.Method != "GET" {
		words = append(words, "-X", place.Method)
	}
	words = append(words, `"$URL`+pathParameter.ReplaceAllString(place.Path, "$$$1")+`"`)
	if slices.ContainsFunc(op.Security, func(way map[string][]string) bool { return len(way) > 0 }) {
		words = append(words, "-H", `"Authorization: Bearer $token"`)
	}
	for _, p := range op.Parameters {
		if p.In == "header" && p.Name == "If-Match" && p.Required {
			words = append(words, "-H", "'If-Match: *'")
		}
	}
	if op.RequestBody != nil {
		for _, media := range slices.Sorted(maps.Keys(op.RequestBody.Content)) {
			body := op.RequestBody.Content[media].Example
			if body == nil {
				continue
			}
			data, err := json.Marshal(body, json.Deterministic(true))
			if err != nil {
				return "", err
			}
			words = append(words, "-H", quoted("Content-Type: "+media), "-d", quoted(string(data)))
			break
		}
	}
	return strings.Join(words, " "), nil
}

// quoted makes one word of a text for a shell.
func quoted(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }
