//go:build image

package deploy

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// engine is buildah and podman with a store of their own, under .cache/image.
type engine struct {
	t     *testing.T
	dir   string // of the store
	cache string // of what was downloaded and compiled
}

func newEngine(t *testing.T) *engine {
	t.Helper()
	dir, err := filepath.Abs(root + "/.cache/image")
	if err != nil {
		t.Fatal(err)
	}
	e := &engine{t, dir, filepath.Join(dir, "cache")}
	if err := os.MkdirAll(e.cache, 0o755); err != nil {
		t.Fatal(err)
	}
	return e
}

// store are the flags that both programs take. The storage driver and runtime
// are those that also work inside of a container.
func (e *engine) store() []string {
	return []string{"--root", filepath.Join(e.dir, "store"), "--runroot", filepath.Join(e.dir, "run"), "--storage-driver", "vfs"}
}

func (e *engine) podmanArgs(args ...string) []string {
	return slices.Concat(e.store(), []string{"--cgroup-manager", "cgroupfs", "--events-backend", "none", "--runtime", "runc"}, args)
}

func (e *engine) podman(args ...string) string {
	e.t.Helper()
	return run(e.t, "podman", e.podmanArgs(args...)...)
}

func (e *engine) buildah(args ...string) {
	e.t.Helper()
	var out bytes.Buffer
	cmd := exec.Command("buildah", append(e.store(), args...)...)
	cmd.Env = append(os.Environ(), "TMPDIR="+e.cache) // where caches of RUN are kept
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		e.t.Fatalf("buildah %s: %v\n%s", strings.Join(args, " "), err, out.String())
	}
}

// build makes the image out of a tree and returns its name. IMAGE_GO and
// IMAGE_BASE name the base images; without them, stand-ins are used: this
// machine's Go in a busybox, and nothing.
func (e *engine) build(name, tree string, args map[string]string, flags ...string) string {
	e.t.Helper()
	name = "localhost/orderwalk-" + name
	all := map[string]string{"GO_IMAGE": os.Getenv("IMAGE_GO"), "BASE_IMAGE": os.Getenv("IMAGE_BASE")}
	maps.Copy(all, args)
	if all["GO_IMAGE"] == "" {
		all["GO_IMAGE"] = e.standIn()
		flags = append(flags, "--pull-never", "--volume", strings.TrimSpace(run(e.t, "go", "env", "GOROOT"))+":/usr/local/go:ro")
	}
	if all["BASE_IMAGE"] == "" {
		all["BASE_IMAGE"] = "scratch"
	}
	for _, key := range slices.Sorted(maps.Keys(all)) {
		flags = append(flags, "--build-arg", key+"="+all[key])
	}
	e.buildah(slices.Concat([]string{"bud", "--isolation", "chroot", "--layers=false", "--timestamp", "0", "--tag", name}, flags, []string{tree})...)
	return name
}

// standIn is an image with a shell, git and the authorities that this machine
// trusts. Go itself is mounted.
func (e *engine) standIn() string {
	e.t.Helper()
	const name = "localhost/orderwalk-go"
	dir := e.t.TempDir()
	put := func(from, to string) {
		data, err := os.ReadFile(from)
		if err == nil {
			err = os.MkdirAll(filepath.Join(dir, filepath.Dir(to)), 0o755)
		}
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, to), data, 0o755)
		}
		if err != nil {
			e.t.Fatal(err)
		}
	}
	for program, to := range map[string]string{"busybox": "/bin/sh", "git": "/usr/bin/git"} {
		path, err := exec.LookPath(program)
		if err != nil {
			e.t.Fatal(err)
		}
		put(path, to)
		libraries, _ := exec.Command("ldd", path).Output() // fails for a static program
		for _, library := range regexp.MustCompile(`/\S+`).FindAllString(string(libraries), -1) {
			put(library, library)
		}
	}
	put("/etc/ssl/certs/ca-certificates.crt", "/etc/ssl/certs/ca-certificates.crt")
	put("/etc/passwd", "/etc/passwd")
	// As the official image has it; this machine's Go may be set otherwise.
	const recipe = "FROM scratch\nCOPY . /\nENV PATH=/usr/local/go/bin:/usr/bin:/bin HOME=/root GOPATH=/go TMPDIR=/\n"
	file := filepath.Join(e.t.TempDir(), "Dockerfile")
	if err := os.WriteFile(file, []byte(recipe), 0o600); err != nil {
		e.t.Fatal(err)
	}
	e.buildah("bud", "--isolation", "chroot", "--layers=false", "--tag", name, "--file", file, dir)
	return name
}

// snapshot is the working tree as it is now, without what git ignores, in a
// checkout of its own.
func snapshot(t *testing.T) string {
	t.Helper()
	tree := filepath.Join(t.TempDir(), "tree")
	run(t, "git", "clone", "--quiet", "--no-checkout", root, tree)
	for _, name := range strings.Split(strings.TrimSuffix(run(t, "git", "-C", root, "ls-files", "-z", "--cached", "--others", "--exclude-standard"), "\x00"), "\x00") {
		data, err := os.ReadFile(filepath.Join(root, name))
		if os.IsNotExist(err) {
			continue // removed, and not committed
		}
		info, err2 := os.Stat(filepath.Join(root, name))
		if err == nil {
			err = err2
		}
		if err == nil {
			err = os.MkdirAll(filepath.Join(tree, filepath.Dir(name)), 0o755)
		}
		if err == nil {
			err = os.WriteFile(filepath.Join(tree, name), data, info.Mode())
		}
		if err != nil {
			t.Fatal(fmt.Errorf("copy %s: %w", name, err))
		}
	}
	run(t, "git", "-C", tree, "reset", "--quiet")
	return tree
}
