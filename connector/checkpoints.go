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

	"golang.org/x/sync/errgroup"

	"orderwalk/internal/record"
	"orderwalk/internal/txn"
	"orderwalk/offsets"
)

// checkpointReader reads the checkpoints of lanes that other workers own. Workers share
// nothing but Kafka, so this is how one learns what another has done. It keeps only
// what it was asked about: see followed and wrong.
//
// # Compaction
//
// A reader that continues from an offset sees the last value of each key eventually,
// since compaction never removes that. It may miss a tombstone: the log cleaner removes
// a tombstone delete.retention.ms after it has removed the values before it. So the
// only value followed from an offset is a shop's watermark, which decreases only when an
// operator sends the shop back; a forgotten shop whose tombstone is missed is found out
// by the next whole reading.
//
// Whether a shop has windows left is decided by one reading of the whole partition. The
// answer is accepted only for shops without a newer record behind the end of that
// reading: the cleaner may have removed an older value for a newer one that the reading
// did not reach. If the cleaner removes a tombstone during the reading, a forgotten
// window reappears, and the shop looks unfinished or its checkpoint inconsistent. The
// next reading begins after the cleaner has removed that window's record, so it is
// right.
type checkpointReader struct {
	cfg    *Config
	log    *slog.Logger
	outage *outage

	lanes []followed

	placing sync.Mutex
	wrong   map[offsets.Partition]int // lane of each checkpoint that is not in the lane it hashes to; nil = not read yet
}

// followed is what is known of one lane that another worker owns.
type followed struct {
	mu        sync.Mutex
	next      int64                           // offset of the next record to read
	marks     map[offsets.Partition]int64     // watermarks of shops not yet known to be done
	ended     map[offsets.Partition]readRange // bounded ranges that were done when their shop's record was written last
	nextWhole time.Time                       // earliest time of the next whole reading
}

// readRange is a range that is read to its end, as it was configured.
type readRange struct {
	start, end int64
	mark       int64        // the watermark then
	missing    *UnreadError // the time between its start and where the walk began; nil = none
}

// Before the next whole reading, a lane rests readingRest times the duration of the
// last one, and at least leastRest.
const (
	readingRest = 20
	leastRest   = 5 * time.Second
)

// errLater reports that a lane may be done but rests before its next whole reading.
var errLater = errors.New("checkpoints are read again soon")

func newCheckpointReader(cfg *Config, lanes int, log *slog.Logger, o *outage) *checkpointReader {
	return &checkpointReader{cfg: cfg, log: log, outage: o, lanes: make([]followed, lanes)}
}

// inWindow occurs in the keys of windows and parts, but not of shops. part occurs in
// the keys of records with seen IDs, which are most of the bytes.
var inWindow, part = []byte(`,"window":`), []byte(`,"part":`)

// read delivers the records of a lane from an offset up to its present end.
func (cr *checkpointReader) read(ctx context.Context, lane int, from int64, deliver func(txn.Record)) (next int64, err error) {
	who := fmt.Sprintf("checkpoints of lane %d", lane)
	defer cr.outage.over(who)
	ours := offsets.Loader{Group: cr.cfg.Group}
	reader := txn.Reader{Addr: cr.cfg.Addr, Transport: cr.cfg.Transport, Log: cr.log, OnRetry: cr.outage.of(who), Wanted: ours.Wants}
	next, err = reader.ReadToEnd(ctx, cr.cfg.OffsetsTopic, int32(lane), from, func(r txn.Record) error {
		deliver(r)
		return nil
	})
	if err != nil {
		return next, fmt.Errorf("read checkpoints of lane %d: %w", lane, err)
	}
	return next, nil
}

// done reports whether the shops of another worker's lane, all with bounded ranges, are
// read to their ends. missing lists what is not read, a line per shop.
func (cr *checkpointReader) done(ctx context.Context, lane int, shops []Shop) (done bool, missing []string, err error) {
	l := &cr.lanes[lane]
	l.mu.Lock()
	defer l.mu.Unlock()
	err = cr.follow(ctx, lane)
	left := make(map[offsets.Partition]Shop)
	for _, shop := range shops {
		p := shop.partition()
		switch e, known := l.ended[p]; {
		case known && e.end == shop.Policy.End && e.start == shop.Policy.Start:
			continue
		case known: // it has another range now, and may have no reason to commit anything
			l.marks[p] = e.mark
			delete(l.ended, p)
		}
		left[p] = shop
	}
	if err == nil && len(left) > 0 {
		err = cr.look(ctx, lane, left)
	}
	behind := func(shop Shop) bool { return l.marks[shop.partition()] < shop.Policy.LastEnd() }
	some := slices.ContainsFunc(slices.Collect(maps.Values(left)), behind)
	for _, shop := range shops {
		if _, open := left[shop.partition()]; open {
			if behind(shop) || !some {
				missing = append(missing, fmt.Sprintf("shop %s: not done: another worker owns its lane; see the log of that worker", shop.Name))
			}
		} else if e := l.ended[shop.partition()].missing; e != nil {
			missing = append(missing, fmt.Sprintf("shop %s: done in part: %s", shop.Name, cr.cfg.explain(e)))
		}
	}
	return len(left) == 0 && err == nil, missing, err
}

