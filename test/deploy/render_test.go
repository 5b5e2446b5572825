//go:build chart

package deploy

import (
	"bytes"
	"encoding/base64"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"orderwalk/internal/config"
	"orderwalk/test/certtest"
)

func TestTemplates(t *testing.T) {
	t.Log(run(t, binary(t, "chart", "helm-unittest"), "--strict", chart))
}

// Every example is what Kubernetes and Prometheus' operator take, with no field
// they do not know. Strimzi's types are published in no form that can be had here.
func TestKubernetesTakesTheChart(t *testing.T) {
	dir := t.TempDir()
	writeSchemas(t, dir)
	args := []string{"-strict", "-summary", "-skip", "KafkaUser,KafkaTopic", "-schema-location", dir + "/{{ .ResourceKind }}{{ .KindSuffix }}.json"}
	for _, values := range examples(t) {
		manifests := filepath.Join(t.TempDir(), "all.yaml")
		text := render(t, values)
		if err := os.WriteFile(manifests, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		t.Log(filepath.Base(values), run(t, binary(t, "chart", "kubeconform"), append(args, manifests)...))

		// That the schemas see anything at all.
		wrong := strings.Replace(text, "enableServiceLinks:", "enableServiceLink:", 1)
		if err := os.WriteFile(manifests, []byte(wrong), 0o600); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.Command(binary(t, "chart", "kubeconform"), append(args, manifests)...).CombinedOutput(); err == nil || !bytes.Contains(out, []byte("enableServiceLink")) {
			t.Fatalf("a misspelt field is taken: %v\n%s", err, out)
		}
	}
}

// manifest is as much of an object as these tests look at.
type manifest struct {
	Kind     string
	Metadata struct{ Name string }
	Data     map[string]string
	Spec     struct {
		podSpec  `yaml:",inline"`
		Template struct{ Spec podSpec }
	}
}

type podSpec struct {
	Volumes []struct {
		ConfigMap struct{ Name string } `yaml:"configMap"`
		Projected struct {
			Sources []struct {
				Secret struct {
					Items []struct{ Path string }
				}
				ServiceAccountToken struct{ Path string } `yaml:"serviceAccountToken"`
			}
		}
	}
	Containers []struct {
		Env []struct{ Name, Value string }
	}
}

func manifests(t *testing.T, text string) (all []manifest) {
	t.Helper()
	decoder := yaml.NewDecoder(strings.NewReader(text))
	for {
		var m manifest
		err := decoder.Decode(&m)
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, m)
	}
}

// The program takes the environment that each pod of each example gets, with
// the files that its volumes have.
func TestTheProgramTakesTheEnvironment(t *testing.T) {
	for _, values := range examples(t) {
		all := manifests(t, render(t, values))
		for _, m := range all {
			pod := m.Spec.Template.Spec
			if m.Kind == "Pod" {
				pod = m.Spec.podSpec
			}
			if len(pod.Containers) == 0 {
				continue
			}
			t.Run(filepath.Base(values)+"/"+m.Metadata.Name, func(t *testing.T) {
				dir := t.TempDir()
				mount(t, dir, pod, all)
				for _, e := range pod.Containers[0].Env {
					t.Setenv(e.Name, inside(dir, e.Value))
				}
				cfg, err := config.Load(nil)
				if err != nil {
					t.Fatal(err)
				}
				if backfill := strings.Contains(m.Metadata.Name, "-backfill-"); backfill {
					for _, shop := range cfg.Shops {
						if shop.Start != 1600000000 || shop.End != 1700000000-1 {
							t.Errorf("shop %s is read from %d to %d", shop.Name, shop.Start, shop.End)
						}
					}
				}
			})
		}
	}
}

// inside moves the places that a pod mounts into a folder.
func inside(dir, text string) string {
	return strings.NewReplacer("/run/orderwalk/", dir+"/run/", "/etc/orderwalk/", dir+"/etc/", "/more", dir+"/more").Replace(text)
}

// mount lays out the files that a pod's volumes have.
func mount(t *testing.T, dir string, pod podSpec, all []manifest) {
	t.Helper()
	write := func(path, text string) {
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "more"), 0o700); err != nil { // the examples' own volume
		t.Fatal(err)
	}
	authority := certtest.New(t)
	certPEM, keyPEM := authority.Issue(t, "worker")
	for _, v := range pod.Volumes {
		for _, m := range all {
			if m.Kind == "ConfigMap" && m.Metadata.Name == v.ConfigMap.Name {
				for name, text := range m.Data {
					write(filepath.Join(dir, "etc", name), inside(dir, text))
				}
			}
		}
		if v.ConfigMap.Name == "shops" { // somebody else's
			write(filepath.Join(dir, "etc/all.yaml"), foreignShops)
		}
		for _, s := range v.Projected.Sources {
			for _, item := range s.Secret.Items {
				text := "secret"
				switch {
				case strings.HasSuffix(item.Path, "state-key"):
					text = base64.StdEncoding.EncodeToString(make([]byte, 32))
				case strings.HasSuffix(item.Path, "push-aes-key"):
					text = strings.Repeat("A", 43)
				case strings.HasSuffix(item.Path, "tls.crt"):
					text = string(certPEM)
				case strings.HasSuffix(item.Path, "tls.key"):
					text = string(keyPEM)
				case strings.HasSuffix(item.Path, "ca.crt"):
					text = string(authority.PEM)
				case strings.HasSuffix(item.Path, "shops.yaml"):
					text = foreignShops
				}
				write(filepath.Join(dir, "run/secrets", item.Path), text)
			}
			if s.ServiceAccountToken.Path != "" {
				write(filepath.Join(dir, "run/tokens", s.ServiceAccountToken.Path), "token")
			}
		}
	}
}

const foreignShops = "shops: [{app_id: wx0123456789abcdef, access_token: token}]"

// Between them, the examples set every variable that the chart can set.
func TestExamplesSetEveryVariable(t *testing.T) {
	set := map[string]bool{}
	for _, values := range examples(t) {
		for _, m := range manifests(t, render(t, values)) {
			for _, c := range slices.Concat(m.Spec.Containers, m.Spec.Template.Spec.Containers) {
				for _, e := range c.Env {
					set[e.Name] = true
				}
			}
		}
	}
	for _, v := range config.Variables() {
		if _, left := unset[v.Name]; !left && v.Type != "secret" && !set[v.Name] {
			t.Errorf("no example sets %s", v.Name)
		}
	}
}

// What a Job runs cannot be changed, so each change has to be another Job; and
// no change of what it does not run may be one.
func TestABackfillsJobIsNamedForWhatItRuns(t *testing.T) {
	name := func(more ...string) string {
		for _, m := range manifests(t, render(t, chart+"/ci/full-values.yaml", more...)) {
			if m.Kind == "Job" {
				return m.Metadata.Name
			}
		}
		t.Fatal("no Job")
		return ""
	}
	first := name()
	if again := name("--set", "replicas=9"); again != first {
		t.Errorf("%s, and with more workers %s", first, again)
	}
	for _, change := range []string{"image.digest=sha256:" + strings.Repeat("f", 64), "backfill.startTime=1600000001", "walk.pageSize=7"} {
		if other := name("--set", change); other == first {
			t.Errorf("%s: the Job is still %s", change, other)
		}
	}
}
