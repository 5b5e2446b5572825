package kafkatest

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/rogpeppe/go-internal/lockedfile"
)

// Version is the Apache Kafka version that tests use; pom.xml names the same. Older is
// the last version before Kafka 4, for tests of differences; see Options.Version.
const (
	Version = "4.3.1"
	Older   = "3.9.1"
)

//go:embed pom.xml
var pom []byte

//go:embed log4j2.properties
var log4j2 []byte

// ErrNoJava means that java, or mvn if it is needed, is not in the PATH; it says what
// to install.
var ErrNoJava = errors.New("install JDK 17+ and Maven (Debian: apt-get install openjdk-17-jre-headless maven)")

// Fetch downloads the jars if they are missing and returns their cache folder. It is
// idempotent, and safe for concurrent processes: one downloads, the others wait.
func Fetch(ctx context.Context) (string, error) { return fetch(ctx, Version) }

// fetch is Fetch for one of the versions.
func fetch(ctx context.Context, version string) (string, error) {
	return FetchJars(ctx, "kafka-"+version, bytes.ReplaceAll(pom, []byte(Version), []byte(version)))
}

// FetchJars downloads the jars that pom names into .cache/name if they are missing,
// and returns that folder. Maven verifies each jar by the checksum of its repository.
func FetchJars(ctx context.Context, name string, pom []byte) (string, error) {
	root, err := ModuleRoot()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(root, ".cache", name)
	if err := find("java"); err != nil {
		return "", err
	}
	for _, sub := range []string{"log", "run"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o755); err != nil {
			return "", fmt.Errorf("make the cache folder: %w", err)
		}
	}
	unlock, err := lockedfile.MutexAt(filepath.Join(dir, "lock")).Lock()
	if err != nil {
		return "", fmt.Errorf("lock the cache folder: %w", err)
	}
	defer unlock()
	if err := os.WriteFile(filepath.Join(dir, "log4j2.properties"), log4j2, 0o644); err != nil {
		return "", fmt.Errorf("write log4j2.properties: %w", err)
	}
	// A changed pom.xml means other jars, so the pom.xml of the download is kept
	// beside them.
	have, err := os.ReadFile(filepath.Join(dir, "lib", "pom.xml"))
	if err == nil && bytes.Equal(have, pom) {
		return dir, nil
	}
	if err := find("mvn"); err != nil {
		return "", err
	}
	if err := download(ctx, dir, pom); err != nil {
		return "", fmt.Errorf("fetch %s: %w", name, err)
	}
	return dir, nil
}

// download fills dir/lib through a second folder, so that an interrupted download
// never counts as complete.
func download(ctx context.Context, dir string, pom []byte) error {
	part, lib := filepath.Join(dir, "lib.part"), filepath.Join(dir, "lib")
	if err := os.RemoveAll(part); err != nil {
		return err
	}
	if err := os.Mkdir(part, 0o755); err != nil {
		return err
	}
	file := filepath.Join(part, "pom.xml")
	if err := os.WriteFile(file, pom, 0o644); err != nil {
		return err
	}
	mvn := exec.CommandContext(ctx, "mvn", "-q", "-B", "-C", "-f", file,
		"dependency:copy-dependencies", "-DoutputDirectory="+part)
	if out, err := mvn.CombinedOutput(); err != nil {
		return fmt.Errorf("mvn dependency:copy-dependencies: %w\n%s", err, out)
	}
	if err := os.RemoveAll(lib); err != nil {
		return err
	}
	return os.Rename(part, lib)
}

func find(program string) error {
	if _, err := exec.LookPath(program); err != nil {
		return fmt.Errorf("find %s: %w", program, ErrNoJava)
	}
	return nil
}

// ModuleRoot is the folder of the nearest go.mod at or above the working
// directory: for a test that is its package's folder.
func ModuleRoot() (string, error) {
	wd, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("find the module's root: %w", err)
	}
	for dir := wd; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", fmt.Errorf("find the module's root: no go.mod at or above %s", wd)
		}
	}
}
