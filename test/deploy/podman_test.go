//go:build image

package deploy

import (
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// container is one container of podman's, started as Kubernetes would.
type container struct {
	e  *engine
	t  *testing.T
	id string
}

func (e *engine) start(image string, flags ...string) *container {
	e.t.Helper()
	args := append([]string{"run", "--detach", "--network", "host", "--ulimit", "nofile=1024:4096", "--ulimit", "nproc=1024:1024",
		"--read-only", "--read-only-tmpfs=false", "--cap-drop", "ALL", "--security-opt", "no-new-privileges",
		"--user", "65532:65532", "--memory", "64m"}, flags...)
	c := &container{e: e, t: e.t, id: strings.TrimSpace(e.podman(append(args, image)...))}
	e.t.Cleanup(func() { e.podman("rm", "--force", c.id) })
	return c
}

func (c *container) state(field string) string {
	c.t.Helper()
	return strings.TrimSpace(c.e.podman("inspect", "--format", "{{.State."+field+"}}", c.id))
}

// process is a line of what the kernel says of the container's process.
func (c *container) process(name string) string {
	c.t.Helper()
	data, err := os.ReadFile("/proc/" + c.state("Pid") + "/status")
	if err != nil {
		c.t.Fatal(err)
	}
	found := regexp.MustCompile(`(?m)^` + name + `:\s*(.*)$`).FindSubmatch(data)
	if found == nil {
		c.t.Fatalf("no %s in\n%s", name, data)
	}
	return string(found[1])
}

// peak is the most memory that it has had resident.
func (c *container) peak() string { return c.process("VmHWM") }

// confined checks with the kernel that it is nobody who may do nothing.
func (c *container) confined() {
	c.t.Helper()
	for name, want := range map[string]string{
		"Uid": "65532\t65532\t65532\t65532", "CapEff": "0000000000000000", "CapPrm": "0000000000000000",
		"NoNewPrivs": "1", "Seccomp": "2",
	} {
		if got := c.process(name); got != want {
			c.t.Errorf("%s: %q", name, got)
		}
	}
	mounts, err := os.ReadFile("/proc/" + c.state("Pid") + "/mounts")
	if err != nil {
		c.t.Fatal(err)
	}
	if !regexp.MustCompile(`(?m)^\S+ / \S+ ro,`).Match(mounts) {
		c.t.Errorf("the root is not read-only:\n%s", mounts)
	}
}

func (c *container) kill()  { c.t.Helper(); c.e.podman("kill", "--signal", "KILL", c.id); c.wait() }
func (c *container) again() { c.t.Helper(); c.e.podman("start", c.id) }

// stop ends it as Kubernetes does; it has to obey the first signal.
func (c *container) stop() int {
	c.t.Helper()
	c.e.podman("kill", "--signal", "TERM", c.id)
	return c.wait()
}

// wait waits for its end and returns its exit code.
func (c *container) wait() int {
	c.t.Helper()
	code, err := strconv.Atoi(strings.TrimSpace(c.e.podman("wait", c.id)))
	if err != nil {
		c.t.Fatal(err)
	}
	return code
}

// logs are the end of what it has said, both streams.
func (c *container) logs() string {
	out, _ := exec.Command("podman", c.e.podmanArgs("logs", "--tail", "40", c.id)...).CombinedOutput() // what there is
	return string(out)
}
