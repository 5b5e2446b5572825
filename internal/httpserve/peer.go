package httpserve

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
)

// DialPeer connects to another worker of the group, which serves certificates of the same
// files. Workers are called by address, which certificates rarely name. So a server is
// trusted if it proves to have this worker's key, the current one or the one before (while
// a renewal reaches one worker after the other), or a certificate that names the host that
// is called and that this machine trusts.
func (t *TLS) DialPeer(ctx context.Context, network, address string) (net.Conn, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("call a worker: %w", err)
	}
	dialer := tls.Dialer{Config: &tls.Config{
		ServerName:         host,
		MinVersion:         tls.VersionTLS12,
		InsecureSkipVerify: true, // VerifyConnection verifies
		VerifyConnection: func(state tls.ConnectionState) error {
			leaf, between := state.PeerCertificates[0], x509.NewCertPool()
			if t.isOwn(leaf) {
				return nil
			}
			for _, c := range state.PeerCertificates[1:] {
				between.AddCert(c)
			}
			// The state has no name if the server is called by an IP address.
			_, err := leaf.Verify(x509.VerifyOptions{DNSName: host, Roots: t.peerRoots, Intermediates: between})
			return err
		},
	}}
	return dialer.DialContext(ctx, network, address)
}

// isOwn reports whether a certificate has this worker's key, which a renewal may keep. A server that presents it has
// proved in the handshake that it has the key.
func (t *TLS) isOwn(leaf *x509.Certificate) bool {
	own := t.current().Certificates[0].Leaf
	t.mu.Lock()
	before := t.before
	t.mu.Unlock()
	same := func(c *x509.Certificate) bool {
		return c != nil && bytes.Equal(leaf.RawSubjectPublicKeyInfo, c.RawSubjectPublicKeyInfo)
	}
	return same(own) || same(before)
}
