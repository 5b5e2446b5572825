package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"unicode"
	"unicode/utf8"
)

// hidden replaces a secret wherever it is printed.
const hidden = "[secret]"

// maxSecretFile bounds a secret's file, in bytes: many times the longest token.
const maxSecretFile = 256 << 10

// A Secret returns the current secret. A secret in a file is read at each call,
// without its byte order mark and surrounding white space; the error names the
// file. A nil Secret means that none is configured.
type Secret func() (string, error)

// String hides the secret.
func (Secret) String() string { return hidden }

// GoString hides the secret.
func (Secret) GoString() string { return hidden }

// MarshalText hides the secret in JSON and the like.
func (Secret) MarshalText() ([]byte, error) { return []byte(hidden), nil }

// LogValue hides the secret.
func (Secret) LogValue() slog.Value { return slog.StringValue(hidden) }

func secretText(text string) Secret {
	return func() (string, error) { return text, nil }
}

// secretFile reads a secret or token that is one printable word.
func secretFile(path string) Secret { return fileOf(path, oneWord) }

// fileOf reads a secret that passes the test; the test's error follows the path.
func fileOf(path string, test func(text string) error) Secret {
	return func() (string, error) {
		text, err := readSecretFile(path)
		if err != nil {
			return "", fmt.Errorf("read secret: %w", err)
		}
		return tested(shownPath(path), text, test)
	}
}

// tested returns a text that passes the test; the test's error follows shown, which
// names the file.
func tested(shown, text string, test func(text string) error) (string, error) {
	if text == "" {
		return "", fmt.Errorf("read secret: %s is empty", shown)
	}
	if err := test(text); err != nil {
		return "", fmt.Errorf("read secret: %s %w", shown, err)
	}
	return text, nil
}

// readSecretFile returns the text of a file without its byte order mark and
// surrounding white space.
func readSecretFile(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", fileFault(path, err)
	}
	defer file.Close()
	return readSecret(file, shownPath(path))
}

// readSecret is readSecretFile for an open file; shown names it in errors.
func readSecret(file *os.File, shown string) (string, error) {
	data, err := io.ReadAll(io.LimitReader(file, maxSecretFile+1))
	switch {
	case err != nil:
		return "", faultOf(shown, err)
	case len(data) > maxSecretFile:
		return "", fmt.Errorf("%s has more than %d KiB", shown, maxSecretFile>>10)
	case bytes.HasPrefix(data, []byte{0xff, 0xfe}), bytes.HasPrefix(data, []byte{0xfe, 0xff}), bytes.IndexByte(data, 0) >= 0:
		return "", fmt.Errorf("%s is UTF-16 or binary, as PowerShell's > writes it: save it as ASCII or UTF-8", shown)
	}
	return strings.TrimSpace(string(bytes.TrimPrefix(data, []byte("\ufeff")))), nil
}

// oneWord accepts printable ASCII without spaces and without quotes around it,
// which is the form of the vendor's secrets, tokens and keys and of bearer tokens.
// It names the characters that editors and shells add to a secret; the vendor
// would only answer that the secret is wrong.
func oneWord(text string) error {
	switch at := strings.IndexFunc(text, func(r rune) bool { return r <= ' ' || r > '~' }); {
	case at >= 0 && (text[at] == '\n' || text[at] == '\r'):
		return errors.New("has more than one line")
	case at >= 0 && text[at] == ' ':
		return errors.New("has a space in it")
	case at >= 0:
		return fmt.Errorf("has a character that is not printable ASCII, at byte %d", at+1)
	case strings.HasPrefix(text, "${") && strings.HasSuffix(text, "}"):
		return errors.New("is a reference, ${…}, that nothing has replaced")
	}
	return unquoted(text)
}

// password accepts text without control characters; Kafka accepts any text.
func password(text string) error {
	switch {
	case !utf8.ValidString(text):
		return errors.New("is not UTF-8")
	case strings.ContainsFunc(text, func(r rune) bool { return unicode.IsControl(r) || r == '\ufeff' }):
		return errors.New("has a line end or another control character in it")
	}
	return nil
}

// passwordText is password for a variable, where quotes are a mistake.
func passwordText(text string) error {
	if err := password(text); err != nil {
		return err
	}
	return unquoted(text)
}

// unquoted rejects the quotes that `docker run --env-file` and some secret editors
// keep around a value.
func unquoted(text string) error {
	if quoted(text) {
		return errors.New("has quotes around it, which `docker run --env-file` keeps")
	}
	return nil
}

func quoted(text string) bool {
	for _, pair := range []string{`""`, `''`, "“”", "‘’", "``"} {
		left, size := utf8.DecodeRuneInString(pair)
		if strings.HasPrefix(text, string(left)) && strings.HasSuffix(text, pair[size:]) && len(text) > size {
			return true
		}
	}
	return false
}

// secret returns a secret that is set as text or as a file; nil if neither is set
// or it has a fault.
func (f *faults) secret(textName, text, fileName, file string) Secret {
	return f.secretOf(textName, text, fileName, file, oneWord, oneWord, "give the secret as it is")
}

// password is secret for passwords, which may contain spaces and letters of any
// script.
func (f *faults) password(textName, text, fileName, file string) Secret {
	return f.secretOf(textName, text, fileName, file, passwordText, password, "remove them, or use "+fileName+" if they are part of it")
}

func (f *faults) secretOf(textName, text, fileName, file string, testText, testFile func(string) error, allowed string) Secret {
	switch {
	case text != "" && file != "":
		f.add(textName, "and "+fileName+" are both set", "give one of them")
		return nil
	case file != "":
		s := fileOf(file, testFile)
		if _, err := s(); err != nil {
			f.add(fileName, strings.TrimPrefix(err.Error(), "read secret: "), "give a file that holds the secret and can be read")
			return nil
		}
		return s
	case text != "":
		if err := testText(text); err != nil {
			f.add(textName, err.Error(), allowed)
			return nil
		}
		return secretText(text)
	}
	return nil
}

// fileFault returns a short error for a file that cannot be read.
func fileFault(path string, err error) error { return faultOf(shownPath(path), err) }

// faultOf is fileFault for a path in the form that may be shown.
func faultOf(shown string, err error) error {
	var pathErr *os.PathError
	if errors.As(err, &pathErr) {
		err = pathErr.Err
	}
	return fmt.Errorf("%s: %w", shown, err)
}
