package cli

import (
	"errors"
	"io"
	"net"
	"syscall"

	"github.com/segmentio/kafka-go"
)

// hintFor says what to try, for the failures a newcomer meets. Errors of the
// API carry their own hint.
func hintFor(err error) string {
	var reach *reachError
	if errors.As(err, &reach) {
		return reach.hint()
	}
	var listen *net.OpError
	if errors.As(err, &listen) && listen.Op == "listen" && errors.Is(err, syscall.EADDRINUSE) {
		return "another program listens there; set ORDERWALK_LISTEN (or --listen) to a free port"
	}
	return ""
}

// hint names the variables to look at. A broker that closes the connection
// without a word is how both a wrong login and missing encryption can look.
func (e *reachError) hint() string {
	var dns *net.DNSError
	var file *fileError
	closed := errors.Is(e.err, io.EOF) || errors.Is(e.err, io.ErrUnexpectedEOF)
	switch {
	case errors.Is(e.err, kafka.SASLAuthenticationFailed), errors.Is(e.err, kafka.UnsupportedSASLMechanism),
		closed && e.kafka.SASL.Mechanism != "":
		return "check the ORDERWALK_KAFKA_SASL_ variables: the broker refuses mechanism, user name or password"
	case isTLS(e.err):
		return "check the ORDERWALK_KAFKA_TLS_ variables: authorities, server name, client certificate"
	case closed:
		return "the broker hangs up; does it want TLS (ORDERWALK_KAFKA_TLS_ENABLE) or a login (ORDERWALK_KAFKA_SASL_MECHANISM)?"
	case errors.As(e.err, &dns):
		return "check the host names in ORDERWALK_KAFKA_BROKERS"
	case errors.As(e.err, &file):
		return "check the files that the ORDERWALK_KAFKA_TLS_ and ORDERWALK_KAFKA_SASL_ variables name"
	default:
		return "check ORDERWALK_KAFKA_BROKERS and that a broker runs there; `orderwalk dev` needs no Kafka"
	}
}
