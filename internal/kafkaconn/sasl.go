package kafkaconn

import (
	"context"
	"fmt"

	"github.com/segmentio/kafka-go/sasl"
	"github.com/segmentio/kafka-go/sasl/plain"
	"github.com/segmentio/kafka-go/sasl/scram"
)

// The mechanisms, by their names on the wire.
const (
	Plain       = "PLAIN"
	ScramSHA256 = "SCRAM-SHA-256"
	ScramSHA512 = "SCRAM-SHA-512"
	OAuthBearer = "OAUTHBEARER"
	AWSMSKIAM   = "AWS_MSK_IAM"
)

// SASL says how to log in. What belongs to another mechanism is not looked at.
type SASL struct {
	Mechanism string // one of the above; "" = no login

	// Username and Password are for PLAIN and SCRAM. Password is asked at each
	// new connection.
	Username string
	Password func() (string, error)

	// Token returns the token for OAUTHBEARER and is asked at each new
	// connection. When it is nil, Client says where to get one.
	Token  func() (string, error)
	Client Client
	// Extensions go along with the token, such as logicalCluster and
	// identityPoolId for Confluent Cloud.
	Extensions map[string]string

	// Getenv finds the AWS_ variables for AWS_MSK_IAM. Defaults to os.Getenv.
	Getenv func(name string) string
}

// newLogin returns the login of a mechanism.
func newLogin(s SASL) login {
	switch s.Mechanism {
	case Plain, ScramSHA256, ScramSHA512:
		return passwordLogin{s}
	case OAuthBearer:
		return newBearerLogin(s)
	case AWSMSKIAM:
		return newAWSLogin(s.Getenv)
	}
	return unknownLogin{s.Mechanism}
}

// passwordLogin is PLAIN and SCRAM.
type passwordLogin struct{ SASL }

func (l passwordLogin) mechanism(context.Context, string) (sasl.Mechanism, []string, error) {
	password, err := l.Password()
	if err != nil {
		return nil, nil, &fileError{err}
	}
	var m sasl.Mechanism
	switch l.Mechanism {
	case Plain:
		m = plain.Mechanism{Username: l.Username, Password: password}
	case ScramSHA256:
		m, err = scram.Mechanism(scram.SHA256, l.Username, password)
	default:
		m, err = scram.Mechanism(scram.SHA512, l.Username, password)
	}
	if err != nil {
		// The library says which rule of text preparation is broken, and may
		// quote what broke it.
		return nil, nil, &fileError{fmt.Errorf("user name or password has characters that %s does not allow", l.Mechanism)}
	}
	return m, []string{password}, nil
}

func (passwordLogin) refused() {}

func (l passwordLogin) principal() string { return "User:" + l.Username }

// unknownLogin is no login at all, or a word that is no mechanism.
type unknownLogin struct{ name string }

func (l unknownLogin) mechanism(context.Context, string) (sasl.Mechanism, []string, error) {
	return nil, nil, &fileError{fmt.Errorf("unknown SASL mechanism %q", l.name)}
}

func (unknownLogin) refused() {}

func (unknownLogin) principal() string { return "" }
