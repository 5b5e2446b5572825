package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"orderwalk/test/kafkatest"
)

// broker is the Kafka of a suite, in a process whose CPU can be read.
type broker struct {
	name  string
	addr  string
	pid   int
	admin *kadm.Client
	stop  func()
}

// startBroker starts a real Kafka, or kfake.
func startBroker(ctx context.Context, name string) (*broker, error) {
	b := &broker{name: name}
	if name == "kafka" {
		cluster, err := kafkatest.Launch(ctx, kafkatest.Options{
			JVM: []string{}, // all of the JVM's compiler
			// The log of a run is of no use after it.
			Properties: []string{"log.segment.delete.delay.ms=1000"},
		})
		if err != nil {
			return nil, err
		}
		b.addr, b.pid, b.stop = cluster.Brokers()[0], cluster.PID(0), cluster.Stop
	} else {
		h, err := startHelper(ctx, "kfake")
		if err != nil {
			return nil, err
		}
		b.addr, b.pid, b.stop = h.addr, h.cmd.Process.Pid, h.stop
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(b.addr))
	if err != nil {
		b.stop()
		return nil, err
	}
	b.admin = kadm.NewClient(client)
	stop := b.stop
	b.stop = func() { client.Close(); stop() }
	return b, nil
}

// serveKfake serves kfake on a port of its own, which it prints, until standard
// input ends.
func serveKfake(context.Context) error {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		return err
	}
	defer cluster.Close()
	fmt.Println(cluster.ListenAddrs()[0])
	_, _ = io.Copy(io.Discard, os.Stdin)
	return nil
}

// The layout that orderwalk would make itself.
const (
	orderPartitions  = 6
	offsetPartitions = 16
)

// create makes a fresh pair of topics, with so many lanes, and waits until the
// broker serves them.
func (b *broker) create(ctx context.Context, orders, offsets string, lanes int) error {
	compact := "compact"
	if _, err := b.admin.CreateTopic(ctx, orderPartitions, 1, nil, orders); err != nil {
		return fmt.Errorf("create %s: %w", orders, err)
	}
	if _, err := b.admin.CreateTopic(ctx, int32(lanes), 1, map[string]*string{"cleanup.policy": &compact}, offsets); err != nil {
		return fmt.Errorf("create %s: %w", offsets, err)
	}
	for {
		listed, err := b.admin.ListEndOffsets(ctx, orders, offsets)
		if err == nil && listed.Error() == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for %s and %s: %w", orders, offsets, ctx.Err())
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// size is how many bytes of a topic the broker keeps.
func (b *broker) size(ctx context.Context, topic string) (total int64, err error) {
	dirs, err := b.admin.DescribeAllLogDirs(ctx, nil)
	if err != nil {
		return 0, fmt.Errorf("ask for the size of %s: %w", topic, err)
	}
	dirs.Each(func(dir kadm.DescribedLogDir) {
		for _, p := range dir.Topics[topic] {
			total += p.Size
		}
	})
	return total, nil
}

// remove deletes topics and gives the broker a moment to do it, so that the
// work does not fall into the next run.
func (b *broker) remove(ctx context.Context, topics ...string) error {
	if _, err := b.admin.DeleteTopics(ctx, topics...); err != nil {
		return fmt.Errorf("delete topics: %w", err)
	}
	select {
	case <-time.After(1500 * time.Millisecond):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
