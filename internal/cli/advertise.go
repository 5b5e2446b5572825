package cli

import (
	"net"
	"net/http"
	"net/netip"
	"time"

	"orderwalk/internal/config"
	"orderwalk/internal/httpserve"
)

// advertised returns the URL at which other workers reach this one: the address it
// listens on, or if that is every address of the machine, the one that Kafka sees.
func advertised(cfg *config.Config, listen net.Addr) string {
	scheme := scheme(cfg.ListenTLS.CertFile != "")
	address, err := netip.ParseAddrPort(listen.String())
	if err != nil {
		return ""
	}
	host := address.Addr()
	if host.IsUnspecified() {
		// A connected UDP socket has the address of the route; nothing is sent.
		conn, err := net.Dial("udp", cfg.Kafka.Brokers[0])
		if err != nil {
			return ""
		}
		defer conn.Close()
		local, err := netip.ParseAddrPort(conn.LocalAddr().String())
		if err != nil {
			return ""
		}
		host = local.Addr().Unmap()
	}
	return scheme + "://" + netip.AddrPortFrom(host, address.Port()).String()
}

// peerClient returns the client that calls the other workers.
func peerClient(encryption *httpserve.TLS) *http.Client {
	transport := &http.Transport{MaxIdleConnsPerHost: 2, IdleConnTimeout: time.Minute}
	if encryption != nil {
		transport.DialTLSContext = encryption.DialPeer
	}
	return &http.Client{Transport: transport}
}
