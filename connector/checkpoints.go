package connector

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"
	"golang.org/x/sync/errgroup"

	"orderwalk/internal/record"
	"orderwalk/internal/txn"
	"orderwalk/offsets"
)

// checkpointReader reads the checkpoints of lanes that other workers have. Kafka is all that
// workers share, so this is how one learns what another has done. It keeps no
// checkpoint: only what it has been asked, see followed and wrong.
//
// # Compaction
//
// A reader that goes on from an offset sees the last value of each key sooner or
// later, since compaction never removes that. It may miss a tombstone: the cleaner
// removes those delete.retention.ms after it has removed what they forget. So what
// is followed from an offset is only ever a value that grows, the watermark of a
// shop. Whether windows are left is asked of the whole partition, read from its
// beginning in one go, and believed only of a shop of which nothing newer stands
// behind the end of that reading: an older value may have been removed for a newer
// one that the reading did not come to. A tombstone that the cleaner removes in the
// middle of the reading makes a window that is gone seem to be there, so the shop
// seems not to be finished, or its row not to fit; the next reading, which begins
// after the cleaner has removed that window's record, knows better.
type checkpointReader struct {
	cfg    *Config
	log    *slog.Logger
	outage *outage

	lanes []followed

	placing sync.Mutex
	wrong   map[offsets.Partition]int // lanes of checkpoints that stand where they do not belong; nil = not read yet
}

// followed is what is known of a lane of another worker.
type followed struct {
	mu    sync.Mutex
	next  int64                           // offset to read on from
	marks map[offsets.Partition]int64     // watermarks, of shops that may have come to their end by now
	ended map[offsets.Partition]readRange // bounded ranges that are read, which they stay
	again time.Time                       // no whole reading before
}

// readRange is a range that is read to its end, as it was configured.
type readRange struct {
	start, end int64
	missing    *UnreadError // what was not read before its start; nil = nothing
}

// A whole reading rests readingRest times as long as it has taken, and at least
// leastRest, before the next.
const (
	readingRest = 20
	leastRest   = 5 * time.Second
)

// errLater is a lane that may be done, and is not read as a whole just now.
var errLater = errors.New("looked at again soon")

func newCheckpointReader(cfg *Config, lanes int, log *slog.Logger, o *outage) *checkpointReader {
	return &checkpointReader{cfg: cfg, log: log, outage: o, lanes: make([]followed, lanes)}
}

// inWindow is in the keys of windows and parts, and not in those of shops; part is
// how the key of a record with seen IDs ends, which are most of the bytes.
var inWindow, part = []byte(`,"window":`), []byte(`,"part":`)

// read delivers the records of a lane from an offset up to its end as it is now.
func (cr *checkpointReader) read(ctx context.Context, lane int, from int64, deliver func(txn.Record)) (next int64, err error) {
	who := fmt.Sprintf("survey of lane %d", lane)
	defer cr.outage.over(who)
	ours := offsets.Loader{Group: cr.cfg.Group}
	reader := txn.Reader{Addr: cr.cfg.Addr, Transport: cr.cfg.Transport, Log: cr.log, OnRetry: cr.outage.of(who), Wanted: ours.Wants}
	next, err = reader.ReadToEnd(ctx, cr.cfg.OffsetsTopic, int32(lane), from, func(r txn.Record) error {
		deliver(r)
		return nil
	})
	if err != nil {
		return next, fmt.Errorf("survey lane %d: %w", lane, err)
	}
	return next, nil
}

