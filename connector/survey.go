package connector

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"
	"golang.org/x/sync/errgroup"

	"orderwalk/internal/txn"
	"orderwalk/offsets"
)

// survey knows the checkpoints of every lane, also of those that other workers
// have, as far as it has read. Kafka is all that workers share, so this is how
// one learns what another has done.
type survey struct {
	cfg    *Config
	log    *slog.Logger
	outage *outage

	lanes []surveyed

	placing sync.Mutex
	wrong   map[offsets.Partition]int // lanes of checkpoints that stand where they do not belong; nil = not read yet
}

type surveyed struct {
	mu     sync.Mutex
	next   int64
	loader offsets.Loader
}

func newSurvey(cfg *Config, lanes int, log *slog.Logger, o *outage) *survey {
	s := &survey{cfg: cfg, log: log, outage: o, lanes: make([]surveyed, lanes)}
	for i := range s.lanes {
		s.lanes[i].loader.Group = cfg.Group
	}
	return s
}

// part is how the key of a record with seen IDs ends; they are of no interest
// here, and most of the bytes.
var part = []byte(`,"part":`)

// read brings a lane up to the end of its partition.
func (s *survey) read(ctx context.Context, lane int) (offsets.Lane, error) {
	l := &s.lanes[lane]
	l.mu.Lock()
	defer l.mu.Unlock()
	who := fmt.Sprintf("survey of lane %d", lane)
	defer s.outage.over(who)
	reader := txn.Reader{Addr: s.cfg.Addr, Transport: s.cfg.Transport, Log: s.log, OnRetry: s.outage.of(who), Wanted: l.loader.Wants}
	next, err := reader.ReadToEnd(ctx, s.cfg.OffsetsTopic, int32(lane), l.next, func(r txn.Record) error {
		if !bytes.Contains(r.Key, part) {
			l.loader.Add(r.Key, r.Value)
		}
		return nil
	})
	l.next = next
	if err != nil {
		return offsets.Lane{}, fmt.Errorf("survey lane %d: %w", lane, err)
	}
	return l.loader.Load(), nil
}

// all reads every lane that has anything, several at once.
func (s *survey) all(ctx context.Context) ([]offsets.Lane, error) {
	lanes := make([]offsets.Lane, len(s.lanes))
	used := s.used(ctx)
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(4)
	for number := range s.lanes {
		if !used[number] {
			continue
		}
		group.Go(func() (err error) {
			lanes[number], err = s.read(ctx, number)
			return err
		})
	}
	return lanes, group.Wait()
}

// used asks for the ends of all lanes at once, so that a first start need not
// read them one by one to learn that they are empty. What it cannot learn
// counts as used.
func (s *survey) used(ctx context.Context) []bool {
	used := make([]bool, len(s.lanes))
	requests := make([]kafka.OffsetRequest, len(s.lanes))
	for number := range s.lanes {
		used[number] = true
		requests[number] = kafka.LastOffsetOf(number)
	}
	client := kafka.Client{Addr: s.cfg.Addr, Transport: s.cfg.Transport, Timeout: 5 * time.Second}
	res, err := client.ListOffsets(ctx, &kafka.ListOffsetsRequest{Topics: map[string][]kafka.OffsetRequest{s.cfg.OffsetsTopic: requests}})
	if err != nil {
		return used
	}
	for _, p := range res.Topics[s.cfg.OffsetsTopic] {
		if p.Error == nil && p.LastOffset == 0 && p.Partition < len(used) {
			used[p.Partition] = false
		}
	}
	return used
}

// prepare finds out ahead of time what misplaced is most often asked at a first
// start: nothing is stored yet, so nothing can be misplaced.
func (s *survey) prepare(ctx context.Context) {
	s.placing.Lock()
	defer s.placing.Unlock()
	if s.wrong == nil && !slices.Contains(s.used(ctx), true) {
		s.wrong = make(map[offsets.Partition]int)
	}
}

// misplaced tells which of the source partitions have a checkpoint in a lane
// other than the one they belong to. The topic is read whole for that, once:
// what this program has written since stands where it belongs.
func (s *survey) misplaced(ctx context.Context, wanted []offsets.Partition) (map[offsets.Partition]int, error) {
	s.placing.Lock()
	defer s.placing.Unlock()
	if s.wrong == nil {
		lanes, err := s.all(ctx)
		if err != nil {
			return nil, err
		}
		s.wrong = make(map[offsets.Partition]int)
		for number, lane := range lanes {
			for p, shop := range lane.Shops {
				if shop.Checkpoint != nil && laneOf(s.cfg.Group, p, len(lanes)) != number {
					s.wrong[p] = number
				}
			}
			for p := range lane.Faults {
				if laneOf(s.cfg.Group, p, len(lanes)) != number {
					s.wrong[p] = number
				}
			}
		}
	}
	found := make(map[offsets.Partition]int)
	for _, p := range wanted {
		if number, ok := s.wrong[p]; ok {
			found[p] = number
		}
	}
	return found, nil
}

// laneOf is the lane of a source partition: where Java's default partitioner
// would put its checkpoint's key.
func laneOf(group string, p offsets.Partition, lanes int) int {
	return int(partitionOf(offsets.Key{Kind: offsets.KindShop, Partition: p}.Bytes(group), lanes))
}
