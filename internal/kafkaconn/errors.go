package kafkaconn

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"syscall"

	"github.com/segmentio/kafka-go"
)

// The steps of making a connection, as an [Error] names them.
const (
	stepConnect = "connect to"
	stepEncrypt = "encrypt the connection to"
	stepGreet   = "talk to"
	stepLogin   = "log in to"
)

// Error is a connection that could not be made. There is no secret in it.
type Error struct {
	Step string // what was being done, such as "log in to"
	Addr string // of the broker, host:port
	As   string // who we are, where that matters; see Kafka.Principal
	// Told says that nobody gave us the address but the cluster, which has it
	// from the broker's advertised.listeners.
	Told bool
	Hint string // what to do about it
	Err  error
}

func (e *Error) Error() string {
	text := e.Step + " " + e.Addr
	if e.As != "" {
		text += " as " + e.As
	}
	if e.Told && e.Step == stepConnect {
		text += ", the address a broker advertises"
	}
	return text + ": " + e.Err.Error()
}

func (e *Error) Unwrap() error { return e.Err }

// fileError is a certificate or a secret that cannot be read or used.
type fileError struct{ err error }

func (e *fileError) Error() string { return e.err.Error() }
func (e *fileError) Unwrap() error { return e.err }

// passing is a connection that could be made before: a secret may have changed
// in one place and not yet in the other. That is waited for without end, like a
// Kafka that is away; so the code that others take for final is hidden.
type passing struct{ err error }

func (e *passing) Error() string { return e.err.Error() }

// Refused tells errors that no waiting cures, only somebody who changes a file,
// a setting or the broker: a login that is refused, certificates that do not
// fit, files that cannot be read. After a first success nothing counts as that any
// more, see the package comment.
func Refused(err error) bool {
	var file *fileError
	var grant *grantError
	return errors.As(err, &file) || errors.As(err, &grant) && grant.final ||
		errors.Is(err, kafka.SASLAuthenticationFailed) || errors.Is(err, kafka.UnsupportedSASLMechanism) ||
		errors.Is(err, kafka.IllegalSASLState) || isTLS(err)
}

// HintFor says what to do about a connection that could not be made; "" for
// other errors.
func HintFor(err error) string {
	var e *Error
	if errors.As(err, &e) {
		return e.Hint
	}
	return ""
}

// Hint is HintFor, and knows what it means when a broker hangs up on a
// connection that was made: it may want a login and get none.
func (k *Kafka) Hint(err error) string {
	if hint := HintFor(err); hint != "" {
		return hint
	}
	return k.hint("", err)
}

// failure makes the error of a step.
func (k *Kafka) failure(step, addr string, err error) *Error {
	e := &Error{Step: step, Addr: addr, Err: err, Hint: k.hint(step, err), Told: !slices.Contains(k.cfg.Brokers, addr)}
	if e.Told && step == stepConnect {
		e.Hint = "make the address reachable from here, or set that broker's advertised.listeners to one that is"
	}
	var grant *grantError
	if step == stepLogin && !errors.As(err, &grant) {
		e.As = k.Principal()
	}
	if k.worked.Load() && Refused(err) {
		e.Err = &passing{err}
	}
	return e
}

