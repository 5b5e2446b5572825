package kafkatest

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// ReadCommitted returns the records that a read_committed consumer sees in topic, up
// to its end at the time of the call, by partition and offset. It uses franz-go, so
// that tests of our reader and writer have an independent check. It waits for
// transactions that are open at the call; ctx bounds the wait. The options configure
// the connection, such as a dialer.
func ReadCommitted(ctx context.Context, brokers []string, topic string, opts ...kgo.Opt) ([]*kgo.Record, error) {
	all, err := read(ctx, brokers, topic, kgo.ReadCommitted(), opts)
	return slices.DeleteFunc(all, func(r *kgo.Record) bool { return r.Attrs.IsControl() }), err
}

// ReadEverything returns everything in a topic, aborted records and markers too, to
// diagnose missing records.
func ReadEverything(ctx context.Context, brokers []string, topic string, opts ...kgo.Opt) ([]*kgo.Record, error) {
	return read(ctx, brokers, topic, kgo.ReadUncommitted(), opts)
}

func read(ctx context.Context, brokers []string, topic string, level kgo.IsolationLevel, opts []kgo.Opt) ([]*kgo.Record, error) {
	ends, err := endOffsets(ctx, brokers, topic, opts)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", topic, err)
	}
	from := map[int32]kgo.Offset{}
	for partition := range ends {
		from[partition] = kgo.NewOffset().AtStart()
	}
	if len(from) == 0 {
		return nil, nil
	}
	// The last record before a partition's end may be a marker, or belong to an
	// aborted transaction whose marker comes after it. So the reader requests markers
	// as well: a record beyond the end proves that all before was read.
	client, err := kgo.NewClient(append(opts,
		kgo.SeedBrokers(brokers...),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: from}),
		kgo.FetchIsolationLevel(level),
		kgo.KeepControlRecords(),
	)...)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", topic, err)
	}
	defer client.Close()

	var records []*kgo.Record
	for len(ends) > 0 {
		fetches := client.PollFetches(ctx)
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("read %s: %d partitions not read to their end, is a transaction open? %w", topic, len(ends), err)
		}
		if err := fetches.Err(); err != nil {
			return nil, fmt.Errorf("read %s: %w", topic, err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			end, wanted := ends[r.Partition]
			if !wanted {
				return
			}
			if r.Offset < end {
				records = append(records, r)
			}
			if r.Offset >= end-1 {
				delete(ends, r.Partition)
			}
		})
	}
	slices.SortFunc(records, func(a, b *kgo.Record) int {
		return cmp.Or(cmp.Compare(a.Partition, b.Partition), cmp.Compare(a.Offset, b.Offset))
	})
	return records, nil
}

// endOffsets returns the high watermark of every non-empty partition of topic.
func endOffsets(ctx context.Context, brokers []string, topic string, opts []kgo.Opt) (map[int32]int64, error) {
	client, err := kgo.NewClient(append(opts, kgo.SeedBrokers(brokers...))...)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	admin := kadm.NewClient(client)
	starts, err := admin.ListStartOffsets(ctx, topic)
	if err != nil {
		return nil, err
	}
	listed, err := admin.ListEndOffsets(ctx, topic)
	if err != nil {
		return nil, err
	}
	if err := listed.Error(); err != nil {
		return nil, err
	}
	ends := map[int32]int64{}
	for partition, end := range listed[topic] {
		if start, ok := starts.Lookup(topic, partition); ok && start.Offset < end.Offset {
			ends[partition] = end.Offset
		}
	}
	return ends, nil
}
