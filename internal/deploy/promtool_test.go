//go:build alerts

package deploy_test

import (
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/eventio/eventio/internal/testenv"
)

// TestPromtool runs Prometheus's own tests of the rules, and has it read both configurations.
func TestPromtool(t *testing.T) {
	found, err := testenv.Script(t.Context(), "prometheus.sh", "promtool")
	if err != nil {
		t.Fatalf("no promtool: %v", err)
	}
	for _, args := range [][]string{{"check", "config", "prometheus.yml"}, {"check", "config", "compose.yml"}, {"test", "rules", "rules_test.yml"}} {
		cmd := exec.CommandContext(t.Context(), found, args...)
		cmd.Dir = filepath.Join(root, "deploy/prometheus")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("promtool %v: %v\n%s", args, err, out)
		}
	}
}
