package deploy_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestGatewaysHandOnNoIdentity: what a client says of who they are, in the headers that the guide names, no example of a gateway hands on.
func TestGatewaysHandOnNoIdentity(t *testing.T) {
	names := regexp.MustCompile(`(?m)^    EVENTIO_IDENTITY_\w*HEADER=(\S+)$`).FindAllStringSubmatch(readText(t, "docs/gateways.md"), -1)
	if len(names) != 3 {
		t.Fatalf("the guide names %q", names)
	}
	files, err := filepath.Glob(filepath.Join(root, "deploy/gateway/*/*"))
	if err != nil || len(files) < 6 {
		t.Fatalf("the examples are %v, %v", files, err)
	}
	removal := map[string]string{
		"nginx": `(?m)^ *proxy_set_header NAME "";`, "haproxy": `(?m)^ *http-request del-header NAME$`, "caddy": `(?m)^\s*header_up -NAME$`,
		"apache": `(?m)^ *RequestHeader unset NAME$`, "envoy": `(?im)^ *request_headers_to_remove: \[.*\bNAME\b.*\]`, "traefik": `(?m)^ *customRequestHeaders: .*\bNAME: ""`,
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		gateway := filepath.Base(filepath.Dir(file))
		for _, name := range names {
			if !regexp.MustCompile(strings.ReplaceAll(removal[gateway], "NAME", name[1])).Match(text) && hasRoutes(gateway, file) {
				t.Errorf("%s hands on %s", file, name[1])
			}
		}
	}
}

// hasRoutes reports whether a file of a gateway says what is handed on: Traefik's static configuration does not.
func hasRoutes(gateway, file string) bool {
	return gateway != "traefik" || filepath.Base(file) != "traefik.yaml"
}
