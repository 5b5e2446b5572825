package cli

import (
	"errors"
	"net"
	"os"
	"syscall"

	"github.com/segmentio/kafka-go"
)

// hintFor says what to try, for the failures a newcomer meets. Errors of the
// API carry their own hint.
func hintFor(err error) string {
	var reach *reachError
	if errors.As(err, &reach) {
		return reachHint(reach.err)
	}
	var listen *net.OpError
	if errors.As(err, &listen) && listen.Op == "listen" && errors.Is(err, syscall.EADDRINUSE) {
		return "another program listens there; set ORDERWALK_LISTEN (or --listen) to a free port"
	}
	return ""
}

func reachHint(err error) string {
	var dns *net.DNSError
	switch {
	case errors.Is(err, kafka.SASLAuthenticationFailed), errors.Is(err, kafka.UnsupportedSASLMechanism):
		return "check the ORDERWALK_KAFKA_SASL_ variables: the broker refuses mechanism, user name or password"
	case isRefused(err):
		return "check the ORDERWALK_KAFKA_TLS_ variables: authorities, server name, client certificate"
	case errors.As(err, &dns):
		return "check the host names in ORDERWALK_KAFKA_BROKERS"
	case errors.Is(err, os.ErrNotExist), errors.Is(err, os.ErrPermission):
		return "check the files that the ORDERWALK_KAFKA_ variables name"
	default:
		return "check ORDERWALK_KAFKA_BROKERS, that a broker runs there, and whether it wants TLS or SASL; " +
			"`orderwalk dev` needs no Kafka"
	}
}
