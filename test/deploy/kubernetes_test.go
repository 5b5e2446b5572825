//go:build kubernetes && linux

package deploy

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestCluster tries the chart on a real control plane, in a namespace where the
// Pod Security Standard restricted is enforced: the life of a release, in order.
func TestCluster(t *testing.T) {
	p := startControlPlane(t)
	crds, err := filepath.Glob(filepath.Join(moduleDir(t, t.TempDir(), operatorModule), "example/prometheus-operator-crd/*_p*.yaml"))
	if err != nil || len(crds) == 0 {
		t.Fatalf("no types in %s: %v", operatorModule, err)
	}
	for _, crd := range crds {
		p.kubectl("apply", "--server-side", "-f", crd)
	}
	p.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=1m")
	p.apply(`{apiVersion: v1, kind: Namespace, metadata: {name: shops, labels: {pod-security.kubernetes.io/enforce: restricted}}}`)
	p.eventually("the namespace is ready", func() error {
		out, err := p.try("-n", "shops", "get", "serviceaccount", "default")
		if err != nil {
			return errors.New(out)
		}
		return nil
	})
	r := &release{p, p.write("values.yaml", `
kafka: {brokers: "kafka:9092"}
shops: [{appId: wx0123456789abcdef, appSecret: {secret: wechat-shops, key: a}}]
podMonitor: {enabled: true}
prometheusRule: {enabled: true}
dashboard: {enabled: true}
networkPolicy: {enabled: true}
connectApi: {enabled: true}
`)}

	t.Run("every example is taken", func(t *testing.T) { p.with(t).takesExamples() })
	t.Run("a pod of root's is not", func(t *testing.T) { p.with(t).refusesRoot() })
	steps := []struct {
		name string
		do   func(*release)
	}{
		{"install", (*release).install},
		{"test", (*release).test},
		{"upgrade without a gap", (*release).upgrade},
		{"evict", (*release).evict},
		{"an upgrade that cannot start, and back", (*release).rollBack},
		{"backfill, twice", (*release).backfill},
		{"uninstall", (*release).uninstall},
	}
	for _, step := range steps {
		ok := t.Run(step.name, func(t *testing.T) {
			began := time.Now()
			step.do(&release{p.with(t), r.values})
			t.Logf("%v", time.Since(began).Round(100*time.Millisecond))
		})
		if !ok {
			return // each goes on where the one before has ended
		}
	}
}

// with is the same control plane for a subtest.
func (p *controlPlane) with(t *testing.T) *controlPlane {
	q := *p
	q.T = t
	return &q
}

// takesExamples has the API server look at every example, as strictly as it can.
func (p *controlPlane) takesExamples() {
	for _, values := range examples(p.T) {
		var ours []string
		// A pod of the account "default", since a dry run makes no other.
		for _, text := range strings.Split(render(p.T, values, "--set", "serviceAccount.create=false"), "\n---\n") {
			if !strings.Contains(text, "apiVersion: kafka.strimzi.io/") {
				ours = append(ours, text)
			}
		}
		// The priority class is somebody else's.
		manifest := strings.ReplaceAll(strings.Join(ours, "\n---\n"), "priorityClassName: business\n", "\n")
		out, err := p.feed(manifest, "-n", "shops", "apply", "--dry-run=server", "--validate=strict", "-f", "-")
		if err != nil || strings.Contains(out, "Warning") {
			p.Errorf("%s: %v\n%s", filepath.Base(values), err, out)
		}
	}
}

func (p *controlPlane) refusesRoot() {
	pod := render(p.T, chart+"/ci/minimal-values.yaml", "--show-only", "templates/tests/check.yaml",
		"--set", "serviceAccount.create=false,podSecurityContext.runAsNonRoot=false,podSecurityContext.runAsUser=0")
	out, err := p.feed(pod, "-n", "shops", "apply", "--dry-run=server", "-f", "-")
	if err == nil || !strings.Contains(out, `violates PodSecurity "restricted:latest"`) {
		p.Errorf("%v\n%s", err, out)
	}
}

// release is one release of the chart.
type release struct {
	*controlPlane
	values string
}

