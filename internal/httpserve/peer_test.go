package httpserve

import (
	"crypto/x509"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"orderwalk/test/certtest"
)

// A worker trusts a worker with its own certificate, before and after a renewal, and no
// other server, not even one of the same authority.
func TestWorkersTrustTheirOwnCertificate(t *testing.T) {
	a, mine := certtest.New(t), files{t, t.TempDir()}
	mine.writePair(a, "worker")
	me := startSecure(t, mine, "", a)

	others := files{t, t.TempDir()}
	others.writePair(a, "worker")
	stranger := startSecure(t, others, "", a)

	call := func(s *secure) error {
		transport := &http.Transport{DialTLSContext: me.tls.DialPeer, DisableKeepAlives: true}
		_, _, err := s.ask(&http.Client{Transport: transport, Timeout: 20 * time.Second})
		return err
	}
	if err := call(me); err != nil {
		t.Errorf("its own certificate: %v", err)
	}
	if err := call(stranger); err == nil {
		t.Error("another certificate of the same authority is trusted")
	}
	// One that names the address is trusted if its authority is, at that address only.
	me.tls.peerRoots = a.Pool()
	if err := call(stranger); err != nil {
		t.Errorf("a certificate that names the address: %v", err)
	}
	elsewhere := *stranger
	elsewhere.address = strings.Replace(stranger.address, "127.0.0.1", "0.0.0.0", 1) // reaches it too
	var name x509.HostnameError
	if err := call(&elsewhere); !errors.As(err, &name) {
		t.Errorf("a certificate that does not name the address: %v", err)
	}
	me.tls.peerRoots = nil

	// A renewal that has reached this worker and not yet the other one.
	peerFiles := files{t, t.TempDir()}
	for _, name := range []string{"tls.crt", "tls.key"} {
		peerFiles.write(name, mine.read(name))
	}
	peer := startSecure(t, peerFiles, "", a)
	mine.writePair(a, "renewed")
	if got := me.next(); got != "renewed" {
		t.Fatalf("serves %q", got)
	}
	if err := call(peer); err != nil {
		t.Errorf("the certificate before: %v", err)
	}
	if err := call(me); err != nil {
		t.Errorf("the renewed certificate: %v", err)
	}
	mine.writePair(a, "renewed again")
	me.next()
	if err := call(peer); err == nil {
		t.Error("a certificate that was replaced twice is trusted")
	}
}
