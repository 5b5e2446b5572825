package kafkaconn

import (
	"context"
	"fmt"

	"github.com/segmentio/kafka-go/sasl"
	"github.com/segmentio/kafka-go/sasl/plain"
	"github.com/segmentio/kafka-go/sasl/scram"
)

// The mechanisms, by their names in the protocol.
const (
	Plain       = "PLAIN"
	ScramSHA256 = "SCRAM-SHA-256"
	ScramSHA512 = "SCRAM-SHA-512"
	OAuthBearer = "OAUTHBEARER"
	AWSMSKIAM   = "AWS_MSK_IAM"
)

// SASL configures the login. Fields of other mechanisms are ignored.
type SASL struct {
	Mechanism string // one of the constants above; "" = no login

	// Username and Password are for PLAIN and SCRAM. Password is called for each new
	// connection.
	Username string
	Password func() (string, error)

	// Token returns the token for OAUTHBEARER and is called for each new connection.
	// If it is nil, Client requests tokens.
	Token  func() (string, error)
	Client Client
	// Extensions are sent with the token, such as logicalCluster and
	// identityPoolId for Confluent Cloud.
	Extensions map[string]string

	// Getenv reads the AWS_ variables for AWS_MSK_IAM. Defaults to os.Getenv.
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

// passwordLogin implements PLAIN and SCRAM.
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
		// The library's error names the broken rule of text preparation, and may
		// quote the characters that broke it.
		return nil, nil, &fileError{fmt.Errorf("user name or password has characters that %s does not allow", l.Mechanism)}
	}
	return m, []string{password}, nil
}

func (passwordLogin) refused() {}

func (l passwordLogin) principal() string { return "User:" + l.Username }

// unknownLogin stands for an unknown mechanism.
type unknownLogin struct{ name string }

func (l unknownLogin) mechanism(context.Context, string) (sasl.Mechanism, []string, error) {
	return nil, nil, &fileError{fmt.Errorf("unknown SASL mechanism %q", l.name)}
}

func (unknownLogin) refused() {}

func (unknownLogin) principal() string { return "" }
