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

// The steps of opening a connection, as [Error.Step] names them.
const (
	stepConnect = "connect to"
	stepEncrypt = "encrypt the connection to"
	stepGreet   = "talk to"
	stepLogin   = "log in to"
	stepAsk     = "ask"
)

// Cause is the reason for a failed connection, as far as the client can tell.
// internal/cli/hints.go has what to do about each.
type Cause string

// The causes of an [Error].
const (
	CauseUnreachable Cause = "unreachable"        // none of those below; usually no broker listens there
	CauseName        Cause = "name"               // the host name has no address
	CauseNoAnswer    Cause = "no answer"          // no connection within DialTimeout
	CauseAdvertised  Cause = "advertised address" // no connection to an address that a broker advertises
	CauseHangUp      Cause = "hang-up"            // the broker closed the connection without an answer
	CauseFile        Cause = "file"               // a certificate or a secret cannot be read or used
	CauseGrant       Cause = "grant"              // the token or credential server returned none
	CauseMechanism   Cause = "mechanism"          // the broker does not offer this SASL mechanism
	CauseNoLogin     Cause = "no login"           // the broker does without a login on this port
	CauseLogin       Cause = "login"              // the broker refused the login
	CauseServerName  Cause = "server name"        // the broker's certificate is for another name
	CauseAuthority   Cause = "authority"          // the broker's certificate is signed by an unknown authority
	CauseNotTLS      Cause = "not TLS"            // the broker does not speak TLS on this port
	CauseCertificate Cause = "certificate"        // the broker rejected the client certificate, or requires one
)

// Error is a connection that failed to open, or that broke. It holds no secret.
type Error struct {
	Step string // the failed step, such as "log in to"
	Addr string // of the broker, host:port
	As   string // the client's principal if the login failed; see Kafka.Principal
	// Told reports whether the address comes from the broker's advertised.listeners
	// and not from the configuration.
	Told  bool
	Cause Cause
	// Mechanism and TLS are the client's settings, which the hints depend on.
	Mechanism string // of SASL; empty = no login
	TLS       bool
	Err       error
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

// fileError reports a certificate or a secret that cannot be read or used.
type fileError struct{ err error }

func (e *fileError) Error() string { return e.err.Error() }
func (e *fileError) Unwrap() error { return e.err }

// passing is a permanent error after earlier connections succeeded: a secret may
// have changed on one side and not yet on the other. Callers retry it without
// limit, like an unreachable Kafka; so it hides the code that they treat as
// permanent.
type passing struct{ err error }

func (e *passing) Error() string { return e.err.Error() }

// Refused reports whether an error lasts until an operator changes a file, a setting
// or the broker: a refused login, a certificate that does not match, a file that
// cannot be read. After a first success it reports false, see the package comment.
func Refused(err error) bool {
	var file *fileError
	var grant *grantError
	return errors.As(err, &file) || errors.As(err, &grant) && grant.final ||
		errors.Is(err, kafka.SASLAuthenticationFailed) || errors.Is(err, kafka.UnsupportedSASLMechanism) ||
		errors.Is(err, kafka.IllegalSASLState) || isTLS(err)
}

// Failed returns the [Error] in err, or creates one for a request that failed on a
// connection: a broker that requires a login may close the connection at the first
// request.
func (k *Kafka) Failed(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return &Error{Step: stepAsk, Addr: k.Addr.String(), Cause: k.cause("", err), Mechanism: k.cfg.SASL.Mechanism, TLS: k.cfg.TLS != nil, Err: err}
}

// failure returns the error of a step.
func (k *Kafka) failure(step, addr string, err error) *Error {
	e := &Error{Step: step, Addr: addr, Err: err, Told: !slices.Contains(k.cfg.Brokers, addr),
		Cause: k.cause(step, err), Mechanism: k.cfg.SASL.Mechanism, TLS: k.cfg.TLS != nil}
	if e.Told && step == stepConnect {
		e.Cause = CauseAdvertised
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

// cause classifies the error of a step. With a wrong login and with missing
// encryption alike, a broker may just close the connection.
func (k *Kafka) cause(step string, err error) Cause {
	var dns *net.DNSError
	var network net.Error
	var file *fileError
	var grant *grantError
	var host x509.HostnameError
	var authority x509.UnknownAuthorityError
	var record tls.RecordHeaderError
	// A broker that closes the connection with unread data resets it.
	closed := errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET)
	switch {
	case errors.As(err, &file):
		return CauseFile
	case errors.As(err, &grant):
		return CauseGrant
	case errors.Is(err, kafka.UnsupportedSASLMechanism):
		return CauseMechanism
	case errors.Is(err, kafka.IllegalSASLState):
		return CauseNoLogin
	case errors.Is(err, kafka.SASLAuthenticationFailed):
		return CauseLogin
	case errors.As(err, &host):
		return CauseServerName
	case errors.As(err, &authority):
		return CauseAuthority
	case errors.As(err, &record):
		return CauseNotTLS
	case isTLS(err):
		return CauseCertificate
	case (closed || errors.Is(err, context.DeadlineExceeded)) && step == stepEncrypt:
		return CauseNotTLS
	case closed:
		return CauseHangUp
	case errors.As(err, &dns):
		return CauseName
	case step == stepConnect && errors.As(err, &network) && network.Timeout():
		return CauseNoAnswer
	}
	return CauseUnreachable
}

// Principal returns the client's probable principal, as ACLs name it: the user, or
// the subject of the token or certificate. The brokers' mapping rules may change
// it.
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