// hint names the variables to look at. A broker that closes the connection
// without a word is how both a wrong login and missing encryption can look.
func (k *Kafka) hint(step string, err error) string {
	var dns *net.DNSError
	var network net.Error
	var file *fileError
	var grant *grantError
	var host x509.HostnameError
	var authority x509.UnknownAuthorityError
	var record tls.RecordHeaderError
	// A broker that hangs up on what it has not read resets the connection.
	closed := errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET)
	switch mechanism := k.cfg.SASL.Mechanism; {
	case errors.As(err, &file):
		return "check the files and values that the ORDERWALK_KAFKA_TLS_ and ORDERWALK_KAFKA_SASL_ variables name"
	case errors.As(err, &grant) && mechanism == AWSMSKIAM:
		return "check the pod's role and its trust policy"
	case errors.As(err, &grant):
		return "check ORDERWALK_KAFKA_SASL_TOKEN_URL, _CLIENT_ID, _CLIENT_SECRET and _SCOPE"
	case errors.Is(err, kafka.UnsupportedSASLMechanism):
		return "set ORDERWALK_KAFKA_SASL_MECHANISM to one that the broker offers on this port"
	case errors.Is(err, kafka.SASLAuthenticationFailed):
		return loginHint(mechanism)
	case errors.As(err, &host):
		return "set ORDERWALK_KAFKA_TLS_SERVER_NAME to a name in the broker's certificate, or dial it by one"
	case errors.As(err, &authority):
		return "set ORDERWALK_KAFKA_TLS_CA_FILE to the authority that signed the broker's certificate"
	case errors.As(err, &record):
		return "the broker does not answer in TLS: use its TLS port, or unset ORDERWALK_KAFKA_TLS_ENABLE"
	case isTLS(err):
		return "check the ORDERWALK_KAFKA_TLS_ variables: the broker refuses our certificate, or wants one"
	case (closed || errors.Is(err, context.DeadlineExceeded)) && step == stepEncrypt:
		return "the broker does not answer in TLS: use its TLS port, or unset ORDERWALK_KAFKA_TLS_ENABLE"
	case closed && mechanism != "" && k.cfg.TLS == nil:
		return "the broker hangs up; does it want TLS (ORDERWALK_KAFKA_TLS_ENABLE)? If not, check the ORDERWALK_KAFKA_SASL_ variables"
	case closed && mechanism != "":
		return "the broker hangs up; check the ORDERWALK_KAFKA_SASL_ variables"
	case closed && k.cfg.TLS == nil:
		return "the broker hangs up; does it want TLS (ORDERWALK_KAFKA_TLS_ENABLE) or a login (ORDERWALK_KAFKA_SASL_MECHANISM)?"
	case closed:
		return "the broker hangs up; does it want a login (ORDERWALK_KAFKA_SASL_MECHANISM), or no TLS (ORDERWALK_KAFKA_TLS_ENABLE)?"
	case errors.As(err, &dns):
		return "check the host names in ORDERWALK_KAFKA_BROKERS"
	case step == stepConnect && errors.As(err, &network) && network.Timeout():
		return "nothing answers at that address: check ORDERWALK_KAFKA_BROKERS, and what may drop packets on the way, such as a firewall or a network policy"
	}
	return "check ORDERWALK_KAFKA_BROKERS and that a broker runs there; `orderwalk dev` needs no Kafka"
}

func loginHint(mechanism string) string {
	switch mechanism {
	case OAuthBearer:
		return "the broker refuses the token: check its issuer, audience and expiry against the broker's sasl.oauthbearer settings, and where the ORDERWALK_KAFKA_SASL_TOKEN_ variable gets it"
	case AWSMSKIAM:
		return "grant kafka-cluster:Connect to the role, and compare region and clock"
	}
	return "check ORDERWALK_KAFKA_SASL_USERNAME and its password (_PASSWORD or _PASSWORD_FILE), and that the user has credentials for " + mechanism
}

// Principal is what Kafka most probably calls this client, as ACLs name it: the
// user, the subject of the token or of the certificate. Only brokers know for
// sure: rules of theirs may make another name of it.
func (k *Kafka) Principal() string {
	if k.cfg.SASL.Mechanism != "" {
		return k.login.principal()
	}
	k.mu.Lock()
	cert := k.seen
	k.mu.Unlock()
	if cert == nil && k.cfg.TLS != nil && k.cfg.TLS.CertFile != "" {
		if pair, err := tls.LoadX509KeyPair(k.cfg.TLS.CertFile, k.cfg.TLS.KeyFile); err == nil {
			cert = &pair
		}
	}
	if cert != nil && cert.Leaf != nil {
		return fmt.Sprintf("User:%s", cert.Leaf.Subject) // RFC 2253, as Java writes it
	}
	return "User:ANONYMOUS"
}
