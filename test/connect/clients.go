package connect

import (
	"bytes"
	"context"
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/rogpeppe/go-internal/lockedfile"

	"orderwalk/test/kafkatest"
)

//go:embed clients/pom.xml
var clientsPOM []byte

//go:embed clients/requirements.txt
var requirements []byte

//go:embed clients/SourceLab.java
var sourceLab []byte

//go:embed clients/clients.py
var pythonClients []byte

// DriveSourceLab drives the API at url with AKHQ's client: it creates the connector
// name with config, "key=value" each, uses every call of the client on it and deletes
// it. It returns what the driver printed; dir is a folder for its files.
func DriveSourceLab(ctx context.Context, dir, url, name string, config []string) (string, error) {
	cache, err := kafkatest.FetchJars(ctx, "connect-clients-java", clientsPOM)
	if err != nil {
		return "", err
	}
	source := filepath.Join(dir, "SourceLab.java")
	if err := os.WriteFile(source, sourceLab, 0o644); err != nil {
		return "", err
	}
	jars := filepath.Join(cache, "lib", "*")
	list, err := filepath.Glob(jars)
	if err != nil {
		return "", err
	}
	compile := exec.CommandContext(ctx, "java", "-Xmx128m", "-XX:TieredStopAtLevel=1", "-cp", jars,
		"org.eclipse.jdt.internal.compiler.batch.Main", "-17", "-nowarn", "-d", dir, "-cp", joined(list), source)
	if out, err := compile.CombinedOutput(); err != nil {
		return string(out), fmt.Errorf("compile the driver of AKHQ's client: %w", err)
	}
	args := []string{"-Xmx128m", "-XX:TieredStopAtLevel=1", "-cp", joined(append(list, dir)), "SourceLab", url, name}
	out, err := exec.CommandContext(ctx, "java", append(args, config...)...).CombinedOutput()
	if err != nil {
		err = fmt.Errorf("drive with AKHQ's client: %w", err)
	}
	return string(out), err
}

// DrivePython is DriveSourceLab with two clients from PyPI; the second one's connector
// is name with "-2".
func DrivePython(ctx context.Context, dir, url, name string, config []string) (string, error) {
	python, err := fetchPython(ctx)
	if err != nil {
		return "", err
	}
	source := filepath.Join(dir, "clients.py")
	if err := os.WriteFile(source, pythonClients, 0o644); err != nil {
		return "", err
	}
	out, err := exec.CommandContext(ctx, python, append([]string{source, url, name}, config...)...).CombinedOutput()
	if err != nil {
		err = fmt.Errorf("drive with the clients from PyPI: %w", err)
	}
	return string(out), err
}

func joined(paths []string) string { return strings.Join(paths, string(os.PathListSeparator)) }

// fetchPython installs the clients in a virtual environment in the cache if they are
// missing, and returns its interpreter.
func fetchPython(ctx context.Context) (string, error) {
	root, err := kafkatest.ModuleRoot()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(root, ".cache", "connect-clients-python")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	unlock, err := lockedfile.MutexAt(filepath.Join(dir, "lock")).Lock()
	if err != nil {
		return "", err
	}
	defer unlock()
	env, stamp := filepath.Join(dir, "env"), filepath.Join(dir, "requirements.txt")
	python := filepath.Join(env, "bin", "python")
	if have, err := os.ReadFile(stamp); err == nil && bytes.Equal(have, requirements) {
		return python, nil
	}
	wanted := filepath.Join(dir, "wanted.txt")
	if err := os.WriteFile(wanted, requirements, 0o644); err != nil {
		return "", err
	}
	for _, args := range [][]string{
		{"python3", "-m", "venv", "--clear", env},
		{python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "-r", wanted},
	} {
		if out, err := exec.CommandContext(ctx, args[0], args[1:]...).CombinedOutput(); err != nil {
			return "", fmt.Errorf("install the clients from PyPI (Debian: apt-get install python3-venv): %w\n%s", err, out)
		}
	}
	// Written last, so that an interrupted installation never counts as complete.
	return python, os.Rename(wanted, stamp)
}
