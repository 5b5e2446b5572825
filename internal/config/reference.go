package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// HiddenSecret stands for a secret that has no reference, as Kafka Connect shows one.
const HiddenSecret = "[hidden]"

// The providers of references, as they begin after the brace.
const fromFile, fromEnv = "file:", "env:"

// secretReader reads the secret of a field that is given, and returns its reference for
// showing. A secret with a fault is nil.
type secretReader func(f *faults, field string, given map[string]string, at func(field string) string) (Secret, string)

// listedSecret reads a secret of the shops file.
func listedSecret(f *faults, field string, given map[string]string, at func(field string) string) (Secret, string) {
	s := f.secret(at(field), given[field], at(field+"_file"), given[field+"_file"])
	if file := given[field+"_file"]; file != "" {
		return s, fileReference(file)
	}
	return s, HiddenSecret
}

// variableSecret reads a secret of the variables.
func variableSecret(f *faults, field string, given map[string]string, at func(field string) string) (Secret, string) {
	s, reference := listedSecret(f, field, given, at)
	if reference == HiddenSecret {
		reference = "${" + fromEnv + at(field) + "}"
	}
	return s, reference
}

func fileReference(path string) string { return "${" + fromFile + path + "}" }

// reference is what a configuration sent over HTTP gives instead of a secret.
type reference struct {
	env  string // the name of a variable; empty = file
	file string // its path
	key  string // of a property in the file; empty = the whole file is the secret
}

var (
	errByValue  = errors.New("is not a reference")
	errProvider = errors.New("is a reference of an unknown form")
)

// parseReference reads ${file:/path}, ${file:/path:key} or ${env:NAME}. Its errors quote
// nothing: the text may be a secret.
func parseReference(text string) (reference, error) {
	inner, isReference := strings.CutPrefix(text, "${")
	inner, ends := strings.CutSuffix(inner, "}")
	if !isReference || !ends || strings.ContainsAny(inner, "{}\n\r") {
		return reference{}, errByValue
	}
	if name, ok := strings.CutPrefix(inner, fromEnv); ok && variableName.MatchString(name) {
		return reference{env: name}, nil
	}
	rest, ok := strings.CutPrefix(inner, fromFile)
	volume := filepath.VolumeName(rest)
	path, key, keyed := strings.Cut(rest[len(volume):], ":")
	if !ok || path == "" || keyed && key == "" {
		return reference{}, errProvider
	}
	return reference{file: volume + path, key: key}, nil
}

var variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// envRefused returns why the secret of a field may not come from a variable of the
// environment; "" if it may.
//
// A caller that may send a configuration must not have the worker's own credentials sent
// anywhere. So a field may name, of orderwalk's variables, only the one that means the
// same, and no variable of the AWS login or of a proxy, whose address may hold a
// password.
func envRefused(field, name string) string {
	upper := strings.ToUpper(name)
	switch {
	case upper == variable(strings.ToUpper(field)):
		return ""
	case strings.HasPrefix(upper, prefix):
		return "names a variable of the worker's own settings"
	case strings.HasPrefix(upper, "AWS_"), strings.HasSuffix(upper, "_PROXY"):
		return "names a variable of the worker's own connections"
	}
	return ""
}

// secretFiles opens the files that references may name.
type secretFiles struct {
	// dirs are absolute and clean.
	dirs []string
	// own are the files of the worker's own settings, which are refused.
	own []string
}

var (
	errNoDirs    = errors.New("names a file, but " + variable("REST_SECRET_DIRS") + " lists no directory")
	errElsewhere = errors.New("names a file that is not below a directory of " + variable("REST_SECRET_DIRS"))
	errOwn       = errors.New("names a file of the worker's own settings")
	errNoFile    = errors.New("names something else than a file")
)

// open opens a file below the directories. Symbolic links are followed, but not out of
// them: the path is resolved, and then opened below its directory by os.Root, so that a
// link that is changed in between leads nowhere.
//
// The error for a path outside the directories does not depend on what is there.
func (d secretFiles) open(path string) (*os.File, error) {
	if len(d.dirs) == 0 {
		return nil, errNoDirs
	}
	if !d.lists(path) {
		return nil, errElsewhere
	}
	target, err := filepath.EvalSymlinks(path)
	if err != nil {
		return nil, faultOf("names a file that cannot be read", err)
	}
	for _, dir := range d.dirs {
		if dir, err = filepath.EvalSymlinks(dir); err != nil {
			continue
		}
		if name, ok := below(dir, target); ok {
			return d.openIn(dir, name)
		}
	}
	return nil, errElsewhere
}

