//go:build kafka

package deploy

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"orderwalk/test/kafkatest"
)

// What docs/RUNBOOK.md says of disasters, done on a real Kafka. Its walks are
// bounded and without a second pass, so that each comes to a known place.

// The offsets topic is lost: no worker goes on by itself. Who makes the topic and
// goes on all the same publishes all again; who
// begins at the last watermark publishes little again, and loses nothing.
func TestRunbookLostOffsetsTopic(t *testing.T) {
	s := newStage(t, kafkatest.Start(t))
	s.walk(s.start, s.mid)
	published := len(s.copyOf(s.orders()))
	s.lose(s.offsets())
	if text := s.refused(s.start, s.mid); !strings.Contains(text, "nothing was started over") {
		t.Errorf("started without a word of what is lost:\n%s", text)
	}
	s.restore(s.offsets(), 4, nil)
	s.walk(s.start, s.mid)
	if _, twice := s.tally(s.start, s.mid, s.copyOf(s.orders())); len(twice) != published {
		t.Errorf("of %d orders, %d are there twice", published, len(twice))
	}

	s = newStage(t, s.brokers)
	s.name += "-by-the-book"
	s.walk(s.start, s.mid)
	s.lose(s.offsets())
	s.restore(s.offsets(), 4, nil)
	const margin = 600
	s.walk(s.mid-margin, s.end)
	lost, twice := s.tally(s.start, s.end, s.copyOf(s.orders()))
	if lost > 0 || len(twice) == 0 || twice[0] < s.mid-margin || twice[len(twice)-1] > s.mid+1 {
		t.Errorf("%d lost; there twice are those of %v, the watermark was %d", lost, twice, s.mid)
	}
}

// The cluster is restored from a backup of an earlier time.
func TestRunbookRestoredCluster(t *testing.T) {
	s := newStage(t, kafkatest.Start(t))
	s.walk(s.start, s.mid)
	orders, offsets := s.copyOf(s.orders()), s.copyOf(s.offsets())
	s.walk(s.start, s.end)
	later := s.copyOf(s.offsets())
	all := len(s.copyOf(s.orders()))

	t.Run("both topics of one moment", func(t *testing.T) {
		s.T = t
		s.lose(s.orders(), s.offsets())
		s.restore(s.orders(), 6, orders)
		s.restore(s.offsets(), 4, offsets)
		s.walk(s.start, s.end)
		if lost, twice := s.tally(s.start, s.end, s.copyOf(s.orders())); lost > 0 || len(twice) > 0 {
			t.Errorf("%d lost, %d there twice: %v; mid %d", lost, len(twice), twice, s.mid)
		}
	})
	t.Run("an offsets topic older than the orders", func(t *testing.T) {
		s.T = t
		s.lose(s.offsets())
		s.restore(s.offsets(), 4, offsets)
		s.walk(s.start, s.end)
		lost, twice := s.tally(s.start, s.end, s.copyOf(s.orders()))
		if lost > 0 || len(twice) != all-len(orders) || twice[0] < s.mid {
			t.Errorf("%d lost; %d there twice, %d were published after the copy", lost, len(twice), all-len(orders))
		}
	})
	t.Run("an offsets topic newer than the orders", func(t *testing.T) {
		s.T = t
		s.lose(s.orders(), s.offsets())
		s.restore(s.orders(), 6, orders)
		s.restore(s.offsets(), 4, later)
		s.walk(s.start, s.end)
		if lost, _ := s.tally(s.start, s.end, s.copyOf(s.orders())); lost != all-len(orders) {
			t.Errorf("%d lost, %d were published after the copy", lost, all-len(orders))
		}
		// By the book: a new group, from the time of the orders' backup.
		s.walk(s.mid, s.end, "GROUP="+s.name+"-2")
		if lost, twice := s.tally(s.start, s.end, s.copyOf(s.orders())); lost > 0 || len(twice) > 0 && (twice[0] < s.mid || twice[len(twice)-1] > s.mid+1) {
			t.Errorf("%d lost; there twice are those of %v, the backup was of %d", lost, twice, s.mid)
		}
	})
}