// look removes from left the shops that are read to their ends. The caller holds the
// lane's mu.
func (cr *checkpointReader) look(ctx context.Context, lane int, left map[offsets.Partition]Shop) error {
	l := &cr.lanes[lane]
	for p, shop := range left {
		if l.marks[p] < shop.Policy.LastEnd() {
			return nil
		}
	}
	began := time.Now()
	if began.Before(l.nextWhole) {
		return errLater
	}
	loaded, newer, err := cr.whole(ctx, lane, left)
	if err != nil {
		return err
	}
	l.nextWhole = time.Now().Add(max(leastRest, readingRest*time.Since(began)))
	for p, shop := range left {
		if !newer[p] && finished(loaded, shop) {
			l.ended[p] = readRange{shop.Policy.Start, shop.Policy.End, l.marks[p], unread(loaded.Shops[p].Checkpoint, shop)}
			delete(l.marks, p)
			delete(left, p)
		}
	}
	return nil
}

// follow reads the watermarks up to the end of the lane's partition. The caller holds
// the lane's mu.
func (cr *checkpointReader) follow(ctx context.Context, lane int) error {
	l := &cr.lanes[lane]
	reader := txn.Reader{Addr: cr.cfg.Addr, Transport: cr.cfg.Transport, Log: cr.log}
	last, err := reader.Last(ctx, cr.cfg.OffsetsTopic, int32(lane))
	if err != nil {
		return fmt.Errorf("read checkpoints of lane %d: %w", lane, err)
	}
	if l.marks == nil || last < l.next { // the topic was deleted and created again
		l.next, l.marks, l.ended = 0, make(map[offsets.Partition]int64), make(map[offsets.Partition]readRange)
	}
	l.next, err = cr.read(ctx, lane, l.next, func(r txn.Record) {
		if bytes.Contains(r.Key, inWindow) {
			return
		}
		k, err := offsets.ParseKey(cr.cfg.Group, r.Key)
		if err != nil || k.Kind != offsets.KindShop {
			return
		}
		delete(l.ended, k.Partition) // it was sent back, or is written again with the same content
		if mark, ok := offsets.WatermarkOf(r.Value); ok {
			l.marks[k.Partition] = mark
		} else {
			delete(l.marks, k.Partition)
		}
	})
	return err
}

// whole reads the checkpoints of some shops of a lane, from the beginning of its
// partition. newer holds the shops that were written to after that reading.
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

// used reports for each lane whether its partition has records, so that a first start
// need not read empty lanes. A lane without an answer counts as used.
func (cr *checkpointReader) used(ctx context.Context) []bool {
	reader := txn.Reader{Addr: cr.cfg.Addr, Transport: cr.cfg.Transport, Log: cr.log}
	ends := reader.HighWatermarks(ctx, cr.cfg.OffsetsTopic)
	used := make([]bool, len(cr.lanes))
	for number := range cr.lanes {
		end, known := ends[int32(number)]
		used[number] = !known || end > 0
	}
	return used
}

// prepare answers misplaced in advance for a first start: nothing is stored yet, so no
// checkpoint can be misplaced.
func (cr *checkpointReader) prepare(ctx context.Context) {
	cr.placing.Lock()
	defer cr.placing.Unlock()
	if cr.wrong == nil && !slices.Contains(cr.used(ctx), true) {
		cr.wrong = make(map[offsets.Partition]int)
	}
}

// misplaced returns those of the source partitions that have a checkpoint in a lane
// other than their own. It reads the whole topic once: this program only writes to the
// right lane, so the answer stays true.
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

// strays reads every lane that has records, several at once, and returns the
// checkpoints that belong to another lane.
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

// laneOf returns the lane of a source partition: where Java's default partitioner would
// put its checkpoint's key.
func laneOf(group string, p offsets.Partition, lanes int) int {
	return int(record.Partition(offsets.Key{Kind: offsets.KindShop, Partition: p}.Bytes(group), lanes))
}
