package cli

import (
	"crypto/tls"
	"log/slog"
	"net/http"

	"orderwalk/internal/config"
	"orderwalk/internal/httpserve"
)

// listenTLS opens the encryption of the HTTP listener; nil = plain HTTP.
func listenTLS(c config.ListenTLS, log *slog.Logger) (*httpserve.TLS, error) {
	if c.CertFile == "" {
		return nil, nil
	}
	return httpserve.OpenTLS(c.CertFile, c.KeyFile, c.ClientCAFile, log)
}

// scheme returns how the HTTP listener is called.
func scheme(encrypted bool) string {
	if encrypted {
		return "https"
	}
	return "http"
}

// probeClient returns a client for the probes of a worker on this machine. As a kubelet,
// it accepts any certificate: the name in it is that of the Service, not of this machine,
// a worker may serve the previous one while the files are faulty, and the call carries
// nothing secret. It uses no proxy.
func probeClient() *http.Client {
	return &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		TLSClientConfig:   &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: true},
	}}
}