func (r *release) helm(args ...string) (string, error) {
	cmd := exec.Command(binary(r.T, "chart", "helm"), append(args, "--namespace", "shops", "--kubeconfig", r.kubeconfig)...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func (r *release) mustHelm(args ...string) string {
	r.Helper()
	out, err := r.helm(args...)
	if err != nil {
		r.Fatalf("helm %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

func (r *release) change(set string) string {
	r.Helper()
	return r.mustHelm("upgrade", "ow", chart, "--values", r.values, "--set", set, "--wait", "--timeout", "2m")
}

// count is how many objects there are, by kind and labels.
func (r *release) count(kind, selector string) int {
	r.Helper()
	return len(strings.Fields(r.kubectl("-n", "shops", "get", kind, "-l", selector, "-o", "name")))
}

const (
	ours    = "app.kubernetes.io/instance=ow"
	workers = ours + ",app.kubernetes.io/component=worker"
)

func (r *release) install() {
	notes := r.mustHelm("install", "ow", chart, "--values", r.values, "--wait", "--timeout", "2m")
	for _, want := range []string{"wechat-shops/a", "helm test ow -n shops", "read_committed"} {
		if !strings.Contains(notes, want) {
			r.Errorf("the notes do not say %q:\n%s", want, notes)
		}
	}
	if n := r.count("pods", workers); n != 2 {
		r.Errorf("%d workers", n)
	}
	// Spread, without a token, seen by both Services.
	if nodes := strings.Fields(r.kubectl("-n", "shops", "get", "pods", "-l", workers, "-o", "jsonpath={.items[*].spec.nodeName}")); len(nodes) != 2 || nodes[0] == nodes[1] {
		r.Errorf("workers on %q", nodes)
	}
	if volumes := r.kubectl("-n", "shops", "get", "pods", "-l", workers, "-o", "jsonpath={.items[*].spec.volumes[*].name}"); strings.Contains(volumes, "kube-api-access") {
		r.Errorf("a token is mounted: %s", volumes)
	}
	for _, service := range []string{"ow-orderwalk", "ow-orderwalk-connect-api"} {
		r.eventually("endpoints of "+service, func() error {
			ready := r.kubectl("-n", "shops", "get", "endpointslices", "-l", "kubernetes.io/service-name="+service,
				"-o", "jsonpath={.items[*].endpoints[*].conditions.ready}")
			if ready != "true true" {
				return fmt.Errorf("ready: %q", ready)
			}
			return nil
		})
	}
	for _, kind := range []string{"podmonitors.monitoring.coreos.com", "prometheusrules.monitoring.coreos.com", "networkpolicies", "poddisruptionbudgets"} {
		if n := r.count(kind, ours); n != 1 {
			r.Errorf("%d %s", n, kind)
		}
	}
}

func (r *release) test() {
	if out := r.mustHelm("test", "ow", "--timeout", "2m"); !strings.Contains(out, "Succeeded") {
		r.Errorf("%s", out)
	}
}

// upgrade changes the image while the test counts the workers.
func (r *release) upgrade() {
	watch := exec.Command(binary(r.T, "kubernetes", "kubectl"), "--kubeconfig", r.kubeconfig, "-n", "shops", "get", "deployment", "ow-orderwalk",
		"--watch", "-o", `jsonpath={.status.availableReplicas}{"\n"}`)
	out, err := watch.StdoutPipe()
	if err != nil {
		r.Fatal(err)
	}
	if err := watch.Start(); err != nil {
		r.Fatal(err)
	}
	r.change("image.tag=v2,replicas=3")
	r.kubectl("-n", "shops", "rollout", "status", "deployment/ow-orderwalk", "--timeout=1m")
	if err := watch.Process.Signal(os.Interrupt); err != nil {
		r.Fatal(err)
	}
	seen, least := 0, 3
	for lines := bufio.NewScanner(out); lines.Scan(); seen++ {
		n, _ := strconv.Atoi(lines.Text()) // nothing is 0
		least = min(least, n)
	}
	_ = watch.Wait() // it was interrupted
	if seen < 3 || least < 2 {
		r.Errorf("of 2 workers and then 3, %d were there at one of %d moments", least, seen)
	}
	if images := r.kubectl("-n", "shops", "get", "pods", "-l", workers, "-o", "jsonpath={.items[*].spec.containers[*].image}"); images != "orderwalk:v2 orderwalk:v2 orderwalk:v2" {
		r.Errorf("workers of %q", images)
	}
}

// evict drains all nodes at once: one worker may go, and until there is another
// nobody else.
func (r *release) evict() {
	r.kubectl("cordon", "-l", "kubernetes.io/os=linux")
	pods := strings.Fields(r.kubectl("-n", "shops", "get", "pods", "-l", workers, "-o", "jsonpath={.items[*].metadata.name}"))
	gone, refused := 0, 0
	for _, pod := range pods {
		eviction, err := json.Marshal(map[string]any{"apiVersion": "policy/v1", "kind": "Eviction", "metadata": map[string]string{"name": pod, "namespace": "shops"}})
		if err != nil {
			r.Fatal(err)
		}
		out, err := r.feed(string(eviction), "create", "--raw", "/api/v1/namespaces/shops/pods/"+pod+"/eviction", "-f", "-")
		switch {
		case err == nil:
			gone++
		case strings.Contains(out, "disruption budget"):
			refused++
		default:
			r.Fatalf("evict %s: %v\n%s", pod, err, out)
		}
	}
	if gone != 1 || refused != len(pods)-1 {
		r.Errorf("of %d workers %d may go and %d may not", len(pods), gone, refused)
	}
	r.kubectl("uncordon", "-l", "kubernetes.io/os=linux")
	r.kubectl("-n", "shops", "rollout", "status", "deployment/ow-orderwalk", "--timeout=1m")
}

// rollBack upgrades to workers that no node has room for. The old ones stay, and
// going back brings nothing down.
func (r *release) rollBack() {
	if out, err := r.helm("upgrade", "ow", chart, "--values", r.values, "--set", "image.tag=v3,resources.requests.cpu=100", "--wait", "--timeout", "10s"); err == nil {
		r.Fatalf("workers that fit nowhere are there:\n%s", out)
	}
	available := func() string {
		return r.kubectl("-n", "shops", "get", "deployment", "ow-orderwalk", "-o", "jsonpath={.status.availableReplicas}")
	}
	if n := available(); n != "2" { // what the upgrade asks for
		r.Errorf("%s workers are left", n)
	}
	r.mustHelm("rollback", "ow", "--wait", "--timeout", "2m")
	if n := available(); n != "3" {
		r.Errorf("%s workers after going back", n)
	}
	if images := r.kubectl("-n", "shops", "get", "deployment", "ow-orderwalk", "-o", "jsonpath={.spec.template.spec.containers[*].image}"); images != "orderwalk:v2" {
		r.Errorf("back at %s", images)
	}
}

// backfill has a Job run to its end, and another one for another image.
func (r *release) backfill() {
	const on, jobs = "backfill.enabled=true,backfill.startTime=1600000000,backfill.endTime=1600003600", ours + ",app.kubernetes.io/component=backfill"
	name := func() string {
		return r.kubectl("-n", "shops", "get", "jobs", "-l", jobs, "-o", "jsonpath={.items[*].metadata.name}")
	}
	r.change(on)
	first := name()
	r.kubectl("-n", "shops", "wait", "--for=condition=Complete", "--timeout=1m", "job/"+first)
	r.change(on + ",image.tag=v4")
	second := name()
	if second == first || strings.Contains(second, " ") {
		r.Errorf("Jobs %s, then %s", first, second)
	}
	r.kubectl("-n", "shops", "wait", "--for=condition=Complete", "--timeout=1m", "job/"+second)
}

func (r *release) uninstall() {
	r.mustHelm("uninstall", "ow", "--wait", "--timeout", "2m")
	r.eventually("everything is gone", func() error {
		left := r.kubectl("-n", "shops", "get", "-l", ours, "-o", "name",
			"all,configmaps,secrets,serviceaccounts,networkpolicies,poddisruptionbudgets,podmonitors,prometheusrules")
		// The pod of `helm test` stays until the next test, for its log.
		if left = strings.TrimSpace(strings.ReplaceAll(left, "pod/ow-orderwalk-check\n", "")); left != "" {
			return errors.New(left)
		}
		return nil
	})
}