// done reports whether shops of another worker's lane, with bounded ranges, are
// read to their ends, and what of their ranges was not read.
func (cr *checkpointReader) done(ctx context.Context, lane int, shops []Shop) (done bool, missing []string, err error) {
	l := &cr.lanes[lane]
	l.mu.Lock()
	defer l.mu.Unlock()
	left := make(map[offsets.Partition]Shop)
	for _, shop := range shops {
		if e, known := l.ended[shop.partition()]; !known || e.end != shop.Policy.End || e.start != shop.Policy.Start {
			left[shop.partition()] = shop
		}
	}
	if len(left) > 0 {
		err = cr.look(ctx, lane, left)
	}
	behind := func(shop Shop) bool { return l.marks[shop.partition()] < shop.Policy.LastEnd() }
	some := slices.ContainsFunc(slices.Collect(maps.Values(left)), behind)
	for _, shop := range shops {
		if _, open := left[shop.partition()]; open {
			if behind(shop) || !some {
				missing = append(missing, fmt.Sprintf("shop %s: not done: another worker has it, and says why", shop.Name))
			}
		} else if e := l.ended[shop.partition()].missing; e != nil {
			missing = append(missing, fmt.Sprintf("shop %s: done in part: %s", shop.Name, cr.cfg.explain(e)))
		}
	}
	return len(left) == 0, missing, err
}

// look takes out of left the shops that are read to their ends by now. The caller
// holds the lane's mu.
func (cr *checkpointReader) look(ctx context.Context, lane int, left map[offsets.Partition]Shop) error {
	l := &cr.lanes[lane]
	if err := cr.follow(ctx, lane); err != nil {
		return err
	}
	for p, shop := range left {
		if l.marks[p] < shop.Policy.LastEnd() {
			return nil
		}
	}
	began := time.Now()
	if began.Before(l.again) {
		return errLater
	}
	loaded, newer, err := cr.whole(ctx, lane, left)
	if err != nil {
		return err
	}
	if l.ended == nil {
		l.ended = make(map[offsets.Partition]readRange)
	}
	l.again = time.Now().Add(max(leastRest, readingRest*time.Since(began)))
	for p, shop := range left {
		if !newer[p] && finished(loaded, shop) {
			l.ended[p] = readRange{shop.Policy.Start, shop.Policy.End, unread(loaded.Shops[p].Checkpoint, shop)}
			delete(l.marks, p)
			delete(left, p)
		}
	}
	return nil
}

// follow brings the watermarks up to the end of the lane's partition. The caller
// holds the lane's mu.
func (cr *checkpointReader) follow(ctx context.Context, lane int) error {
	l := &cr.lanes[lane]
	reader := txn.Reader{Addr: cr.cfg.Addr, Transport: cr.cfg.Transport, Log: cr.log}
	last, err := reader.Last(ctx, cr.cfg.OffsetsTopic, int32(lane))
	if err != nil {
		return fmt.Errorf("survey lane %d: %w", lane, err)
	}
	if l.marks == nil || last < l.next { // the topic was deleted and created again
		l.next, l.marks = 0, make(map[offsets.Partition]int64)
	}
	l.next, err = cr.read(ctx, lane, l.next, func(r txn.Record) {
		if bytes.Contains(r.Key, inWindow) {
			return
		}
		k, err := offsets.ParseKey(cr.cfg.Group, r.Key)
		if err != nil || k.Kind != offsets.KindShop {
			return
		}
		if mark, ok := offsets.WatermarkOf(r.Value); ok {
			l.marks[k.Partition] = mark
		} else {
			delete(l.marks, k.Partition)
		}
	})
	return err
}

// whole reads the checkpoints of some shops of a lane, from the beginning of its
// partition. Newer are those that have been written to since.
func (cr *checkpointReader) whole(ctx context.Context, lane int, shops map[offsets.Partition]Shop) (loaded offsets.Lane, newer map[offsets.Partition]bool, err error) {
	loader := offsets.Loader{Group: cr.cfg.Group}
	wanted := func(r txn.Record) (offsets.Partition, bool) {
		if bytes.Contains(r.Key, part) {
			return offsets.Partition{}, false
		}
		k, err := offsets.ParseKey(cr.cfg.Group, r.Key)
		_, ok := shops[k.Partition]
		return k.Partition, ok && !errors.Is(err, offsets.ErrForeign)
	}
	end, err := cr.read(ctx, lane, 0, func(r txn.Record) {
		if _, ok := wanted(r); ok {
			loader.Add(r.Key, r.Value)
		}
	})
	if err != nil {
		return offsets.Lane{}, nil, err
	}
	newer = make(map[offsets.Partition]bool)
	_, err = cr.read(ctx, lane, end, func(r txn.Record) {
		if p, ok := wanted(r); ok {
			newer[p] = true
		}
	})
	return loader.Load(), newer, err
}

