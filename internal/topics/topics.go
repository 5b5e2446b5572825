// Package topics makes sure that the topics orderwalk writes to are there and
// fit for it, and makes a kafka-go transport look at the cluster anew.
//
// It creates what is missing, refuses an offsets topic that is not compacted,
// and counts partitions. It alters no topic that exists, deletes none, and
// knows nothing of records. Its users are package connector, at start and while it
// runs, and `orderwalk check`.
package topics

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol/createtopics"
	"github.com/segmentio/kafka-go/protocol/metadata"

	"orderwalk/internal/backoff"
	"orderwalk/internal/kafkawire"
)

// requestLimit bounds one request, so that a lost answer is noticed.
const requestLimit = 10 * time.Second

// Spec is a topic as the program needs it. All but Name and Compacted counts
// only when the topic has to be created.
type Spec struct {
	Name              string
	Partitions        int               // 0 means the broker's default
	ReplicationFactor int               // 0 or -1 means the broker's default
	Compacted         bool              // cleanup.policy must be compact, without delete
	Config            map[string]string // more of the topic's configuration
}

// Error is a topic that cannot be used, which an operator has to act on.
type Error struct {
	Spec    Spec // of the topic; only Name where no more of it is known
	Problem string
	// Missing reports that the topic may not be there, and that this client may not
	// create it.
	Missing bool
	Err     error // what Kafka answered, if anything; ErrNotCompacted
}

// ErrNotCompacted is a topic whose cleanup.policy would delete checkpoints.
var ErrNotCompacted = errors.New("not compacted")

func (e *Error) Error() string {
	text := fmt.Sprintf("topic %q: %s", e.Spec.Name, e.Problem)
	if e.Err != nil {
		text += fmt.Sprintf(" (%v)", e.Err)
	}
	return text
}

func (e *Error) Unwrap() error { return e.Err }

// Ensure creates the topics that are missing, checks those that are there, and
// returns how many partitions each of them has. When nothing is missing that
// costs one round trip for metadata, and a second one if a spec is Compacted.
// Somebody else creating the same topics meanwhile is fine. It returns when
// every partition of the topics it created has a leader.
//
// While Kafka does not answer, Ensure goes on asking until ctx ends. Anything
// an operator has to act on is an [*Error].
func Ensure(ctx context.Context, addr net.Addr, transport *kafka.Transport, specs ...Spec) (map[string]int, error) {
	partitions, err := Create(ctx, addr, transport, nil, specs...)
	if err == nil {
		err = Check(ctx, addr, transport, specs...)
	}
	return partitions, err
}

// Create is the first half of Ensure: all but the second round trip. onRetry, if
// any, hears of each failure after which it is tried again.
func Create(ctx context.Context, addr net.Addr, transport *kafka.Transport, onRetry func(error), specs ...Spec) (partitions map[string]int, err error) {
	e := ensuring{addr: addr, transport: transport, specs: specs, created: map[string]bool{}, onRetry: onRetry}
	err = e.retry(ctx, func() error {
		found, err := e.look(ctx)
		if err == nil {
			partitions, err = found.partitions, found.first(specs)
		}
		return err
	})
	return partitions, err
}

// Check is the other half: the policies of the compacted topics, which have to
// be there.
func Check(ctx context.Context, addr net.Addr, transport *kafka.Transport, specs ...Spec) error {
	e := ensuring{addr: addr, transport: transport, specs: specs}
	return e.retry(ctx, func() error { return e.checkPolicies(ctx) })
}

// retry repeats what fails over something of the moment.
func (e *ensuring) retry(ctx context.Context, do func() error) error {
	pause := backoff.New(10*time.Millisecond, time.Second)
	for {
		err := do()
		if err == nil {
			return nil
		}
		var final *Error
		if errors.As(err, &final) || refused(err) {
			return fmt.Errorf("ensure topics: %w", err)
		}
		if e.onRetry != nil && ctx.Err() == nil {
			e.onRetry(err)
		}
		if ended := pause.Sleep(ctx); ended != nil {
			return fmt.Errorf("ensure topics: %w: %w", ended, err)
		}
		if refreshErr := (kafkawire.Wire{Addr: e.addr, Transport: e.transport}).Refresh(ctx); refreshErr != nil && ctx.Err() == nil && refused(refreshErr) {
			return fmt.Errorf("ensure topics: %w", refreshErr)
		}
	}
}

// refused says whether a broker turned the client itself away, which asking
// again does not change.
func refused(err error) bool {
	return errors.Is(err, kafka.SASLAuthenticationFailed) ||
		errors.Is(err, kafka.UnsupportedSASLMechanism) || errors.Is(err, kafka.IllegalSASLState)
}

type ensuring struct {
	addr      net.Addr
	transport *kafka.Transport
	specs     []Spec
	created   map[string]bool // by us, or by somebody else while we tried
	onRetry   func(error)     // nil = nobody
}

