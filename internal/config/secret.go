package config

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
)

// hidden is what a secret looks like wherever it is printed.
const hidden = "[secret]"

// A Secret returns the secret as it is now. One that lives in a file is read
// again at each call, without the white space around it; the error names the
// file. A nil Secret means that none was given.
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

func secretFile(path string) Secret {
	return func() (string, error) {
		data, err := os.ReadFile(path)
		if err != nil {
			return "", fmt.Errorf("read secret: %w", err)
		}
		text := strings.TrimSpace(string(data))
		if text == "" {
			return "", fmt.Errorf("read secret: %q is empty", path)
		}
		return text, nil
	}
}

// secret takes a secret given as text or as a file; nil if neither was, or if
// there is something wrong with it.
func (f *faults) secret(textName, text, fileName, file string) Secret {
	switch {
	case text != "" && file != "":
		f.add(textName, "and "+fileName+" are both set", "give one of them")
		return nil
	case file != "":
		s := secretFile(file)
		if _, err := s(); err != nil {
			f.add(fileName, fileFault(file, err), "give a file that holds the secret and can be read")
			return nil
		}
		return s
	case text != "":
		return secretText(text)
	}
	return nil
}

// fileFault says in few words why a file cannot be read.
func fileFault(path string, err error) string {
	var pathErr *os.PathError
	if errors.As(err, &pathErr) {
		return fmt.Sprintf("%q: %v", path, pathErr.Err)
	}
	return strings.TrimPrefix(err.Error(), "read secret: ")
}
