// Package topics ensures that the topics orderwalk writes to exist and are suitable.
//
// It creates missing topics, refuses an offsets topic that is not compacted, and counts
// partitions. It neither alters nor deletes a topic, and does not handle records. Its
// user is the command line, at start and in `orderwalk check`.
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

// requestLimit bounds one request, so that a lost answer is detected.
const requestLimit = 10 * time.Second

// Spec describes a required topic. All fields but Name and Compacted apply only when the
// topic is created.
type Spec struct {
	Name              string
	Partitions        int               // 0 means the broker's default
	ReplicationFactor int               // 0 or -1 means the broker's default
	Compacted         bool              // cleanup.policy must be compact, without delete
	Config            map[string]string // further topic configuration
}

// Error describes what is wrong with a topic and what an operator can do about it.
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

// Ensure creates missing topics, checks existing ones, and returns the number of
// partitions of each. If none is missing, that costs one round trip for metadata, and a
// second one if a spec is Compacted. Another process may create the same topics at the
// same time. Ensure returns when every partition of the topics it created has a leader.
//
// While Kafka does not answer, Ensure retries until ctx ends. A problem that an operator
// has to act on is an [*Error].
func Ensure(ctx context.Context, addr net.Addr, transport *kafka.Transport, specs ...Spec) (map[string]int, error) {
	partitions, err := Create(ctx, addr, transport, nil, specs...)
	if err == nil {
		err = Check(ctx, addr, transport, specs...)
	}
	return partitions, err
}

// Create is the first half of Ensure: all but the second round trip. onRetry, if any, is
// called for each failure that is retried.
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

// Check is the second half: the policies of the compacted topics, which must exist.
func Check(ctx context.Context, addr net.Addr, transport *kafka.Transport, specs ...Spec) error {
	e := ensuring{addr: addr, transport: transport, specs: specs}
	return e.retry(ctx, func() error { return e.checkPolicies(ctx) })
}

// retry repeats temporary failures.
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

// refused reports whether a broker rejected the client itself, which a retry does not
// change.
func refused(err error) bool {
	return errors.Is(err, kafka.SASLAuthenticationFailed) ||
		errors.Is(err, kafka.UnsupportedSASLMechanism) || errors.Is(err, kafka.IllegalSASLState)
}

type ensuring struct {
	addr      net.Addr
	transport *kafka.Transport
	specs     []Spec
	created   map[string]bool // by us, or by another client while we tried
	onRetry   func(error)     // nil = none
}

// look checks the topics once. Its error is about the request; problems of topics are in
// the result.
func (e *ensuring) look(ctx context.Context) (topicState, error) {
	found, err := e.describe(ctx)
	if err != nil {
		return topicState{}, err
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
			return topicState{}, err
		}
		if found, err = e.describe(ctx); err != nil {
			return topicState{}, err
		}
	}
	l := topicState{partitions: make(map[string]int, len(e.specs)), faults: faults}
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
		return nil, fmt.Errorf("read metadata: %w", err)
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
			d.code = 0 // it counts as leaderless
		}
		found[t.Name] = d
	}
	return found, nil
}

// create creates the topics, and returns the problem of each that was not created. The
// transport renews its metadata after any answer.
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
	// A client that may not create topics still finds one that was created since the
	// transport's last look.
	found, err := e.describe(ctx)
	if err != nil {
		return nil, err
	}
	for _, t := range denied {
		if found[t.Name].code == kafka.UnknownTopicOrPartition {
			faults[t.Name] = &Error{Spec: e.spec(t.Name), Problem: "missing or hidden from this client, which may not create it",
				Missing: true, Err: kafka.Error(t.ErrorCode)}
		}
	}
	return faults, nil
}

const invalidName = "not a valid topic name"

func (e *ensuring) spec(name string) Spec {
	for _, s := range e.specs {
		if s.Name == name {
			return s
		}
	}
	return Spec{Name: name}
}
