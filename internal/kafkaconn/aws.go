package kafkaconn

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/segmentio/kafka-go/sasl"
)

// awsLogin implements AWS_MSK_IAM: a signed request instead of a password.
type awsLogin struct {
	keys awsKeys

	mu     sync.Mutex
	latest string // access key ID of the latest login
}

func newAWSLogin(getenv func(string) string) *awsLogin {
	if getenv == nil {
		getenv = os.Getenv
	}
	return &awsLogin{keys: awsKeys{getenv: getenv}}
}

func (l *awsLogin) mechanism(ctx context.Context, host string) (sasl.Mechanism, []string, error) {
	region := l.keys.region(host)
	if region == "" {
		return nil, nil, &fileError{fmt.Errorf("no AWS region: AWS_REGION is not set and %s is not an MSK broker name", host)}
	}
	key, err := l.keys.get(ctx, region)
	if err != nil {
		return nil, nil, err
	}
	l.mu.Lock()
	l.latest = key.id
	l.mu.Unlock()
	return mskIAM{key: key, region: region, host: host, at: time.Now(), life: awsRequestLife},
		[]string{key.secret, key.session}, nil
}

func (l *awsLogin) refused() { l.keys.forget() }

func (l *awsLogin) principal() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.latest == "" {
		return "the IAM identity of the AWS_ variables"
	}
	return "the IAM identity of access key " + l.latest
}

// awsRequestLife is how many seconds the signed request is valid; the vendor's own
// client uses 15 minutes too.
const awsRequestLife = "900"

// mskIAM is the mechanism of one connection.
type mskIAM struct {
	key          awsKey
	region, host string
	at           time.Time
	life         string // seconds
}

// Name returns the mechanism's name in the protocol.
func (mskIAM) Name() string { return AWSMSKIAM }

// Start returns the signed request as JSON, its parameter names in lower case, as the
// vendor's aws-msk-iam-auth describes it ("Details").
func (m mskIAM) Start(context.Context) (sasl.StateMachine, []byte, error) {
	const action = "kafka-cluster:Connect"
	query := presign(m.key, m.region, "kafka-cluster", m.host, "/", emptyPayload, url.Values{"Action": {action}}, m.at, m.life)
	payload := map[string]string{"version": "2020_10_22", "host": m.host, "user-agent": "orderwalk"}
	for name := range query {
		payload[strings.ToLower(name)] = query.Get(name)
	}
	text, err := json.Marshal(payload)
	return m, text, err
}

// Next handles the broker's answer: a version and a request ID.
func (mskIAM) Next(_ context.Context, challenge []byte) (bool, []byte, error) {
	if len(challenge) == 0 {
		return false, nil, fmt.Errorf("the broker's answer to %s is empty", AWSMSKIAM)
	}
	return true, nil, nil
}

// mskHost matches the region in names such as
// b-1.demo.abcdef.c2.kafka.us-east-1.amazonaws.com and
// boot-abc.c1.kafka-serverless.cn-north-1.amazonaws.com.cn.
var mskHost = regexp.MustCompile(`\.kafka(?:-serverless)?\.([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?$`)