// used asks for the ends of all lanes at once, so that a first start need not
// read them one by one to learn that they are empty. What it cannot learn
// counts as used.
func (cr *checkpointReader) used(ctx context.Context) []bool {
	used := make([]bool, len(cr.lanes))
	requests := make([]kafka.OffsetRequest, len(cr.lanes))
	for number := range cr.lanes {
		used[number] = true
		requests[number] = kafka.LastOffsetOf(number)
	}
	client := kafka.Client{Addr: cr.cfg.Addr, Transport: cr.cfg.Transport, Timeout: 5 * time.Second}
	res, err := client.ListOffsets(ctx, &kafka.ListOffsetsRequest{Topics: map[string][]kafka.OffsetRequest{cr.cfg.OffsetsTopic: requests}})
	if err != nil {
		return used
	}
	for _, p := range res.Topics[cr.cfg.OffsetsTopic] {
		if p.Error == nil && p.LastOffset == 0 && p.Partition < len(used) {
			used[p.Partition] = false
		}
	}
	return used
}

// prepare finds out ahead of time what misplaced is most often asked at a first
// start: nothing is stored yet, so nothing can be misplaced.
func (cr *checkpointReader) prepare(ctx context.Context) {
	cr.placing.Lock()
	defer cr.placing.Unlock()
	if cr.wrong == nil && !slices.Contains(cr.used(ctx), true) {
		cr.wrong = make(map[offsets.Partition]int)
	}
}

// misplaced tells which of the source partitions have a checkpoint in a lane
// other than the one they belong to. The topic is read whole for that, once:
// what this program has written since stands where it belongs.
func (cr *checkpointReader) misplaced(ctx context.Context, wanted []offsets.Partition) (map[offsets.Partition]int, error) {
	cr.placing.Lock()
	defer cr.placing.Unlock()
	if cr.wrong == nil {
		wrong, err := cr.strays(ctx)
		if err != nil {
			return nil, err
		}
		cr.wrong = wrong
	}
	found := make(map[offsets.Partition]int)
	for _, p := range wanted {
		if number, ok := cr.wrong[p]; ok {
			found[p] = number
		}
	}
	return found, nil
}

// strays reads every lane that has anything, several at once, and finds the
// checkpoints that belong to another. Nothing else is kept of what is read.
func (cr *checkpointReader) strays(ctx context.Context) (map[offsets.Partition]int, error) {
	found := make([]offsets.Lane, len(cr.lanes))
	used := cr.used(ctx)
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(4)
	for number := range cr.lanes {
		if !used[number] {
			continue
		}
		group.Go(func() error {
			loader := offsets.Loader{Group: cr.cfg.Group}
			_, err := cr.read(ctx, number, 0, func(r txn.Record) {
				if bytes.Contains(r.Key, part) {
					return
				}
				k, err := offsets.ParseKey(cr.cfg.Group, r.Key)
				if !errors.Is(err, offsets.ErrForeign) && laneOf(cr.cfg.Group, k.Partition, len(cr.lanes)) != number {
					loader.Add(r.Key, r.Value)
				}
			})
			found[number] = loader.Load()
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	wrong := make(map[offsets.Partition]int)
	for number, lane := range found {
		for p, shop := range lane.Shops {
			if shop.Checkpoint != nil {
				wrong[p] = number
			}
		}
		for p := range lane.Faults {
			wrong[p] = number
		}
	}
	return wrong, nil
}

// laneOf is the lane of a source partition: where Java's default partitioner
// would put its checkpoint's key.
func laneOf(group string, p offsets.Partition, lanes int) int {
	return int(record.Partition(offsets.Key{Kind: offsets.KindShop, Partition: p}.Bytes(group), lanes))
}
