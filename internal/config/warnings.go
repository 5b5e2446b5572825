package config

import (
	"net"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strings"
)

// Warnings returns a sentence for each setting that is allowed but unsafe: secrets
// sent in clear to another machine, and a key file that other users can access.
func (c *Config) Warnings() []string {
	var all []string
	sasl := c.Kafka.SASL.Mechanism
	elsewhere := func(broker string) bool { host, _, _ := net.SplitHostPort(broker); return !loopback(host) }
	if (sasl == "PLAIN" || sasl == oauthBearer) && !c.Kafka.TLS.Enable && slices.ContainsFunc(c.Kafka.Brokers, elsewhere) {
		all = append(all, "SASL "+sasl+" without TLS sends the password or token in clear: set "+variable("KAFKA_TLS_ENABLE")+", or use SCRAM")
	}
	if inClear(c.Kafka.SASL.TokenURL) {
		all = append(all, variable("KAFKA_SASL_TOKEN_URL")+" is http: the client secret is sent in clear; give https")
	}
	sends := func(s Shop) bool { return s.Auth != authCloudOpen }
	if inClear(c.APIURL) && (c.Component.AppID != "" || slices.ContainsFunc(c.Shops, sends)) {
		all = append(all, variable("API_URL")+" is http: secrets and access tokens are sent in clear; give https")
	}
	for _, s := range c.Shops {
		if s.Auth == authStatic && inClear(s.TokenServer.URL) {
			all = append(all, "the access token URL of shop "+s.Name+" is http: its secret and the token are sent in clear; give https")
			break // the others' are likely the same
		}
	}
	for _, key := range []struct{ name, path string }{{"STATE_KEY_FILE", c.StateKeyFile}, {"LISTEN_TLS_KEY_FILE", c.ListenTLS.KeyFile}} {
		if key.path == "" {
			continue
		}
		if info, err := os.Stat(key.path); err == nil && info.Mode().Perm()&0o007 != 0 {
			all = append(all, variable(key.name)+" can be used by every user of this machine (mode "+info.Mode().Perm().String()+"): make it 0400 or 0440")
		}
	}
	return all
}

// inClear reports whether requests to an address leave this machine in plain http.
func inClear(address string) bool {
	u, err := url.Parse(address)
	return err == nil && u.Scheme == "http" && !loopback(u.Hostname())
}

func loopback(host string) bool {
	ip, _ := netip.ParseAddr(host)
	return ip.Unmap().IsLoopback() || strings.EqualFold(host, "localhost")
}
