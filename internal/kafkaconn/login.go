package kafkaconn

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
	"github.com/segmentio/kafka-go/protocol/apiversions"
	"github.com/segmentio/kafka-go/protocol/saslauthenticate"
	"github.com/segmentio/kafka-go/protocol/saslhandshake"
	"github.com/segmentio/kafka-go/sasl"

	"orderwalk/internal/redact"
)

// apiVersions asks for the broker's API versions: the first exchange on every connection, and
// so the first to fail if TLS or a login is missing.
func apiVersions(conn net.Conn, clientID string) (*protocol.Conn, error) {
	pc := protocol.NewConn(conn, clientID)
	res, err := pc.RoundTrip(new(apiversions.Request))
	if err != nil {
		return nil, err
	}
	answer := res.(*apiversions.Response)
	if answer.ErrorCode != 0 {
		return nil, kafka.Error(answer.ErrorCode)
	}
	versions := make(map[protocol.ApiKey]int16, len(answer.ApiKeys))
	for _, r := range answer.ApiKeys {
		key := protocol.ApiKey(r.ApiKey)
		versions[key] = key.SelectVersion(r.MinVersion, r.MaxVersion)
	}
	pc.SetVersions(versions)
	return pc, nil
}

// login creates a SASL mechanism for each connection, with the current credentials.
type login interface {
	// mechanism returns the mechanism and the secrets that it is about to use, which
	// must not appear in an error.
	mechanism(ctx context.Context, host string) (m sasl.Mechanism, secrets []string, err error)
	// refused is called when the broker has rejected the credentials of the latest
	// mechanism.
	refused()
	// principal returns Kafka's most likely name for this client.
	principal() string
}

// authenticate logs in and returns how long the session lasts; 0 = no limit.
func authenticate(ctx context.Context, l login, pc *protocol.Conn, addr string) (session time.Duration, err error) {
	host, portText, err := net.SplitHostPort(addr)
	if err != nil {
		return 0, err
	}
	port, err := strconv.Atoi(portText)
	if err != nil {
		return 0, err
	}
	m, secrets, err := l.mechanism(ctx, host)
	if err != nil {
		return 0, err
	}
	session, err = exchange(sasl.WithMetadata(ctx, &sasl.Metadata{Host: host, Port: port}), pc, m, secrets)
	if errors.Is(err, kafka.SASLAuthenticationFailed) {
		l.refused()
	}
	return session, err
}

// exchange runs the mechanism to its end.
func exchange(ctx context.Context, pc *protocol.Conn, m sasl.Mechanism, secrets []string) (session time.Duration, err error) {
	res, err := pc.RoundTrip(&saslhandshake.Request{Mechanism: m.Name()})
	if err != nil {
		return 0, err
	}
	offer := res.(*saslhandshake.Response)
	if code := kafka.Error(offer.ErrorCode); code != 0 {
		if len(offer.Mechanisms) == 0 {
			return 0, fmt.Errorf("%w: the broker offers no login on this port", code)
		}
		return 0, fmt.Errorf("%w: the broker offers %s", code, strings.Join(offer.Mechanisms, ", "))
	}
	conversation, ours, err := m.Start(ctx)
	if err != nil {
		return 0, err
	}
	for {
		res, err := pc.RoundTrip(&saslauthenticate.Request{AuthBytes: ours})
		if err != nil {
			return 0, err
		}
		answer := res.(*saslauthenticate.Response)
		if code := kafka.Error(answer.ErrorCode); code != 0 {
			if text := clean(answer.ErrorMessage, secrets); text != "" {
				return 0, fmt.Errorf("%w: the broker says: %s", code, text)
			}
			return 0, code
		}
		done, next, err := conversation.Next(ctx, answer.AuthBytes)
		if err != nil {
			// Some of these have no such code: a broker that does not know our
			// password cannot prove itself (SCRAM).
			return 0, fmt.Errorf("%w: %s", kafka.SASLAuthenticationFailed, clean(err.Error(), secrets))
		}
		if done {
			return time.Duration(answer.SessionLifetimeMs) * time.Millisecond, nil
		}
		ours = next
	}
}

const (
	maxText = 300     // bytes kept of a foreign text
	maxRaw  = 4 << 10 // bytes examined of it
)

// clean removes secrets and control characters from a foreign text.
func clean(text string, secrets []string) string {
	text = redact.Text(text[:min(len(text), maxRaw)], "[secret]", secrets...)
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, text)
	if len(text) > maxText {
		text = text[:maxText] + "…"
	}
	return strings.TrimSpace(strings.ToValidUTF8(text, "?"))
}
