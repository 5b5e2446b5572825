package topics

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/segmentio/kafka-go"

	"orderwalk/internal/kafkawire"
)

// topicState is the result of one look at the topics.
type topicState struct {
	partitions map[string]int   // of each topic that can be used
	faults     map[string]error // an *Error, or a reason to retry soon
}

// first returns the fault of the first topic that has one.
func (l topicState) first(specs []Spec) error {
	for _, s := range specs {
		if err := l.faults[s.Name]; err != nil {
			return err
		}
	}
	return nil
}

// leaderPatience is how long CreateEach waits for topics without a leader, or in
// creation, while other topics are usable.
const leaderPatience = 15 * time.Second

// CreateEach is Create with a result for each topic. The first spec is mandatory: its
// fault is the error. faults holds the other topics that cannot be used. While none of
// those can be used but one may become usable, CreateEach retries.
func CreateEach(ctx context.Context, addr net.Addr, transport *kafka.Transport, onRetry func(error), specs ...Spec) (partitions map[string]int, faults map[string]error, err error) {
	e := ensuring{addr: addr, transport: transport, specs: specs, created: map[string]bool{}, onRetry: onRetry}
	began := time.Now()
	err = e.retry(ctx, func() error {
		found, err := e.look(ctx)
		if err != nil {
			return err
		}
		if err := found.faults[specs[0].Name]; err != nil {
			return err
		}
		for _, s := range specs[1:] {
			var final *Error
			fault := found.faults[s.Name]
			if fault != nil && !errors.As(fault, &final) && (len(found.partitions) == 1 || time.Since(began) < leaderPatience) {
				return fault
			}
		}
		partitions, faults = found.partitions, found.faults
		return nil
	})
	for topic, fault := range faults {
		faults[topic] = fmt.Errorf("ensure topics: %w", fault)
	}
	return partitions, faults, err
}

// Usable returns the number of partitions of each topic. It leaves out topics that are
// missing, may not be seen, or have a partition without a leader. It asks the cluster
// once, and creates nothing.
func Usable(ctx context.Context, addr net.Addr, transport *kafka.Transport, names ...string) (map[string]int, error) {
	if err := (kafkawire.Wire{Addr: addr, Transport: transport}).Refresh(ctx); err != nil {
		return nil, err
	}
	e := ensuring{addr: addr, transport: transport}
	for _, name := range names {
		e.specs = append(e.specs, Spec{Name: name})
	}
	found, err := e.describe(ctx)
	if err != nil {
		return nil, err
	}
	usable := make(map[string]int, len(names))
	for name, f := range found {
		if f.code == 0 && f.partitions > 0 && f.leaderless == 0 {
			usable[name] = f.partitions
		}
	}
	return usable, nil
}
