//go:build image

package deploy

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"debug/buildinfo"
	"debug/elf"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

// limit is how large the image may be.
const limit = 25 << 20

// TestImageBuildsToTheSameBytes builds the image twice: from two places, at two
// times, the second time with nothing compiled before.
func TestImageBuildsToTheSameBytes(t *testing.T) {
	e := newEngine(t)
	tree := snapshot(t)
	first := e.build("first", tree, nil)
	again := filepath.Join(t.TempDir(), "another", "place")
	if err := os.CopyFS(again, os.DirFS(tree)); err != nil {
		t.Fatal(err)
	}
	old := time.Now().AddDate(-3, 0, 0)
	if err := os.Chtimes(filepath.Join(again, "main.go"), old, old); err != nil {
		t.Fatal(err)
	}
	fresh := newEngine(t)
	fresh.cache = t.TempDir()
	second := fresh.build("second", again, nil)
	one, other := e.inspect(first), e.inspect(second)
	if one.Digest != other.Digest {
		t.Errorf("built twice: %s and %s", one.Digest, other.Digest)
		a, b := e.files(first), e.files(second)
		for _, name := range slices.Sorted(maps.Keys(a)) {
			if !bytes.Equal(a[name], b[name]) {
				t.Errorf("%s differs: %x and %x", name, sha256.Sum256(a[name]), sha256.Sum256(b[name]))
			}
		}
	}
	t.Logf("%s, %.1f MiB", one.Digest, float64(one.Size)/(1<<20))
}

// TestImageHoldsTheProgramAlone looks at what is in the image, and at what it
// says of itself.
func TestImageHoldsTheProgramAlone(t *testing.T) {
	e := newEngine(t)
	tree := snapshot(t)
	name := e.build("bare", tree, map[string]string{"VERSION": "v1.2.3", "REVISION": "abc", "CREATED": "2026-11-01T00:00:00Z"}, withHealth...)
	image := e.inspect(name)
	if image.Size > limit {
		t.Errorf("%d bytes, at most %d", image.Size, limit)
	}
	if image.User != "65532:65532" {
		t.Errorf("runs as %q", image.User)
	}
	if got := slices.Concat(image.Config.Entrypoint, image.Config.Cmd); !slices.Equal(got, []string{"/usr/local/bin/orderwalk", "run"}) {
		t.Errorf("runs %q", got)
	}
	if want := []string{"CMD", "/usr/local/bin/orderwalk", "health"}; !slices.Equal(image.HealthCheck.Test, want) {
		t.Errorf("is asked for its health by %q", image.HealthCheck.Test)
	}
	for label, want := range map[string]string{"title": "orderwalk", "version": "v1.2.3", "revision": "abc", "created": "2026-11-01T00:00:00Z"} {
		if got := image.Labels["org.opencontainers.image."+label]; got != want {
			t.Errorf("label %s: %q", label, got)
		}
	}

	files := e.files(name)
	const program, sbom = "usr/local/bin/orderwalk", "usr/share/doc/orderwalk/sbom.cdx.json"
	want := []string{"etc/ssl/certs/ca-certificates.crt", program, "usr/share/doc/orderwalk/LICENSE", "usr/share/doc/orderwalk/NOTICE", sbom}
	if got := slices.Sorted(maps.Keys(files)); !slices.Equal(got, want) {
		t.Errorf("holds %q", got)
	}
	info, err := buildinfo.Read(bytes.NewReader(files[program]))
	if err != nil {
		t.Fatal(err)
	}
	settings := map[string]string{}
	for _, s := range info.Settings {
		settings[s.Key] = s.Value
	}
	if want := strings.TrimSpace(run(t, "git", "-C", tree, "rev-parse", "HEAD")); settings["vcs.revision"] != want {
		t.Errorf("built from %q, not %s", settings["vcs.revision"], want)
	}
	if settings["CGO_ENABLED"] != "0" || settings["-trimpath"] != "true" {
		t.Errorf("built with %v", settings)
	}
	// Every module that is linked is on the list, and no other.
	var list struct {
		Components []struct{ Name, Version string }
	}
	if err := json.Unmarshal(files[sbom], &list); err != nil {
		t.Fatal(err)
	}
	var listed, linked []string
	for _, c := range list.Components {
		if c.Name != "std" {
			listed = append(listed, c.Name+" "+c.Version)
		}
	}
	for _, m := range info.Deps {
		linked = append(linked, m.Path+" "+m.Version)
	}
	slices.Sort(listed)
	slices.Sort(linked)
	if len(linked) == 0 || !slices.Equal(listed, linked) {
		t.Errorf("lists %q\nlinks %q", listed, linked)
	}
}

// TestImageOfAnotherMachine builds for a machine that this one is not.
func TestImageOfAnotherMachine(t *testing.T) {
	arch, machine := "arm64", elf.EM_AARCH64
	if runtime.GOARCH == arch {
		arch, machine = "amd64", elf.EM_X86_64
	}
	e := newEngine(t)
	// Not every buildah says BUILDPLATFORM by itself.
	name := e.build("other", snapshot(t), map[string]string{"BUILDPLATFORM": "linux/" + runtime.GOARCH}, "--platform", "linux/"+arch)
	if image := e.inspect(name); image.Architecture != arch {
		t.Errorf("an image for %s", image.Architecture)
	}
	file, err := elf.NewFile(bytes.NewReader(e.files(name)["usr/local/bin/orderwalk"]))
	if err != nil {
		t.Fatal(err)
	}
	if file.Machine != machine {
		t.Errorf("a program for %s", file.Machine)
	}
	if imports, err := file.ImportedLibraries(); err != nil || len(imports) > 0 {
		t.Errorf("needs %q, %v", imports, err)
	}
}

// withHealth has buildah keep the HEALTHCHECK.
var withHealth = []string{"--format", "docker"}

// imageInfo is what podman says of an image.
type imageInfo struct {
	Digest, Architecture, User string
	Size                       int64
	Labels                     map[string]string
	Config                     struct{ Entrypoint, Cmd []string }
	HealthCheck                struct{ Test []string }
}

func (e *engine) inspect(name string) imageInfo {
	e.t.Helper()
	var all []imageInfo
	if err := json.Unmarshal([]byte(e.podman("image", "inspect", name)), &all); err != nil || len(all) != 1 {
		e.t.Fatalf("inspect %s: %v, %d images", name, err, len(all))
	}
	return all[0]
}

// files are those of an image, by path.
func (e *engine) files(name string) map[string][]byte {
	e.t.Helper()
	container := strings.TrimSpace(e.podman("create", name))
	defer e.podman("rm", container)
	archive := filepath.Join(e.t.TempDir(), "image.tar")
	e.podman("export", "--output", archive, container)
	file, err := os.Open(archive)
	if err != nil {
		e.t.Fatal(err)
	}
	defer file.Close()
	files := map[string][]byte{}
	for r := tar.NewReader(file); ; {
		header, err := r.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			e.t.Fatal(err)
		}
		if header.Typeflag == tar.TypeDir || slices.Contains(mountPoints, header.Name) {
			continue
		}
		if files[header.Name], err = io.ReadAll(r); err != nil {
			e.t.Fatal(fmt.Errorf("read %s: %w", header.Name, err))
		}
	}
}

// mountPoints are files that podman makes where it will mount something.
var mountPoints = []string{"etc/hostname", "etc/hosts", "etc/resolv.conf", "etc/mtab", "run/.containerenv", "dev/console"}
