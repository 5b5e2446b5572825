package access

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol/metadata"
	"golang.org/x/sync/errgroup"
)

// The resources of a [Right].
const (
	topic           = "topic"
	transactionalID = "transactional ID"
	group           = "group"
)

// Needs lists the resources that orderwalk uses.
type Needs struct {
	Orders  []string // topics that records are written to
	Offsets string   // topic of the checkpoints, written and read
	// Group is the workers' group. Lanes write under <group>-0, <group>-1 and so on,
	// one for each partition of Offsets, or Lanes if Offsets does not exist.
	Group string
	Lanes int
	// FirstLane limits the look to the first lane; that is enough if the right was
	// granted on the prefix.
	FirstLane bool
}

// Right is an operation on a resource, in Kafka's words.
type Right struct {
	Operation string // "Read", "Write", "Create"
	Resource  string // "topic", "transactional ID", "group"
	Name      string
	// Prefixed reports that Name is a prefix.
	Prefixed bool
}

// String returns, for example: Write on topic "wechat.orders".
func (r Right) String() string {
	if r.Prefixed {
		return fmt.Sprintf("%s on every %s that begins with %q", r.Operation, r.Resource, r.Name)
	}
	return fmt.Sprintf("%s on %s %q", r.Operation, r.Resource, r.Name)
}

// OnTopic reports whether it is a right on one topic.
func (r Right) OnTopic() bool { return r.Resource == topic && !r.Prefixed }

// Command returns a call of Kafka's own tool that grants the right to the principal. The
// reader adds how to connect as an administrator.
func (r Right) Command(principal string) string {
	option := strings.ReplaceAll(strings.ToLower(r.Resource), " ", "-")
	command := fmt.Sprintf("kafka-acls.sh --add --allow-principal %s --operation %s --%s %s", quote(principal), r.Operation, option, quote(r.Name))
	if r.Prefixed {
		command += " --resource-pattern-type prefixed"
	}
	return command
}

// quote quotes for a shell.
func quote(s string) string {
	if s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-:") == "" {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// Report is the result of Look.
type Report struct {
	// Partitions has every topic that exists and may be seen.
	Partitions map[string]int
	// Absent lists topics that do not exist.
	Absent []string
	// Missing lists the rights to grant, in the order of Needs.
	Missing []Right
}

// Of returns the missing rights on a kind of resource, or on the one with that name if
// it is not "".
func (r Report) Of(resource, name string) []Right {
	var some []Right
	for _, m := range r.Missing {
		if m.Resource == resource && (name == "" || m.Name == name) {
			some = append(some, m)
		}
	}
	return some
}

// Look asks Kafka about all needs. Its error means that Kafka could not be asked; missing
// rights are no error.
func Look(ctx context.Context, addr net.Addr, transport *kafka.Transport, n Needs) (Report, error) {
	c := client{addr, transport}
	r := Report{Partitions: map[string]int{}}
	names := slices.Concat(n.Orders, []string{n.Offsets})
	found, err := c.describe(ctx, names)
	if err != nil {
		return r, fmt.Errorf("check topics: %w", err)
	}
	for _, name := range names {
		if code := kafka.Error(found[name].ErrorCode); code == 0 || code == kafka.LeaderNotAvailable {
			r.Partitions[name] = len(found[name].Partitions)
		}
	}
	if count, ok := r.Partitions[n.Offsets]; ok {
		n.Lanes = count
	}
	if n.FirstLane {
		n.Lanes = min(n.Lanes, 1)
	}
	ids, err := c.lanesMissing(ctx, n.Group+"-", n.Lanes)
	if err != nil {
		return r, err
	}
	writable, err := c.mayWriteTo(ctx, n.Group+"-0", found)
	if err != nil {
		return r, fmt.Errorf("check Write on topics: %w", err)
	}
	if err := c.lookAtTopics(ctx, &r, found, names, n.Offsets, writable); err != nil {
		return r, err
	}
	r.Missing = append(r.Missing, ids...)
	may, err := c.mayJoin(ctx, n.Group)
	if err != nil {
		return r, fmt.Errorf("check group %q: %w", n.Group, err)
	}
	if !may {
		r.Missing = append(r.Missing, Right{Operation: "Read", Resource: group, Name: n.Group})
	}
	return r, nil
}

// lanesMissing returns the missing rights on the transactional IDs: one right if all lack
// it, otherwise one for each.
func (c client) lanesMissing(ctx context.Context, prefix string, lanes int) ([]Right, error) {
	var missing []Right
	for i := range lanes {
		id := prefix + strconv.Itoa(i)
		may, err := c.mayWriteAs(ctx, id)
		if err != nil {
			return nil, fmt.Errorf("check transactional ID %q: %w", id, err)
		}
		if !may {
			missing = append(missing, Right{Operation: "Write", Resource: transactionalID, Name: id})
		}
	}
	if len(missing) == lanes && lanes > 1 {
		missing = []Right{{Operation: "Write", Resource: transactionalID, Name: prefix, Prefixed: true}}
	}
	return missing, nil
}

// topicsAtOnce is the number of topics looked at in parallel: each shop may have one.
const topicsAtOnce = 16

// lookAtTopics adds the topics to the report, in the order of their names.
func (c client) lookAtTopics(ctx context.Context, r *Report, found map[string]metadata.ResponseTopic, names []string, read string, writable map[string]bool) error {
	parts := make([]Report, len(names))
	looking, ctx := errgroup.WithContext(ctx)
	looking.SetLimit(topicsAtOnce)
	for i, name := range names {
		looking.Go(func() error {
			return c.lookAtTopic(ctx, &parts[i], found[name], name, name == read, writable[name])
		})
	}
	if err := looking.Wait(); err != nil {
		return err
	}
	for _, p := range parts {
		r.Absent = append(r.Absent, p.Absent...)
		r.Missing = append(r.Missing, p.Missing...)
	}
	return nil
}

// lookAtTopic adds one topic to the report.
func (c client) lookAtTopic(ctx context.Context, r *Report, t metadata.ResponseTopic, name string, read, write bool) error {
	missing := func(operation string) {
		r.Missing = append(r.Missing, Right{Operation: operation, Resource: topic, Name: name})
	}
	switch code := kafka.Error(t.ErrorCode); code {
	case kafka.TopicAuthorizationFailed:
		// Kafka does not reveal whether it exists. Both rights include Describe.
		if read {
			missing("Read")
		}
		missing("Write")
	case kafka.UnknownTopicOrPartition:
		r.Absent = append(r.Absent, name)
		may, err := c.mayCreate(ctx, name)
		if err != nil {
			return fmt.Errorf("check Create on topic %q: %w", name, err)
		}
		if !may {
			missing("Create")
		}
	case 0, kafka.LeaderNotAvailable:
		if read {
			may, err := c.mayRead(ctx, name)
			if err != nil {
				return fmt.Errorf("check Read on topic %q: %w", name, err)
			}
			if !may {
				missing("Read")
			}
		}
		if !write {
			missing("Write")
		}
	default:
		return fmt.Errorf("check topic %q: %w", name, code)
	}
	return nil
}

// Refused reports whether Kafka refused a request for lack of a right.
func Refused(err error) bool {
	for _, code := range []kafka.Error{
		kafka.TopicAuthorizationFailed, kafka.GroupAuthorizationFailed,
		kafka.ClusterAuthorizationFailed, kafka.TransactionalIDAuthorizationFailed,
	} {
		if errors.Is(err, code) {
			return true
		}
	}
	return false
}
