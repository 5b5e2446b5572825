//go:build kubernetes && linux

package deploy

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// controlPlane is a real one, of processes on loopback, with nodes that kwok
// plays: pods are scheduled, admitted, counted and evicted as everywhere, but no
// container runs and no probe is sent.
type controlPlane struct {
	*testing.T
	dir        string
	kubeconfig string
	url        string
}

// patience bounds what is waited for; it is never measured.
const patience = 2 * time.Minute

func startControlPlane(t *testing.T) *controlPlane {
	t.Helper()
	p := &controlPlane{T: t, dir: t.TempDir()}
	ports := freePorts(t, 6)
	etcd, peers := loopback(ports[0]), loopback(ports[1])
	p.url = "https://" + address(ports[2])
	p.writeKeys()
	const token = "test"
	p.write("tokens.csv", token+",admin,admin,system:masters\n")
	p.kubeconfig = p.write("kubeconfig", fmt.Sprintf(`apiVersion: v1
kind: Config
clusters: [{name: c, cluster: {server: %q, insecure-skip-tls-verify: true}}]
users: [{name: u, user: {token: %s}}]
contexts: [{name: x, context: {cluster: c, user: u}}]
current-context: x
`, p.url, token))

	p.serve("server", "--data-dir", p.path("etcd"), "--log-level", "error", // this is etcd
		"--listen-client-urls", etcd, "--advertise-client-urls", etcd,
		"--listen-peer-urls", peers, "--initial-advertise-peer-urls", peers, "--initial-cluster", "default="+peers)
	p.serve("kube-apiserver", "--etcd-servers", etcd, "--bind-address", "127.0.0.1", "--secure-port", fmt.Sprint(ports[2]),
		"--cert-dir", p.path("certs"), "--token-auth-file", p.path("tokens.csv"), "--authorization-mode", "RBAC",
		"--service-cluster-ip-range", "10.96.0.0/16", "--service-account-issuer", "https://kubernetes.default.svc",
		"--service-account-key-file", p.path("key.pem"), "--service-account-signing-key-file", p.path("key.pem"))
	p.eventually("the API answers", func() error {
		out, err := p.try("get", "--raw", "/readyz")
		if err != nil {
			return errors.New(out)
		}
		return nil
	})
	p.serve("kube-controller-manager", "--kubeconfig", p.kubeconfig, "--leader-elect=false", "--bind-address", "127.0.0.1",
		"--secure-port", fmt.Sprint(ports[3]), "--service-account-private-key-file", p.path("key.pem"))
	p.serve("kube-scheduler", "--kubeconfig", p.kubeconfig, "--leader-elect=false", "--bind-address", "127.0.0.1",
		"--secure-port", fmt.Sprint(ports[4]))
	p.serve("kwok", "--kubeconfig", p.kubeconfig, "--config", p.write("stages.yaml", p.stages()), "--manage-all-nodes",
		"--node-lease-duration-seconds", "40", "--server-address", address(ports[5]))
	for i := range 3 {
		p.apply(fmt.Sprintf(`{apiVersion: v1, kind: Node, metadata: {name: node-%d, labels: {kubernetes.io/os: linux,
kubernetes.io/arch: amd64, kubernetes.io/hostname: node-%d, topology.kubernetes.io/zone: zone-%d}},
status: {allocatable: {cpu: 8, memory: 32Gi, pods: 100}, capacity: {cpu: 8, memory: 32Gi, pods: 100}}}`, i, i, i))
	}
	p.kubectl("wait", "--for=condition=Ready", "nodes", "--all", "--timeout", "2m")
	return p
}

// stages say how nodes and pods live: kwok's own, and one for the pods of `helm
// test`, which have nothing to do with Jobs and end all the same.
func (p *controlPlane) stages() string {
	kwok := strings.TrimSpace(runIn(p.T, root+"/tools/kubernetes", "go", "list", "-m", "-f", "{{.Dir}}", "sigs.k8s.io/kwok"))
	var all []string
	for _, name := range []string{"node/fast/node-initialize", "pod/fast/pod-ready", "pod/fast/pod-complete", "pod/fast/pod-delete"} {
		all = append(all, read(p.T, filepath.Join(kwok, "kustomize/stage", name+".yaml")))
	}
	return strings.Join(append(all, `apiVersion: kwok.x-k8s.io/v1alpha1
kind: Stage
metadata: {name: test-complete}
spec:
  resourceRef: {apiGroup: v1, kind: Pod}
  selector:
    matchLabels: {app.kubernetes.io/component: test}
    matchExpressions:
    - {key: .status.phase, operator: In, values: [Running]}
  next:
    statusTemplate: |
      phase: Succeeded
`), "\n---\n")
}

// serve starts one of its programs, which ends with the test.
func (p *controlPlane) serve(name string, args ...string) {
	p.Helper()
	ctx, stop := context.WithCancel(context.WithoutCancel(p.Context()))
	cmd := exec.CommandContext(ctx, binary(p.T, "kubernetes", name), args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 5 * time.Second // then it is killed
	// It does not outlive this process, however that ends.
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	log := &tail{}
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		p.Fatal(err)
	}
	p.Cleanup(func() {
		if p.Failed() {
			p.Logf("the end of what %s said:\n%s", name, log)
		}
		stop()
		_ = cmd.Wait() // it was told to end
	})
}

// tail keeps the end of what is written to it.
type tail struct {
	mu  sync.Mutex
	end []byte
}

func (l *tail) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.end = append(l.end, b...)
	l.end = l.end[max(0, len(l.end)-1500):]
	return len(b), nil
}

func (l *tail) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(l.end)
}

// kubectl runs it, and expects that it succeeds.
func (p *controlPlane) kubectl(args ...string) string {
	p.Helper()
	out, err := p.try(args...)
	if err != nil {
		p.Fatalf("kubectl %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

func (p *controlPlane) try(args ...string) (string, error) { return p.feed("", args...) }

// feed runs kubectl with something on its standard input.
func (p *controlPlane) feed(input string, args ...string) (string, error) {
	cmd := exec.Command(binary(p.T, "kubernetes", "kubectl"), append([]string{"--kubeconfig", p.kubeconfig}, args...)...)
	cmd.Stdin = strings.NewReader(input)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	return out.String(), err
}

func (p *controlPlane) apply(object string) {
	p.Helper()
	if out, err := p.feed(object, "apply", "--server-side", "-f", "-"); err != nil {
		p.Fatalf("apply: %v\n%s", err, out)
	}
}

// eventually asks again until the answer is right.
func (p *controlPlane) eventually(what string, ask func() error) {
	p.Helper()
	deadline := time.After(patience)
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		err := ask()
		if err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			p.Fatalf("%s: %v", what, err)
		}
	}
}

func (p *controlPlane) path(name string) string { return filepath.Join(p.dir, name) }

func (p *controlPlane) write(name, text string) string {
	p.Helper()
	if err := os.WriteFile(p.path(name), []byte(text), 0o600); err != nil {
		p.Fatal(err)
	}
	return p.path(name)
}

// writeKeys makes the key that service accounts' tokens are signed with.
func (p *controlPlane) writeKeys() {
	p.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		p.Fatal(err)
	}
	p.write("key.pem", string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})))
}

func address(port int) string  { return fmt.Sprintf("127.0.0.1:%d", port) }
func loopback(port int) string { return "http://" + address(port) }

func freePorts(t *testing.T, n int) (ports []int) {
	t.Helper()
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close() // when all are found
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports
}
