package kafkaconn

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
)

// encrypt opens a TLS connection on conn, with the current files.
func (t *TLS) encrypt(ctx context.Context, conn net.Conn, addr string) (*tls.Conn, *tls.Certificate, error) {
	c, err := t.config(addr)
	if err != nil {
		return nil, nil, err
	}
	secure := tls.Client(conn, c)
	if err := secure.HandshakeContext(ctx); err != nil {
		return nil, nil, err
	}
	if len(c.Certificates) == 0 {
		return secure, nil, nil
	}
	return secure, &c.Certificates[0], nil
}

func (t *TLS) config(addr string) (*tls.Config, error) {
	c := &tls.Config{ServerName: t.ServerName, MinVersion: tls.VersionTLS12}
	if c.ServerName == "" {
		host, _, err := net.SplitHostPort(addr)
		if err != nil {
			return nil, fmt.Errorf("find server name: %w", err)
		}
		c.ServerName = host
	}
	if t.CAFile != "" {
		pem, err := os.ReadFile(t.CAFile)
		if err != nil {
			return nil, &fileError{fmt.Errorf("read authorities: %w", err)}
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, &fileError{fmt.Errorf("read authorities: no PEM certificate in %s", t.CAFile)}
		}
	}
	if t.CertFile != "" {
		cert, err := tls.LoadX509KeyPair(t.CertFile, t.KeyFile)
		if err != nil {
			return nil, &fileError{fmt.Errorf("read client certificate: %w", err)}
		}
		// Offered whatever authorities the broker names: a wrong certificate should be
		// rejected as such, not look like a missing one.
		c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &cert, nil }
		c.Certificates = []tls.Certificate{cert}
	}
	return c, nil
}

// isTLS reports whether an error is about TLS: a certificate that does not match, the
// client certificate rejected by the broker, or an answer that is not TLS.
func isTLS(err error) bool {
	var verify *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	var alert tls.AlertError
	var op *net.OpError
	return errors.As(err, &verify) || errors.As(err, &record) || errors.As(err, &alert) ||
		errors.As(err, &op) && op.Op == "remote error"
}