// look goes through the topics once. Its error is about the request; what is
// wrong with a topic is in the result.
func (e *ensuring) look(ctx context.Context) (looked, error) {
	found, err := e.describe(ctx)
	if err != nil {
		return looked{}, err
	}
	var missing []Spec
	for _, s := range e.specs {
		if found[s.Name].code == kafka.UnknownTopicOrPartition && !e.created[s.Name] {
			missing = append(missing, s)
		}
	}
	faults := make(map[string]error)
	if len(missing) > 0 {
		if faults, err = e.create(ctx, missing); err != nil {
			return looked{}, err
		}
		if found, err = e.describe(ctx); err != nil {
			return looked{}, err
		}
	}
	l := looked{partitions: make(map[string]int, len(e.specs)), faults: faults}
	for _, s := range e.specs {
		f := found[s.Name]
		var fault error
		switch {
		case l.faults[s.Name] != nil:
		case f.code == kafka.TopicAuthorizationFailed:
			fault = &Error{Spec: s, Problem: "not allowed to see it", Err: f.code}
		case f.code == kafka.InvalidTopic:
			fault = &Error{Spec: s, Problem: invalidName, Err: f.code}
		case f.code != 0:
			fault = fmt.Errorf("wait for topic %q: %w", s.Name, f.code)
		case f.leaderless > 0:
			fault = fmt.Errorf("wait for leaders: %d of %d partitions of topic %q have none", f.leaderless, f.partitions, s.Name)
		default:
			l.partitions[s.Name] = f.partitions
		}
		if fault != nil {
			l.faults[s.Name] = fault
		}
	}
	return l, nil
}

type description struct {
	code       kafka.Error
	partitions int
	leaderless int
}

func (e *ensuring) describe(ctx context.Context) (map[string]description, error) {
	names := make([]string, len(e.specs))
	for i, s := range e.specs {
		names[i] = s.Name
	}
	ctx, cancel := context.WithTimeout(ctx, requestLimit)
	defer cancel()
	m, err := e.transport.RoundTrip(ctx, e.addr, &metadata.Request{TopicNames: names})
	if err != nil {
		return nil, fmt.Errorf("ask for metadata: %w", err)
	}
	found := make(map[string]description, len(names))
	for _, t := range m.(*metadata.Response).Topics {
		d := description{code: kafka.Error(t.ErrorCode), partitions: len(t.Partitions)}
		for _, p := range t.Partitions {
			if p.LeaderID < 0 {
				d.leaderless++
			}
		}
		if d.code == kafka.LeaderNotAvailable && d.partitions > 0 {
			d.code = 0 // counted as leaderless
		}
		found[t.Name] = d
	}
	return found, nil
}

// create asks for the topics, and returns what is wrong with each of them that
// was not created. The transport looks at the cluster anew when the answer comes,
// whatever it is.
func (e *ensuring) create(ctx context.Context, specs []Spec) (faults map[string]error, err error) {
	req := &createtopics.Request{TimeoutMs: int32(requestLimit.Milliseconds())}
	for _, s := range specs {
		t := createtopics.RequestTopic{Name: s.Name, NumPartitions: -1, ReplicationFactor: -1}
		if s.Partitions > 0 {
			t.NumPartitions = int32(s.Partitions)
		}
		if s.ReplicationFactor > 0 {
			t.ReplicationFactor = int16(s.ReplicationFactor)
		}
		if s.Compacted {
			t.Configs = append(t.Configs, createtopics.RequestConfig{Name: "cleanup.policy", Value: "compact"})
		}
		for name, value := range s.Config {
			t.Configs = append(t.Configs, createtopics.RequestConfig{Name: name, Value: value})
		}
		req.Topics = append(req.Topics, t)
	}
	ctx, cancel := context.WithTimeout(ctx, requestLimit)
	defer cancel()
	m, err := e.transport.RoundTrip(ctx, e.addr, req)
	if err != nil {
		return nil, fmt.Errorf("create topics: %w", err)
	}
	faults = make(map[string]error)
	var denied []createtopics.ResponseTopic
	for _, t := range m.(*createtopics.Response).Topics {
		switch code := kafka.Error(t.ErrorCode); code {
		case 0, kafka.TopicAlreadyExists:
			e.created[t.Name] = true
		case kafka.TopicAuthorizationFailed, kafka.ClusterAuthorizationFailed:
			denied = append(denied, t)
		case kafka.InvalidTopic:
			faults[t.Name] = &Error{Spec: e.spec(t.Name), Problem: invalidName, Err: code}
		case kafka.InvalidReplicationFactor, kafka.InvalidPartitionNumber, kafka.InvalidConfiguration, kafka.InvalidRequest, kafka.PolicyViolation, kafka.UnsupportedVersion:
			faults[t.Name] = &Error{Spec: e.spec(t.Name), Problem: "cannot be created: " + t.ErrorMessage, Err: code}
		default:
			faults[t.Name] = fmt.Errorf("create topic %q: %w", t.Name, code)
		}
	}
	if len(denied) == 0 {
		return faults, nil
	}
	// A client that may not create topics still finds one that was made since
	// the transport looked last.
	found, err := e.describe(ctx)
	if err != nil {
		return nil, err
	}
	for _, t := range denied {
		if found[t.Name].code == kafka.UnknownTopicOrPartition {
			faults[t.Name] = &Error{Spec: e.spec(t.Name), Problem: "not there, or not to be seen, and this client may not create it",
				Missing: true, Err: kafka.Error(t.ErrorCode)}
		}
	}
	return faults, nil
}

const invalidName = "not a name Kafka takes"

func (e *ensuring) spec(name string) Spec {
	for _, s := range e.specs {
		if s.Name == name {
			return s
		}
	}
	return Spec{Name: name}
}
