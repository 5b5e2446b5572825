package config

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/kelseyhightower/envconfig"
)

// ListenTLS is the encryption of the HTTP listener.
type ListenTLS struct {
	// CertFile and KeyFile hold the server's certificate and key; both or neither.
	// Without them the listener serves plain HTTP.
	CertFile, KeyFile string
	// ClientCAFile holds the authorities of clients that may change state; empty = none.
	ClientCAFile string
}

// listenTLS reads the settings and checks that the files fit together: a listener that
// cannot encrypt must not start, in clear least of all.
func (f *faults) listenTLS(env *environment) ListenTLS {
	t := ListenTLS{
		CertFile:     f.readable("LISTEN_TLS_CERT_FILE", env.ListenTLSCertFile),
		KeyFile:      f.readable("LISTEN_TLS_KEY_FILE", env.ListenTLSKeyFile),
		ClientCAFile: f.readable("LISTEN_TLS_CLIENT_CA_FILE", env.ListenTLSClientCaFile),
	}
	cert, key := variable("LISTEN_TLS_CERT_FILE"), variable("LISTEN_TLS_KEY_FILE")
	switch {
	case env.ListenTLSCertFile != "" && env.ListenTLSKeyFile == "":
		f.add(key, "is not set, but "+cert+" is", "give the file of the certificate's key")
	case env.ListenTLSCertFile == "" && env.ListenTLSKeyFile != "":
		f.add(cert, "is not set, but "+key+" is", "give the file of the key's certificate")
	case t.CertFile != "" && t.KeyFile != "":
		f.keyPair(t)
	}
	if env.ListenTLSClientCaFile != "" && env.ListenTLSCertFile == "" && env.ListenTLSKeyFile == "" {
		f.add(cert, "is not set, but "+variable("LISTEN_TLS_CLIENT_CA_FILE")+" is", "give certificate and key of the listener, or remove that one")
	}
	if t.ClientCAFile != "" {
		if err := holdsCertificate(t.ClientCAFile); err != nil {
			f.add(variable("LISTEN_TLS_CLIENT_CA_FILE"), err.Error(), "give a PEM file of certificate authorities")
		}
	}
	return t
}

// keyPair requires a certificate and its key.
func (f *faults) keyPair(t ListenTLS) {
	if err := holdsCertificate(t.CertFile); err != nil {
		f.add(variable("LISTEN_TLS_CERT_FILE"), err.Error(), "give a PEM file of the certificate, followed by those that it was signed with")
		return
	}
	if _, err := tls.LoadX509KeyPair(t.CertFile, t.KeyFile); err != nil {
		f.add(variable("LISTEN_TLS_KEY_FILE"), fileFault(t.KeyFile, errors.New(strings.TrimPrefix(err.Error(), "tls: "))).Error(),
			"give a PEM file of the certificate's key, unencrypted")
	}
}

// holdsCertificate returns why a file has no certificate. It does not quote the file.
func holdsCertificate(path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return fileFault(path, err)
	}
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		if _, err := x509.ParseCertificate(block.Bytes); err != nil {
			return fileFault(path, errors.New("a certificate in it cannot be read"))
		}
		return nil
	}
	return fileFault(path, errors.New("it has no certificate in PEM"))
}

// ListensTLS reports whether the HTTP listener is encrypted, for commands that call a
// running worker; see Listen.
func ListensTLS(defaults map[string]string) (bool, error) {
	files, err := ListenTLSFiles(defaults)
	return files.CertFile != "", err
}

// ListenTLSFiles returns the configured files of the HTTP listener for the same commands.
// It does not look at the files.
func ListenTLSFiles(defaults map[string]string) (ListenTLS, error) {
	var env environment
	if err := envconfig.Process(prefix, &env); err != nil {
		return ListenTLS{}, fmt.Errorf("read environment: %w", err)
	}
	fillDefaults(&env, defaults)
	return ListenTLS{CertFile: env.ListenTLSCertFile, KeyFile: env.ListenTLSKeyFile, ClientCAFile: env.ListenTLSClientCaFile}, nil
}
