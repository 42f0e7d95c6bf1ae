// Package deploy_test checks docker-compose.yml and the Dockerfile as far as that goes
// without Docker. It holds the promises of docs/operations.md that live in those files.
package deploy_test

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
	"github.com/nats-io/nats-server/v2/server"
)

const root = "../.."

// loadCompose reads the file with Compose's own loader, which also validates it: unknown
// keys, and networks, volumes, configs and dependencies that nobody declared.
func loadCompose(t *testing.T) *types.Project {
	t.Helper()
	options, err := cli.NewProjectOptions([]string{filepath.Join(root, "docker-compose.yml")})
	if err != nil {
		t.Fatal(err)
	}
	project, err := options.LoadProject(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return project
}

func TestComposeServices(t *testing.T) {
	project := loadCompose(t)
	if got, want := slices.Sorted(maps.Keys(project.Services)), []string{"api", "migrate", "mongodb", "nats", "notifier", "secrets", "worker"}; !slices.Equal(got, want) {
		t.Fatalf("services %v, want %v", got, want)
	}
	pinned := regexp.MustCompile(`:\d+\.\d+\.\d+(-[a-z0-9.]+)?$|@sha256:[0-9a-f]{64}$`)
	for name, service := range project.Services {
		t.Run(name, func(t *testing.T) {
			if service.Build == nil && !pinned.MatchString(service.Image) {
				t.Errorf("image %q is not pinned to a patch version or digest", service.Image)
			}
			ends := name == "migrate" || name == "secrets"
			if check := service.HealthCheck; !ends && (check == nil || len(check.Test) < 2 || check.Test[0] != "CMD" || check.Disable) {
				t.Error("has no health check that runs without a shell")
			}
			if !service.ReadOnly {
				t.Error("its root can be written to")
			}
			for variable, value := range service.Environment {
				if value != nil && strings.Contains(*value, "@") || strings.HasSuffix(variable, "PASSWORD") {
					t.Errorf("%s may have a secret", variable)
				}
			}
			if !slices.Equal(service.CapDrop, []string{"ALL"}) || len(service.CapAdd) > 0 || service.Privileged {
				t.Error("keeps capabilities")
			}
			if !slices.Contains(service.SecurityOpt, "no-new-privileges:true") {
				t.Error("may gain privileges")
			}
			if service.MemLimit <= 0 || service.PidsLimit <= 0 {
				t.Error("has no limit of memory or processes")
			}
			if name != "secrets" && service.Build == nil && (service.User == "" || strings.HasPrefix(service.User, "0")) {
				t.Error("runs as root")
			}
			if name != "api" && len(service.Ports) > 0 {
				t.Errorf("publishes %v; only the API is published", service.Ports)
			}
			for on, dependency := range service.DependsOn {
				want := types.ServiceConditionHealthy
				if on == "migrate" || on == "secrets" {
					want = types.ServiceConditionCompletedSuccessfully
				}
				if dependency.Condition != want {
					t.Errorf("waits for %s to be %s, want %s", on, dependency.Condition, want)
				}
			}
		})
	}
}

func TestComposeOurPrograms(t *testing.T) {
	project := loadCompose(t)
	for name, addr := range map[string]string{"api": "0.0.0.0:3000", "worker": "0.0.0.0:3001", "notifier": "0.0.0.0:3002"} {
		service := project.Services[name]
		t.Run(name, func(t *testing.T) {
			if service.Build == nil {
				t.Error("is not built from this tree")
			}
			if !slices.Equal(service.Command, []string{"/" + name}) {
				t.Errorf("runs %q", service.Command)
			}
			if want := []string{"CMD", "/" + name, "healthcheck"}; !slices.Equal(service.HealthCheck.Test, want) {
				t.Errorf("health check %q, want %q", service.HealthCheck.Test, want)
			}
			for key, want := range map[string]string{
				"EVENTIO_ADDR": addr, "NATS_URL": "tls://nats:4222", "NATS_CA": "/run/secrets/ca.crt", "NATS_USER": name,
				"NATS_PASSWORD_FILE": "/run/secrets/nats-password", "NATS_INBOX_PREFIX": "_INBOX_" + name, "MONGODB_URI_FILE": "/run/secrets/mongodb-uri",
			} {
				if got := service.Environment[key]; got == nil || *got != want {
					t.Errorf("%s is not %q", key, want)
				}
			}
			if service.StopGracePeriod == nil || time.Duration(*service.StopGracePeriod) <= 10*time.Second {
				t.Error("is killed before it can have drained, which may take 10 s")
			}
			if got, want := slices.Sorted(maps.Keys(service.DependsOn)), []string{"migrate", "mongodb", "nats"}; !slices.Equal(got, want) {
				t.Errorf("waits for %v, want %v", got, want)
			}
			if service.ContainerName != "" {
				t.Error("has a container name, so it cannot be scaled")
			}
		})
	}
	ports := project.Services["api"].Ports
	if len(ports) != 1 || ports[0].HostIP != "127.0.0.1" || ports[0].Published != "3000" || ports[0].Target != 3000 {
		t.Errorf("the API publishes %+v, want 127.0.0.1:3000 -> 3000", ports)
	}
}

// TestComposeMetrics: the metrics of each part can be scraped from the inner network, by a Prometheus that finds every
// container, and from nowhere else.
func TestComposeMetrics(t *testing.T) {
	project, err := loadCompose(t).WithProfiles([]string{"metrics"})
	if err != nil {
		t.Fatal(err)
	}
	prometheus := project.Services["prometheus"]
	if !slices.Equal(slices.Collect(maps.Keys(prometheus.Networks)), []string{"backend"}) || !project.Networks["backend"].Internal || len(prometheus.Ports) > 0 {
		t.Errorf("Prometheus is in %v and publishes %v", prometheus.Networks, prometheus.Ports)
	}
	if !slices.Contains(prometheus.Command, "--config.file="+prometheus.Configs[0].Target) || !strings.HasSuffix(project.Configs[prometheus.Configs[0].Source].File, "compose.yml") {
		t.Errorf("Prometheus runs %q with %v", prometheus.Command, prometheus.Configs)
	}
	config, err := os.ReadFile(filepath.Join(root, "deploy", "prometheus", "compose.yml"))
	if err != nil {
		t.Fatal(err)
	}
	for name, port := range map[string]string{"api": "9090", "worker": "9091", "notifier": "9092"} {
		service := project.Services[name]
		if addr := service.Environment["EVENTIO_ADMIN_ADDR"]; addr == nil || *addr != "0.0.0.0:"+port {
			t.Errorf("%s does not serve metrics at port %s", name, port)
		}
		if _, inner := service.Networks["backend"]; !inner {
			t.Errorf("%s is not in the network of Prometheus", name)
		}
		for _, p := range service.Ports {
			if p.Target != 3000 {
				t.Errorf("%s publishes %d", name, p.Target)
			}
		}
		if !strings.Contains(string(config), "names: ["+name+"], type: A, port: "+port) {
			t.Errorf("Prometheus does not look for %s", name)
		}
	}
}

func TestComposeMongoDB(t *testing.T) {
	project := loadCompose(t)
	service := project.Services["mongodb"]
	command := strings.Join(service.Command, " ")
	for _, want := range []string{"--replSet rs0", "--setParameter transactionLifetimeLimitSeconds=2"} {
		if !strings.Contains(command, want) {
			t.Errorf("%q lacks %q", command, want)
		}
	}
	if strings.Contains(command, "enableTestCommands") {
		t.Error("fail points are for tests only")
	}
	index := slices.IndexFunc(service.Volumes, func(v types.ServiceVolumeConfig) bool { return v.Target == "/data/db" })
	if index < 0 || service.Volumes[index].Type != types.VolumeTypeVolume || service.Volumes[index].Source == "" {
		t.Fatal("the data is not in a named volume")
	}
	if _, ok := project.Volumes[service.Volumes[index].Source]; !ok {
		t.Errorf("volume %q is not declared", service.Volumes[index].Source)
	}
	script, err := os.ReadFile(filepath.Join(root, "scripts", "mongod.sh"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(script), "\nimage="+service.Image+"\n") {
		t.Errorf("scripts/mongod.sh falls back to another image than %s", service.Image)
	}
}

func TestComposeNATS(t *testing.T) {
	project := loadCompose(t)
	service := project.Services["nats"]
	if len(service.Configs) != 1 || !slices.Equal(service.Command, []string{"--config", service.Configs[0].Target}) {
		t.Fatalf("runs %q with configs %v", service.Command, service.Configs)
	}
	config, err := os.ReadFile(project.Configs[service.Configs[0].Source].File)
	if err != nil {
		t.Fatal(err)
	}
	folder := filepath.Join(makeSecrets(t), "nats") // in place of the container's
	text := strings.NewReplacer("../../run/secrets/", "", "/run/secrets/", folder+"/").Replace(string(config))
	if err := os.WriteFile(filepath.Join(folder, "nats.conf"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	options, err := server.ProcessConfigFile(filepath.Join(folder, "nats.conf"))
	if err != nil {
		t.Fatal(err)
	}
	if options.Port != 4222 || options.PingInterval != time.Second || options.MaxPingsOut != 2 || options.TLSConfig == nil || len(options.Users) != 4 {
		t.Errorf("port %d, ping %v x %d, TLS %t, %d users", options.Port, options.PingInterval, options.MaxPingsOut, options.TLSConfig != nil, len(options.Users))
	}
	if options.HTTPHost != "127.0.0.1" || options.HTTPPort != 8222 {
		t.Errorf("monitoring at %s:%d, want loopback, where the health check asks", options.HTTPHost, options.HTTPPort)
	}
}

// instruction is one of a Dockerfile, its continued lines joined.
type instruction struct{ name, rest string }

// dockerStages splits the Dockerfile at its FROMs.
func dockerStages(t *testing.T) [][]instruction {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "Dockerfile"))
	if err != nil {
		t.Fatal(err)
	}
	var stages [][]instruction
	for line := range strings.Lines(strings.ReplaceAll(string(text), "\\\n", " ")) {
		name, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch {
		case name == "" || strings.HasPrefix(name, "#"):
			continue
		case name == "FROM":
			stages = append(stages, nil)
		case stages == nil:
			t.Fatalf("%s before the first FROM", name)
		}
		last := len(stages) - 1
		stages[last] = append(stages[last], instruction{name, rest})
	}
	if len(stages) != 2 {
		t.Fatalf("%d stages, want a build and an image", len(stages))
	}
	return stages
}

func TestDockerfileImage(t *testing.T) {
	stages := dockerStages(t)
	build, image := stages[0], stages[1]
	if want := "gcr.io/distroless/static-debian12:nonroot"; image[0].rest != want {
		t.Errorf("based on %s, want %s", image[0].rest, want)
	}
	compiler := ""
	for _, i := range build {
		if i.name == "RUN" && strings.Contains(i.rest, "go build") {
			compiler = i.rest
		}
	}
	for _, want := range []string{"CGO_ENABLED=0", "-trimpath", "-o /out/ "} {
		if !strings.Contains(compiler, want) {
			t.Errorf("the build %q lacks %q", compiler, want)
		}
	}
	binary := regexp.MustCompile(`^--from=build /out/(\w+) /(\w+)$`)
	var programs []string
	var environment, health, command string
	for _, i := range image {
		switch i.name {
		case "RUN", "ADD", "USER":
			t.Errorf("%s in the image: it has no shell, takes files from the build only and stays nonroot", i.name)
		case "COPY":
			if match := binary.FindStringSubmatch(i.rest); match != nil && match[1] == match[2] {
				programs = append(programs, match[1])
			} else if i.rest != "--from=build --chown=65532:65532 /out/data /data" {
				t.Errorf("copies %q", i.rest)
			}
		case "ENV":
			environment += " " + i.rest
		case "HEALTHCHECK":
			health = i.rest
		case "CMD":
			command = i.rest
		}
	}
	if slices.Sort(programs); !slices.Equal(programs, []string{"api", "eventio", "notifier", "worker"}) {
		t.Errorf("holds the programs %v", programs)
	}
	for _, program := range programs {
		if !slices.Contains(strings.Fields(compiler), "./cmd/"+program) {
			t.Errorf("%s is copied, but not built", program)
		}
		if info, err := os.Stat(filepath.Join(root, "cmd", program)); err != nil || !info.IsDir() {
			t.Errorf("there is no cmd/%s", program)
		}
	}
	if !slices.Contains(strings.Fields(environment), "EVENTIO_ADDR=0.0.0.0:3000") {
		t.Errorf("environment%s lets nobody in", environment)
	}
	if !strings.HasSuffix(health, `CMD ["/api", "healthcheck"]`) || command != `["/api"]` {
		t.Errorf("runs %s with health check %q", command, health)
	}
}

// TestDockerfileVersion: what the build arguments say is what --version prints.
func TestDockerfileVersion(t *testing.T) {
	var flags string
	for _, i := range dockerStages(t)[0] {
		if _, after, found := strings.Cut(i.rest, `-ldflags="`); found {
			flags, _, _ = strings.Cut(after, `"`)
		}
	}
	flags = strings.NewReplacer("$VERSION", "v1.2.3", "$COMMIT", "0123abcd").Replace(flags)
	program := filepath.Join(t.TempDir(), "worker")
	if out, err := exec.Command("go", "build", "-buildvcs=false", "-ldflags="+flags, "-o", program, "../../cmd/worker").CombinedOutput(); err != nil {
		t.Fatalf("build with %s: %v\n%s", flags, err, out)
	}
	out, err := exec.Command(program, "--version").CombinedOutput()
	if err != nil || !strings.HasPrefix(string(out), "worker version v1.2.3, commit 0123abcd, Go ") {
		t.Errorf("%v, it prints %s", err, out)
	}
}

// TestDockerfileBuildsWithTheGoOfTheModule: the compiler of the image is one that go.mod
// accepts, because it may not fetch another.
func TestDockerfileBuildsWithTheGoOfTheModule(t *testing.T) {
	module, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	match := regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindSubmatch(module)
	if match == nil {
		t.Fatal("go.mod names no Go version")
	}
	if from := dockerStages(t)[0][0].rest; !strings.Contains(from, " golang:"+string(match[1])+" ") {
		t.Errorf("built FROM %s, but go.mod wants Go %s", from, match[1])
	}
}