// lists reports whether a path, as text, is below a directory.
func (d secretFiles) lists(path string) bool {
	if !filepath.IsAbs(path) || filepath.Clean(path) != path {
		return false
	}
	for _, dir := range d.dirs {
		if _, ok := below(dir, path); ok {
			return true
		}
	}
	return false
}

// below returns the path relative to the directory.
func below(dir, path string) (string, bool) {
	name, err := filepath.Rel(dir, path)
	return name, err == nil && name != "." && filepath.IsLocal(name)
}

func (d secretFiles) openIn(dir, name string) (*os.File, error) {
	unread := func(err error) error { return faultOf("names a file that cannot be read", err) }
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, unread(err)
	}
	defer root.Close()
	switch info, err := root.Stat(name); { // before it is opened: a pipe would wait for its writer
	case err != nil:
		return nil, unread(err)
	case !info.Mode().IsRegular():
		return nil, errNoFile
	}
	file, err := root.Open(name)
	if err != nil {
		return nil, unread(err)
	}
	info, err := file.Stat()
	if err == nil {
		err = d.checkOwn(info)
	}
	if err != nil {
		_ = file.Close() // it was not read
		return nil, err
	}
	return file, nil
}

func (d secretFiles) checkOwn(file os.FileInfo) error {
	for _, path := range d.own {
		if own, err := os.Stat(path); err == nil && os.SameFile(own, file) {
			return errOwn
		}
	}
	return nil
}

// secret returns the secret that a field refers to. Everything is looked at again at each
// call: the rules, the directories and the file. Errors name the field and quote nothing.
func (d secretFiles) secret(field string, r reference) Secret {
	return func() (string, error) {
		text, err := d.read(field, r)
		if err != nil {
			return "", fmt.Errorf("read secret: %s %w", field, err)
		}
		return text, nil
	}
}

// read is secret with errors that continue the name of the field.
func (d secretFiles) read(field string, r reference) (string, error) {
	if r.env == "" {
		return d.readFile(r)
	}
	if why := envRefused(field, r.env); why != "" {
		return "", errors.New(why)
	}
	text := strings.TrimSpace(os.Getenv(r.env))
	if text == "" {
		return "", errors.New("names a variable that is not set")
	}
	return wordOf("names a variable that", text)
}

func (d secretFiles) readFile(r reference) (string, error) {
	file, err := d.open(r.file)
	if err != nil {
		return "", err
	}
	defer file.Close()
	text, err := readSecret(file, "names a file that")
	if err != nil {
		return "", err
	}
	if r.key == "" {
		return wordOf("names a file that", text)
	}
	text, found := property(text, r.key)
	if !found {
		return "", errors.New("names a property that its file does not have")
	}
	return wordOf("names a property that", text)
}

// wordOf returns a text that may be a secret; its error begins with shown.
func wordOf(shown, text string) (string, error) {
	if text == "" {
		return "", errors.New(shown + " is empty")
	}
	if err := oneWord(text); err != nil {
		return "", fmt.Errorf("%s %w", shown, err)
	}
	return text, nil
}

// secretDirs reads a list of directories. The file system's root is refused: below it is
// every file.
func (f *faults) secretDirs(name, given string) []string {
	const allowed = "give absolute paths of directories, separated by commas"
	var dirs []string
	for dir := range strings.SplitSeq(given, ",") {
		if dir = strings.TrimSpace(dir); dir == "" {
			continue
		}
		info, err := os.Stat(dir)
		switch {
		case !filepath.IsAbs(dir):
			f.add(variable(name), shownPath(dir)+" is not an absolute path", allowed)
		case err != nil:
			f.add(variable(name), fileFault(dir, err).Error(), allowed)
		case !info.IsDir():
			f.add(variable(name), shownPath(dir)+" is not a directory", allowed)
		case isRoot(dir):
			f.add(variable(name), shownPath(dir)+" holds every file", "give a directory of secrets of shops")
		default:
			dirs = append(dirs, filepath.Clean(dir))
		}
	}
	return dirs
}

func isRoot(dir string) bool {
	target, err := filepath.EvalSymlinks(dir)
	return err == nil && target == filepath.Dir(target)
}
