package cli

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"os"

	"orderwalk/internal/config"
)

// encryption returns how a worker is called by https. listener has the files of this
// machine's worker.
//
// A worker's certificate names its Service rather than 127.0.0.1. So a server is trusted
// if it has the key of the listener's certificate, which all workers of a group usually
// share, or a certificate that names the host that is called and that the authorities of
// --cacert, or else of this machine, have signed.
func (f workerFlags) encryption(host string, listener config.ListenTLS) (*tls.Config, error) {
	var roots *x509.CertPool // nil = this machine's
	if *f.caCert != "" {
		text, err := os.ReadFile(*f.caCert)
		if err != nil {
			return nil, fmt.Errorf("--cacert: %w", err)
		}
		if roots = x509.NewCertPool(); !roots.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("--cacert: %s has no certificate in PEM", *f.caCert)
		}
	}
	own := firstCertificate(listener.CertFile)
	c := &tls.Config{
		MinVersion:         tls.VersionTLS12,
		InsecureSkipVerify: true, // VerifyConnection verifies
		VerifyConnection: func(state tls.ConnectionState) error {
			leaf, between := state.PeerCertificates[0], x509.NewCertPool()
			if own != nil && bytes.Equal(leaf.RawSubjectPublicKeyInfo, own.RawSubjectPublicKeyInfo) {
				return nil
			}
			for _, cert := range state.PeerCertificates[1:] {
				between.AddCert(cert)
			}
			_, err := leaf.Verify(x509.VerifyOptions{DNSName: host, Roots: roots, Intermediates: between})
			return err
		},
	}
	switch {
	case (*f.cert == "") != (*f.key == ""):
		return nil, &usageError{"--cert and --key: give both, a certificate and its key"}
	case *f.cert != "":
		pair, err := tls.LoadX509KeyPair(*f.cert, *f.key)
		if err != nil {
			return nil, fmt.Errorf("read the client certificate: %w", err)
		}
		// To every worker, also one that trusts other authorities: its refusal says more
		// than that of a call without a certificate.
		c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil }
	default:
		// On the worker's machine its own certificate may do.
		if pair, ok := ownPair(listener); ok {
			c.Certificates = []tls.Certificate{pair}
		}
	}
	return c, nil
}

// ownPair returns the listener's certificate, if it may identify a client of the listener
// and this user may read its key. A worker ends the connection of a client with another
// one, also if the client only reads.
func ownPair(listener config.ListenTLS) (tls.Certificate, bool) {
	if listener.CertFile == "" || listener.ClientCAFile == "" {
		return tls.Certificate{}, false
	}
	authorities, err := os.ReadFile(listener.ClientCAFile)
	if err != nil {
		return tls.Certificate{}, false
	}
	pair, err := tls.LoadX509KeyPair(listener.CertFile, listener.KeyFile)
	if err != nil {
		return tls.Certificate{}, false
	}
	roots, between := x509.NewCertPool(), x509.NewCertPool()
	roots.AppendCertsFromPEM(authorities)
	for _, raw := range pair.Certificate[1:] {
		if cert, err := x509.ParseCertificate(raw); err == nil {
			between.AddCert(cert)
		}
	}
	_, err = pair.Leaf.Verify(x509.VerifyOptions{Roots: roots, Intermediates: between, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	return pair, err == nil
}

// firstCertificate returns the first certificate of a PEM file; nil if it has none that
// can be read.
func firstCertificate(path string) *x509.Certificate {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if block.Type == "CERTIFICATE" {
			cert, _ := x509.ParseCertificate(block.Bytes)
			return cert
		}
	}
	return nil
}

// tlsHint returns what to try when a worker cannot be called by https, or only so.
func tlsHint(err error) string {
	var authority x509.UnknownAuthorityError
	var name x509.HostnameError
	var invalid x509.CertificateInvalidError
	var network *net.OpError
	switch {
	case errors.As(err, &name):
		return "call the worker by a name that its certificate has, or set ORDERWALK_LISTEN_TLS_CERT_FILE here to the certificate itself"
	case errors.As(err, &authority):
		return "give the authorities of the worker's certificate with --cacert, or set ORDERWALK_LISTEN_TLS_CERT_FILE here to the certificate itself"
	case errors.As(err, &invalid):
		return "renew the worker's certificate, or compare this machine's clock with the worker's"
	case errors.As(err, &network) && network.Op == "remote error":
		return "the worker refuses the client certificate (--cert, or that of ORDERWALK_LISTEN_TLS_CERT_FILE): its authorities are in ORDERWALK_LISTEN_TLS_CLIENT_CA_FILE of the worker"
	}
	return ""
}
