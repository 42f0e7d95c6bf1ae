package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

const root = "../.."

// object is what the tests look at of any object.
type object struct {
	Kind     string
	Metadata struct {
		Name, Namespace string
		Labels          map[string]string
	}
	Data map[string]string
	Spec struct {
		Replicas *int
		Selector struct{ MatchLabels map[string]string }
		Template struct {
			Metadata struct{ Labels map[string]string }
			Spec     pod
		}
		PodSelector     struct{ MatchLabels map[string]string }
		PolicyTypes     []string
		Ingress, Egress []any
		ScaleTargetRef  struct{ Name string }
		MinReplicaCount int
		Triggers        []struct{ Metadata map[string]string }
		MaxUnavailable  any
	}
}

type pod struct {
	AutomountServiceAccountToken  *bool
	TerminationGracePeriodSeconds int
	SecurityContext               struct {
		RunAsNonRoot   bool
		SeccompProfile struct{ Type string }
	}
	TopologySpreadConstraints []struct{ TopologyKey string }
	Containers                []container
}

type container struct {
	Name, Image     string
	Command         []string
	Ports           []struct{ ContainerPort int }
	Env             []struct{ Name, Value string }
	SecurityContext struct {
		AllowPrivilegeEscalation *bool
		ReadOnlyRootFilesystem   bool
		Capabilities             struct{ Drop []string }
	}
	LivenessProbe, ReadinessProbe, StartupProbe *struct{ HTTPGet struct{ Path, Port string } }
	Resources                                   struct{ Requests, Limits map[string]string }
}

// objects returns those of the example, as a cluster would get them.
func objects(t *testing.T) (all []object) {
	t.Helper()
	rendered, err := render(filepath.Join(root, "deploy/kubernetes/example"))
	if err != nil {
		t.Fatal(err)
	}
	for _, resource := range rendered.Resources() {
		text, err := resource.AsYAML()
		if err != nil {
			t.Fatal(err)
		}
		var o object
		if err := yaml.Unmarshal(text, &o); err != nil {
			t.Fatalf("%s: %v", resource.CurId(), err)
		}
		all = append(all, o)
	}
	return all
}

// one returns the object of this kind and name.
func one(t *testing.T, all []object, kind, name string) object {
	t.Helper()
	i := slices.IndexFunc(all, func(o object) bool { return o.Kind == kind && o.Metadata.Name == name })
	if i < 0 {
		t.Fatalf("there is no %s %s", kind, name)
	}
	return all[i]
}

func TestParts(t *testing.T) {
	all := objects(t)
	known := settings(t)
	for part, port := range map[string]int{"api": 3000, "worker": 3001, "notifier": 3002} {
		t.Run(part, func(t *testing.T) {
			d := one(t, all, "Deployment", part)
			p := d.Spec.Template.Spec
			if len(p.Containers) != 1 {
				t.Fatalf("has %d containers", len(p.Containers))
			}
			c := p.Containers[0]
			for fact, holds := range map[string]bool{
				"runs its program":                  slices.Equal(c.Command, []string{"/" + part}),
				"has its port":                      len(c.Ports) == 2 && c.Ports[0].ContainerPort == port,
				"selects its own pods":              d.Spec.Template.Metadata.Labels["app.kubernetes.io/component"] == part && d.Spec.Selector.MatchLabels["app.kubernetes.io/component"] == part,
				"is in its namespace":               d.Metadata.Namespace == "eventio",
				"is not root":                       p.SecurityContext.RunAsNonRoot,
				"has the kernel's usual filter":     p.SecurityContext.SeccompProfile.Type == "RuntimeDefault",
				"gains no privileges":               c.SecurityContext.AllowPrivilegeEscalation != nil && !*c.SecurityContext.AllowPrivilegeEscalation,
				"has no capability":                 slices.Equal(c.SecurityContext.Capabilities.Drop, []string{"ALL"}),
				"writes to no disk":                 c.SecurityContext.ReadOnlyRootFilesystem,
				"has no token of Kubernetes":        p.AutomountServiceAccountToken != nil && !*p.AutomountServiceAccountToken,
				"has time to drain":                 p.TerminationGracePeriodSeconds >= 20,
				"is probed":                         c.LivenessProbe != nil && c.ReadinessProbe != nil && c.StartupProbe != nil,
				"lives by /livez":                   c.LivenessProbe != nil && c.LivenessProbe.HTTPGet.Path == "/livez",
				"is ready by /readyz":               c.ReadinessProbe != nil && c.ReadinessProbe.HTTPGet.Path == "/readyz",
				"is spread over zones":              len(p.TopologySpreadConstraints) == 2 && p.TopologySpreadConstraints[0].TopologyKey == "topology.kubernetes.io/zone",
				"has a limit of memory, not of CPU": c.Resources.Limits["memory"] != "" && c.Resources.Limits["cpu"] == "",
				"asks for what it needs":            c.Resources.Requests["memory"] != "" && c.Resources.Requests["cpu"] != "",
				"has an image with a tag":           regexp.MustCompile(`^.+:v\d`).MatchString(c.Image),
			} {
				if !holds {
					t.Errorf("not so: %s", fact)
				}
			}
			for _, variable := range c.Env {
				if !known[variable.Name] {
					t.Errorf("%s is no setting of any program", variable.Name)
				}
			}
			budget := one(t, all, "PodDisruptionBudget", part)
			if budget.Spec.Selector.MatchLabels["app.kubernetes.io/component"] != part || budget.Spec.MaxUnavailable == nil {
				t.Errorf("its disruption budget is %+v", budget.Spec)
			}
		})
	}
	for name := range one(t, all, "ConfigMap", "eventio").Data {
		if !known[name] {
			t.Errorf("%s in the settings is no setting of any program", name)
		}
	}
}

