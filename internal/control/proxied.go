package control

import (
	"net/http"
	"strings"

	"orderwalk/internal/httpserve"
)

// forwarded reports whether a proxy has passed a request on, or one before it on the same
// connection: a client that makes a proxy take two requests for one must not have the
// second counted as the machine's own.
//
// A proxy that adds nothing to a request of HTTP/1.1 cannot be told from a local client.
// Where the machine has one, a token is needed.
func forwarded(r *http.Request) bool {
	flag := httpserve.Flag(r)
	return flag != nil && flag.Load() || fromProxy(r)
}

// notingProxies notes connections over which a proxy has passed on a request, reads too.
func notingProxies(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if flag := httpserve.Flag(r); flag != nil && fromProxy(r) {
			flag.Store(true)
		}
		next.ServeHTTP(w, r)
	})
}

// fromProxy reports whether a request shows that a proxy has passed it on: by a header, or
// by HTTP/1.0, which nginx speaks by default when it adds no header at all, and which local
// clients have not spoken for decades.
func fromProxy(r *http.Request) bool {
	if !r.ProtoAtLeast(1, 1) {
		return true
	}
	for name := range r.Header {
		if ofProxy(name) {
			return true
		}
	}
	return false
}

// ofProxy reports whether proxies, gateways or CDNs add a header of that name.
func ofProxy(name string) bool {
	// Servers behind a proxy write underscores for dashes, and so do some proxies.
	name = strings.ReplaceAll(strings.ToLower(name), "_", "-")
	switch name {
	case "via", "cdn-loop", "max-forwards", "surrogate-capability", "front-end-https", "x-host", "x-http-host-override", "x-scheme", "x-url-scheme":
		return true
	}
	for _, part := range []string{"forwarded", "client-ip", "clientip", "remote-addr", "remote-ip", "user-ip"} {
		if strings.Contains(name, part) {
			return true
		}
	}
	for _, prefix := range []string{
		"akamai-", "cf-", "fastly-", "fly-", "ngrok-", "proxy-", "ssl-client-", "tailscale-", "x-akamai-", "x-appengine-", "x-arr-", "x-azure-",
		"x-bluecoat-", "x-cluster-", "x-envoy-", "x-haproxy-", "x-kong-", "x-nginx-", "x-original-", "x-proxy", "x-real-", "x-rewrite-", "x-traefik-", "x-varnish",
	} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}
