package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"orderwalk/internal/config"
	"orderwalk/test/certtest"
)

// A certificate needs its own key, and the listener is known to be encrypted also to
// commands that read nothing else.
func TestListenTLS(t *testing.T) {
	a, dir := certtest.New(t), t.TempDir()
	write := func(name string, text []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	certPEM, keyPEM := a.Issue(t, "worker")
	_, otherPEM := a.Issue(t, "another")
	cert, key, other, ca := write("crt", certPEM), write("key", keyPEM), write("other", otherPEM), write("ca", a.PEM)
	set := func(key string) {
		setenv(t, append(minimal, "ORDERWALK_LISTEN_TLS_CERT_FILE="+cert, "ORDERWALK_LISTEN_TLS_KEY_FILE="+key, "ORDERWALK_LISTEN_TLS_CLIENT_CA_FILE="+ca)...)
	}
	set(key)
	if got, want := mustLoad(t, nil).ListenTLS, (config.ListenTLS{CertFile: cert, KeyFile: key, ClientCAFile: ca}); got != want {
		t.Errorf("got %v, want %v", got, want)
	}
	set(other)
	_, err := config.Load(nil)
	if err == nil || !strings.Contains(err.Error(), "ORDERWALK_LISTEN_TLS_KEY_FILE") || !strings.Contains(err.Error(), "private key does not match") {
		t.Errorf("a key of another certificate: %v", err)
	}
	set(filepath.Join(dir, "none"))
	if on, err := config.ListensTLS(nil); !on || err != nil {
		t.Errorf("ListensTLS = %v, %v", on, err)
	}
	setenv(t)
	if on, err := config.ListensTLS(map[string]string{"ORDERWALK_LISTEN_TLS_CERT_FILE": cert}); !on || err != nil {
		t.Errorf("ListensTLS of a default = %v, %v", on, err)
	}
	if on, err := config.ListensTLS(nil); on || err != nil {
		t.Errorf("ListensTLS = %v, %v", on, err)
	}
}
