package deploy_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/types"
)

// makeSecrets runs deploy/secrets.sh and returns the folder that it has made.
func makeSecrets(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	for range 2 { // the second one changes nothing
		if out, err := exec.Command("sh", filepath.Join(root, "deploy", "secrets.sh"), folder).CombinedOutput(); err != nil || len(out) > 0 {
			t.Fatalf("deploy/secrets.sh: %v\n%s", err, out)
		}
	}
	return folder
}

// secretsOf returns the volume of secrets that a service mounts.
func secretsOf(service types.ServiceConfig) string {
	for _, v := range service.Volumes {
		if v.Target == "/run/secrets" && v.ReadOnly && v.Type == types.VolumeTypeVolume {
			return v.Source
		}
	}
	return ""
}

// TestComposeSecrets: each service has the secrets of one part, its own, and deploy/secrets.sh makes every file that
// it names, never the same twice. No secret is in the file itself, in the environment or in an argument.
func TestComposeSecrets(t *testing.T) {
	project, err := loadCompose(t).WithProfiles([]string{"tools"})
	if err != nil {
		t.Fatal(err)
	}
	folder, another := makeSecrets(t), makeSecrets(t)
	makes := make(map[string]string) // the folder of each volume
	for _, v := range project.Services["secrets"].Volumes {
		makes[v.Source] = filepath.Base(v.Target)
	}
	file := regexp.MustCompile(`/run/secrets/([a-z.-]+)`)
	for name, service := range project.Services {
		if name == "secrets" {
			continue
		}
		volume := secretsOf(service)
		if volume != "secrets-"+name || makes[volume] != name {
			t.Errorf("%s has the secrets of %q, which are made in %q", name, volume, makes[volume])
		}
		text := strings.Join(slices.Concat(service.Command, service.Entrypoint), " ")
		if service.HealthCheck != nil {
			text += strings.Join(service.HealthCheck.Test, " ")
		}
		for _, value := range service.Environment {
			if value != nil {
				text += " " + *value
			}
		}
		for _, config := range service.Configs {
			data, err := os.ReadFile(project.Configs[config.Source].File)
			if err != nil {
				t.Error(err)
			}
			text += string(data)
		}
		named := 0
		for _, found := range file.FindAllStringSubmatch(text, -1) {
			data, err := os.ReadFile(filepath.Join(folder, name, found[1]))
			if found[1] == "ca.crt" && name == "nats" {
				continue // for who switches the two lines on
			}
			if other, _ := os.ReadFile(filepath.Join(another, name, found[1])); err != nil || len(data) < 40 || string(data) == string(other) {
				t.Errorf("%s: %s is %d bytes long, %v, or the same twice", name, found[0], len(data), err)
			}
			if strings.Contains(text, strings.TrimSpace(string(data))) {
				t.Errorf("%s: %s is also in the file", name, found[0])
			}
			named++
		}
		if named == 0 {
			t.Errorf("%s uses no secret", name)
		}
	}
	if text, err := os.ReadFile(filepath.Join(root, ".gitignore")); err != nil || !strings.Contains(string(text), "\n/deploy/secrets/\n") {
		t.Errorf(".gitignore takes what operators write into deploy/secrets: %v", err)
	}
}