// The walk began too late: another start time changes nothing; a backfill up to
// the second before brings the rest.
func TestRunbookWrongStartTime(t *testing.T) {
	s := newStage(t, kafkatest.Start(t))
	s.walk(s.mid, s.end)
	published := len(s.copyOf(s.orders()))
	s.refused(s.start, s.end) // and says so
	if now := len(s.copyOf(s.orders())); now != published {
		t.Errorf("%d orders, and %d with an earlier start time", published, now)
	}
	s.walk(s.start, s.mid-1, "GROUP="+s.name+"-backfill")
	lost, twice := s.tally(s.start, s.end, s.copyOf(s.orders()))
	if lost > 0 || len(twice) == 0 || twice[0] < s.mid-1 || twice[len(twice)-1] != s.mid {
		t.Errorf("%d lost; there twice are those of %v, the two ranges share the seconds %d and %d", lost, twice, s.mid-1, s.mid)
	}
}

// One shop begins again: its records get tombstones, and the other goes on as if
// nothing had been.
func TestRunbookOneShopAnew(t *testing.T) {
	s := newStage(t, kafkatest.Start(t))
	s.walk(s.start, s.mid)
	fresh, other := stageShops[0], stageShops[1]
	tombstones := map[string]bool{}
	for line := range strings.Lines(s.checkpoints()) {
		if strings.Contains(line, fmt.Sprintf(`["%s",{"shop":"%s",`, s.name, fresh)) {
			fields := strings.Split(line, "\t")
			tombstones[fields[0]+"\t"+fields[1]+"\t\n"] = true
		}
	}
	if len(tombstones) < 2 {
		t.Fatalf("records of %s: %d", fresh, len(tombstones))
	}
	s.putBack(strings.Join(slices.Sorted(maps.Keys(tombstones)), ""))
	s.walk(s.start, s.end)

	times := map[string]int{}
	for _, r := range s.copyOf(s.orders()) {
		times[string(r.Key)]++
	}
	for _, order := range s.api.Orders(fresh, time.Time{}) {
		want := 1
		if order.Created <= s.mid {
			want = 2
		}
		// One of the second after a range's end may come along with it.
		if got := times[order.ID]; got != want && order.Created != s.mid+1 || got == 0 {
			t.Fatalf("order %s of %d is there %d times, the first walk went to %d", order.ID, order.Created, got, s.mid)
		}
	}
	for _, order := range s.api.Orders(other, time.Time{}) {
		if got := times[order.ID]; got != 1 {
			t.Fatalf("order %s of the other shop is there %d times", order.ID, got)
		}
	}
}

// Another cluster: with a copy of the checkpoints it goes on there, each order
// once on one of the two.
func TestRunbookAnotherCluster(t *testing.T) {
	s := newStage(t, kafkatest.Start(t))
	s.walk(s.start, s.mid)
	orders := s.copyOf(s.orders())
	saved := s.checkpoints()

	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	other, err := kafkatest.Launch(ctx, kafkatest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(other.Stop)
	s.brokers = other.Brokers()
	s.restore(s.offsets(), 4, nil)
	s.putBack(saved)
	s.walk(s.start, s.end)
	there := s.copyOf(s.orders())
	if lost, twice := s.tally(s.start, s.end, append(orders, there...)); lost > 0 || len(twice) > 0 {
		t.Errorf("%d lost, %d there twice: %v; mid %d", lost, len(twice), twice, s.mid)
	}
	if !strings.Contains(saved, "\t\n") {
		t.Error("there was no tombstone among what was copied")
	}
	t.Logf("%d orders on the old cluster, %d on the new one", len(orders), len(there))
}