// settings returns the environment variables that the programs know.
func settings(t *testing.T) map[string]bool {
	t.Helper()
	known := map[string]bool{"GOMEMLIMIT": true}
	variable := regexp.MustCompile(`env:"([A-Z_]+)"`)
	for _, pattern := range []string{"cmd/*/*.go", "internal/*/*.go"} {
		files, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, match := range variable.FindAllStringSubmatch(string(text), -1) {
				known[match[1]] = true
			}
		}
	}
	if !known["MONGODB_URI"] {
		t.Fatal("the settings of the programs were not found")
	}
	return known
}

func TestWorkersAreScaledByTheirQueue(t *testing.T) {
	all := objects(t)
	if one(t, all, "Deployment", "worker").Spec.Replicas != nil {
		t.Error("the number of workers is in the manifest: each apply would undo what the scaler did")
	}
	scaled := one(t, all, "ScaledObject", "worker").Spec
	if scaled.ScaleTargetRef.Name != "worker" || scaled.MinReplicaCount < 2 || len(scaled.Triggers) != 1 {
		t.Fatalf("scaled by %+v", scaled)
	}
	metric := regexp.MustCompile(`eventio_[a-z_]+`).FindString(scaled.Triggers[0].Metadata["query"])
	stats, err := os.ReadFile(filepath.Join(root, "worker/stats.go"))
	if err != nil {
		t.Fatal(err)
	}
	if metric == "" || !strings.Contains(string(stats), `"`+metric+`"`) {
		t.Errorf("scaled by %q, which no worker tells", metric)
	}
}

func TestNothingIsOpen(t *testing.T) {
	all := objects(t)
	closed := one(t, all, "NetworkPolicy", "closed").Spec
	if len(closed.PodSelector.MatchLabels) != 0 || len(closed.PolicyTypes) != 2 || len(closed.Ingress)+len(closed.Egress) != 0 {
		t.Errorf("the policy that closes everything is %+v", closed)
	}
	for _, o := range all {
		switch {
		case o.Kind == "NetworkPolicy" && slices.Contains(o.Spec.PolicyTypes, "Ingress") && len(o.Spec.Ingress) > 0 &&
			o.Spec.PodSelector.MatchLabels["app.kubernetes.io/component"] != "api" && o.Metadata.Name != "prometheus-to-metrics":
			t.Errorf("%s opens more than the API", o.Metadata.Name)
		case o.Kind == "Service" && o.Metadata.Name != "api":
			t.Errorf("the service %s publishes a part that nobody calls", o.Metadata.Name)
		case o.Kind == "Secret":
			t.Errorf("the secret %s is in the repository", o.Metadata.Name)
		}
	}
	if labels := one(t, all, "Namespace", "eventio").Metadata.Labels; labels["pod-security.kubernetes.io/enforce"] != "restricted" {
		t.Errorf("the namespace has %v", labels)
	}
}

func TestUsage(t *testing.T) {
	for _, args := range [][]string{nil, {"--help"}, {"a", "b"}} {
		if err := run(args); err == nil || !strings.Contains(err.Error(), "usage") {
			t.Errorf("%v: %v", args, err)
		}
	}
	if err := run([]string{t.TempDir()}); err == nil {
		t.Error("a folder without a kustomization was rendered")
	}
}
