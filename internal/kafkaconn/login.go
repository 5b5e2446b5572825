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

// greet asks which requests the broker takes: the first exchange on every
// connection, and so the first to fail where TLS or a login is missing.
func greet(conn net.Conn, clientID string) (*protocol.Conn, error) {
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

// login makes a mechanism with the credentials of the moment, for each
// connection.
type login interface {
	// mechanism returns it with the secrets that it is about to use, which no
	// error may show.
	mechanism(ctx context.Context, host string) (m sasl.Mechanism, secrets []string, err error)
	// refused hears that the broker took the credentials of the latest
	// mechanism for wrong.
	refused()
	// principal is what Kafka most probably calls us.
	principal() string
}

// authenticate logs in and tells how long the session lasts; 0 = without end.
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
			// Not every code that means it: a broker that does not know our
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
	maxText = 300     // bytes kept of what somebody else says
	maxRaw  = 4 << 10 // bytes of it that are looked at
)

// clean takes secrets and control characters out of a foreign text.
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
