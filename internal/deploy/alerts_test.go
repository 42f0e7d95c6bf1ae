package deploy_test

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"
)

// rule is one of deploy/prometheus/rules.yml.
type rule struct {
	Record      string            `yaml:"record"`
	Alert       string            `yaml:"alert"`
	Expr        string            `yaml:"expr"`
	For         string            `yaml:"for"`
	Labels      map[string]string `yaml:"labels"`
	Annotations map[string]string `yaml:"annotations"`
}

// readText reads a file of the repository.
func readText(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, path))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// loadRules reads all rules.
func loadRules(t *testing.T) (all []rule) {
	t.Helper()
	var file struct {
		Groups []struct {
			Rules []rule `yaml:"rules"`
		} `yaml:"groups"`
	}
	if err := yaml.Unmarshal([]byte(readText(t, "deploy/prometheus/rules.yml")), &file); err != nil {
		t.Fatal(err)
	}
	for _, g := range file.Groups {
		all = append(all, g.Rules...)
	}
	return all
}

// metricName matches the name of a metric of ours, or of one that a rule records.
var metricName = regexp.MustCompile(`\beventio[_:][a-zA-Z0-9_:]+`)

// unknownMetrics returns the metrics of an expression that no program has: docs/operations.md lists them
// all, which the test TestMetrics of e2e proves.
func unknownMetrics(t *testing.T, expr string) (unknown []string) {
	t.Helper()
	known := make(map[string]bool)
	for _, row := range regexp.MustCompile("(?m)^\\| `(eventio_[a-z_]+)`").FindAllStringSubmatch(readText(t, "docs/operations.md"), -1) {
		known[row[1]] = true
	}
	for _, r := range loadRules(t) {
		known[r.Record] = true
	}
	for _, name := range metricName.FindAllString(expr, -1) {
		base := name
		for _, suffix := range []string{"_bucket", "_sum", "_count"} {
			base = strings.TrimSuffix(base, suffix)
		}
		if !known[name] && !known[base] {
			unknown = append(unknown, name)
		}
	}
	return unknown
}

// TestAlerts: each alert is about metrics that exist, says how bad it is, and has its section in the
// runbook; and promtool's tests raise it.
func TestAlerts(t *testing.T) {
	runbook, tests := readText(t, "docs/runbook.md"), readText(t, "deploy/prometheus/rules_test.yml")
	sections := regexp.MustCompile(`(?m)^## (Eventio\w+)$`).FindAllStringSubmatch(runbook, -1)
	alerts := make(map[string]bool)
	for _, r := range loadRules(t) {
		if unknown := unknownMetrics(t, r.Expr); len(unknown) > 0 || !strings.Contains(r.Expr, "eventio") {
			t.Errorf("%s%s: no program has %q", r.Alert, r.Record, unknown)
		}
		if r.Alert == "" {
			continue
		}
		alerts[r.Alert] = true
		if severity := r.Labels["severity"]; severity != "page" && severity != "ticket" {
			t.Errorf("%s has severity %q", r.Alert, severity)
		}
		if want := "docs/runbook.md#" + strings.ToLower(r.Alert); r.Annotations["runbook"] != want || r.Annotations["summary"] == "" {
			t.Errorf("%s is told as %v, want a summary and the runbook %s", r.Alert, r.Annotations, want)
		}
		if n := len(regexp.MustCompile(`alertname: `+r.Alert+`\n\s+exp_alerts:`).FindAllString(tests, -1)); n == 0 {
			t.Errorf("no test of promtool raises %s", r.Alert)
		}
		if !strings.Contains(tests, "alertname: "+r.Alert+"}") {
			t.Errorf("no test of promtool wants that %s is not raised", r.Alert)
		}
	}
	for _, s := range sections {
		if !alerts[s[1]] {
			t.Errorf("the runbook has a section %s, which is no alert", s[1])
		}
		delete(alerts, s[1])
	}
	if len(alerts) > 0 || len(sections) < 10 {
		t.Errorf("the runbook has no section for %v", slices.Sorted(maps.Keys(alerts)))
	}
	for _, part := range []string{"**means.**", "**look at", "do.**"} {
		if n := strings.Count(strings.ToLower(runbook), part); n != len(sections) {
			t.Errorf("%d of %d sections have %s", n, len(sections), part)
		}
	}
	for _, named := range regexp.MustCompile(`\bEventio[A-Z]\w+`).FindAllString(runbook, -1) {
		if !strings.Contains(runbook, "\n## "+named+"\n") {
			t.Errorf("the runbook names %s, which is no alert", named)
		}
	}
}

// TestDashboard: Grafana's file can be read, and each of its panels shows metrics that exist.
func TestDashboard(t *testing.T) {
	var board struct {
		Title, UID string
		Panels     []struct {
			ID          int
			Type, Title string
			Targets     []struct{ Expr, LegendFormat string }
		}
	}
	if err := json.Unmarshal([]byte(readText(t, "deploy/grafana/eventio.json")), &board); err != nil {
		t.Fatal(err)
	}
	ids := make(map[int]bool)
	for _, p := range board.Panels {
		if ids[p.ID] || p.Title == "" {
			t.Errorf("panel %d %q has no title, or the id of another one", p.ID, p.Title)
		}
		ids[p.ID] = true
		if p.Type != "row" && len(p.Targets) == 0 {
			t.Errorf("%s shows nothing", p.Title)
		}
		for _, target := range p.Targets {
			if unknown := unknownMetrics(t, target.Expr); len(unknown) > 0 || target.Expr == "" || target.LegendFormat == "" {
				t.Errorf("%s: no program has %q of %q", p.Title, unknown, target.Expr)
			}
		}
	}
	if board.UID == "" || len(board.Panels) < 20 {
		t.Errorf("%d panels", len(board.Panels))
	}
}
