//go:build chart || kubernetes

package deploy

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

// binary is a program that a make target builds into .cache.
func binary(t *testing.T, set, name string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join(root, ".cache", set, "bin", name))
	if err == nil {
		_, err = os.Stat(path)
	}
	if err != nil {
		t.Fatalf("%v: run the tests by `make test-%s`", err, set)
	}
	return path
}

// operatorModule has the types of PodMonitor and PrometheusRule.
const operatorModule = "github.com/prometheus-operator/prometheus-operator@v0.85.0"

// moduleDir fetches a module and returns where it is. A dir with a go.mod
// decides the version of a module without one.
func moduleDir(t *testing.T, dir, module string) string {
	t.Helper()
	var answer struct{ Dir string }
	if err := json.Unmarshal([]byte(runIn(t, dir, "go", "mod", "download", "-json", module)), &answer); err != nil {
		t.Fatal(err)
	}
	return answer.Dir
}

// examples are the files of values that come with the chart.
func examples(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob(chart + "/ci/*.yaml")
	if err != nil || len(files) < 5 {
		t.Fatalf("files of values: %q, %v", files, err)
	}
	return files
}

// render is the chart with one of its files of values.
func render(t *testing.T, values string, more ...string) string {
	t.Helper()
	return run(t, binary(t, "chart", "helm"), append([]string{"template", "ow", chart, "--namespace", "shops", "--values", values}, more...)...)
}
