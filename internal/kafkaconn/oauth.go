package kafkaconn

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/segmentio/kafka-go/sasl"
)

// bearerLogin implements OAUTHBEARER (RFC 7628, KIP-255).
type bearerLogin struct {
	token      func(ctx context.Context) (string, error)
	forget     func() // drops a rejected token
	extensions map[string]string
	clientID   string
	subject    atomic.Value // string: subject of the latest token
}

func newBearerLogin(s SASL) *bearerLogin {
	l := &bearerLogin{extensions: s.Extensions, clientID: s.Client.ID, forget: func() {}}
	if s.Token != nil {
		l.token = func(context.Context) (string, error) {
			text, err := s.Token()
			if err != nil {
				return "", &fileError{err}
			}
			return text, nil
		}
		return l
	}
	grants := &grants{client: s.Client}
	l.token, l.forget = grants.token, grants.forget
	return l
}

func (l *bearerLogin) mechanism(ctx context.Context, _ string) (sasl.Mechanism, []string, error) {
	token, err := l.token(ctx)
	if err != nil {
		return nil, nil, err
	}
	// b64token of RFC 6750; any other character would end the field in the message.
	if strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }) || token == "" {
		return nil, nil, &fileError{errors.New("the token is not one line of printable characters")}
	}
	l.subject.Store(subject(token))
	return bearer{token: token, extensions: l.extensions}, []string{token}, nil
}

func (l *bearerLogin) refused() { l.forget() }

// principal returns the claim that brokers use by default
// (sasl.oauthbearer.sub.claim.name).
func (l *bearerLogin) principal() string {
	if sub, _ := l.subject.Load().(string); sub != "" {
		return "User:" + sub
	}
	if l.clientID != "" {
		return "the client " + l.clientID
	}
	return "the subject of the token"
}

// subject returns the claim sub of a JWT, without verifying the token; "" for other
// tokens.
func subject(token string) string {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return ""
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return ""
	}
	var claims struct {
		Sub string `json:"sub"`
	}
	if json.Unmarshal(payload, &claims) != nil {
		return ""
	}
	return clean(claims.Sub, nil)
}

// bearer is the mechanism with one token.
type bearer struct {
	token      string
	extensions map[string]string
}

// Name returns the mechanism's name in the protocol.
func (bearer) Name() string { return OAuthBearer }

// Start returns the only message of a successful login.
func (b bearer) Start(context.Context) (sasl.StateMachine, []byte, error) {
	var m strings.Builder
	m.WriteString("n,,\x01auth=Bearer " + b.token + "\x01")
	for _, name := range slices.Sorted(maps.Keys(b.extensions)) {
		m.WriteString(name + "=" + b.extensions[name] + "\x01")
	}
	m.WriteString("\x01")
	return &bearerConversation{}, []byte(m.String()), nil
}

// bearerConversation waits for the broker's answer.
type bearerConversation struct{ refusal string }

// Next handles the answer: empty means success; anything else is an error to which the
// client replies with one byte, and the broker then fails the login.
func (c *bearerConversation) Next(_ context.Context, challenge []byte) (bool, []byte, error) {
	if c.refusal != "" {
		return false, nil, fmt.Errorf("the broker rejected the token: %s", c.refusal)
	}
	if len(challenge) == 0 {
		return true, nil, nil
	}
	c.refusal = string(challenge)
	return false, []byte{0x01}, nil
}
