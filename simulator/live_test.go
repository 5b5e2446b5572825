package simulator_test

import (
	"fmt"
	"slices"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"orderwalk/simulator"
)

// A live shop's orders do not depend on when or how often calls come.
func TestLiveOrdersDoNotDependOnWhoLooks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		live := simulator.Live{Rate: 2.5, Changes: 1.5, ChangeWithin: 10 * time.Minute, BurstEvery: 100, BurstSize: 30}
		backlog := hundred
		backlog.Changes, backlog.ChangeWithin = 3, 2*time.Hour
		often, once := shop(backlog, live, simulator.Faults{}), shop(backlog, live, simulator.Faults{})
		for range 700 {
			time.Sleep(1700 * time.Millisecond)
			list(t, often, created(epoch, epoch+3600, 1, ""))
		}
		a, b := often.Orders(appID, timeless), once.Orders(appID, timeless)
		if !slices.Equal(a, b) {
			t.Errorf("%d and %d orders", len(a), len(b))
		}
		if !slices.Equal(often.Changes(appID, timeless, timeless), once.Changes(appID, timeless, timeless)) {
			t.Error("other changes")
		}
		// Created later with the same Since, it is the same shop.
		live.Since = epoch
		if c := shop(backlog, live, simulator.Faults{}).Orders(appID, timeless); !slices.Equal(a, c) {
			t.Errorf("built later: %d and %d orders", len(a), len(c))
		}
	})
}

func TestLiveRateAndBursts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := shop(simulator.Backlog{}, simulator.Live{Rate: 2.5, BurstEvery: 100, BurstSize: 30, Until: epoch + 1999}, simulator.Faults{})
		if got := len(s.Orders(appID, timeless)); got > 30 {
			t.Errorf("%d orders in the first instant", got)
		}
		time.Sleep(time.Hour)
		perSecond := map[int64]int{}
		orders := s.Orders(appID, timeless)
		for _, o := range orders {
			perSecond[o.Created]++
		}
		if n := len(orders) - 20*30; n < 4800 || n > 5200 {
			t.Errorf("%d orders in 2000 s at 2.5/s", n)
		}
		for second, n := range perSecond {
			if second > epoch+1999 || second%100 == 0 != (n >= 30) || n > 36 {
				t.Errorf("%d orders in second %d", n, second)
			}
		}
	})
}

// Orders appear within their second, neither before it nor all at its start.
func TestLiveOrdersAppearWithinTheirSecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := shop(simulator.Backlog{}, simulator.Live{Rate: 50, Since: epoch + 10}, simulator.Faults{})
		var counts []int
		time.Sleep(10*time.Second - time.Millisecond)
		for range 12 {
			counts = append(counts, len(walk(t, s, "create_time_range", epoch+10, epoch+10, 100)))
			time.Sleep(100 * time.Millisecond)
		}
		if counts[0] != 0 || counts[5] == 0 || counts[5] == counts[11] || !slices.IsSorted(counts) || counts[10] != counts[11] {
			t.Errorf("orders of one second, each 100 ms: %v", counts)
		}
	})
}

// At each moment an order is listed under its latest update time only.
func TestUpdateTimeMovesOrders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		live := simulator.Live{Rate: 1, Changes: 3, ChangeWithin: 20 * time.Minute}
		backlog := simulator.Backlog{Orders: 500, From: epoch - 1800, To: epoch + 1800, Changes: 2, ChangeWithin: time.Hour}
		s := shop(backlog, live, simulator.Faults{})
		for range 10 {
			time.Sleep(7 * time.Minute)
			now := time.Now().Unix()
			for from := now - 5000; from <= now; from += 500 {
				got := walk(t, s, "update_time_range", from, from+499, 50)
				wantSame(t, got, truth(s, func(o simulator.Order) bool { return o.Updated >= from && o.Updated <= from+499 }))
			}
		}
		// Every order's latest change is the last one that Changes returns for it.
		last, statuses, backwards := map[string]simulator.Change{}, map[int]bool{}, 0
		previous := int64(0)
		for _, c := range s.Changes(appID, timeless, timeless) {
			if c.At < previous {
				t.Fatal("changes are not by time")
			}
			if last[c.ID].Status == 20 && c.Status == 10 {
				backwards++
			}
			last[c.ID], statuses[c.Status], previous = c, true, c.At
		}
		orders := s.Orders(appID, timeless)
		for _, o := range orders {
			if c := last[o.ID]; c.At != o.Updated || c.Status != o.Status {
				t.Fatalf("%+v, but last %+v", o, c)
			}
			if o.Created > time.Now().Unix() {
				t.Fatalf("%+v is to come", o)
			}
		}
		if len(last) != len(orders) || backwards == 0 {
			t.Errorf("%d of %d orders have changes, %d went from 20 to 10", len(last), len(orders), backwards)
		}
		for _, status := range []int{10, 12, 13, 20, 21, 30, 100, 190, 200, 250, 77} {
			if !statuses[status] {
				t.Errorf("no order was ever in status %d", status)
			}
		}
		since := time.Unix(epoch+600, 0)
		for _, c := range s.Changes(appID, since, since.Add(time.Minute)) {
			if c.At < epoch+600 || c.At > epoch+660 {
				t.Errorf("%+v is out of bounds", c)
			}
		}
	})
}

// A backlog ends at To, has its bursts, and its IDs are almost in order.
func TestBacklog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := shop(simulator.Backlog{Orders: 5000, From: epoch - 86400, To: epoch - 1, Bursts: 2, BurstSize: 300, Statuses: []int{20, 30}},
			simulator.Live{}, simulator.Faults{})
		orders := s.Orders(appID, timeless)
		if len(orders) != 5000 || orders[0].Created != epoch-86400 || orders[4999].Created != epoch-1 {
			t.Fatalf("%d orders, from %+v to %+v", len(orders), orders[0], orders[len(orders)-1])
		}
		perSecond, seen, inversions, previous := map[int64]int{}, map[string]bool{}, 0, int64(0)
		for _, o := range orders {
			perSecond[o.Created]++
			seen[o.ID] = true
			id, err := strconv.ParseInt(o.ID, 10, 64)
			if err != nil || len(o.ID) != 19 {
				t.Fatalf("ID %s", o.ID)
			}
			if id < previous {
				inversions++
			}
			if previous = id; o.Status != 20 && o.Status != 30 {
				t.Fatalf("%+v", o)
			}
		}
		bursts := 0
		for _, n := range perSecond {
			if n >= 300 {
				bursts++
			}
		}
		if bursts != 2 || len(seen) != 5000 || inversions < 100 || inversions > 2500 {
			t.Errorf("%d bursts, %d IDs, %d out of order", bursts, len(seen), inversions)
		}
		if got := s.Orders(appID, time.Unix(epoch-43200, 0)); len(got) == 0 || got[len(got)-1].Created > epoch-43200 {
			t.Errorf("until noon: %d orders", len(got))
		}
		if s.Orders("wx9", timeless) != nil || s.Changes("wx9", timeless, timeless) != nil {
			t.Error("a shop that is not there has orders")
		}
		other := shop(simulator.Backlog{Orders: 10}, simulator.Live{}, simulator.Faults{}).Orders(appID, timeless)
		if other[0].Created != epoch-7*86400 || other[9].Created != epoch {
			t.Errorf("without times: %+v to %+v", other[0], other[9])
		}
	})
}

// Orders that a test adds and changes, now, in the past and in the future.
func TestAddAndUpdate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := shop(hundred, simulator.Live{}, simulator.Faults{})
		add := func(o simulator.Order) {
			t.Helper()
			if err := s.Add(appID, o); err != nil {
				t.Fatal(err)
			}
		}
		listed := func(rangeName string, from, to int64) string {
			t.Helper()
			return fmt.Sprint(walk(t, s, rangeName, from, to, 10))
		}
		want := func(rangeName string, from, to int64, ids string) {
			t.Helper()
			if got := listed(rangeName, from, to); got != ids {
				t.Errorf("%s %d-%d: %s, want %s", rangeName, from-epoch, to-epoch, got, ids)
			}
		}
		add(simulator.Order{ID: "1"})
		add(simulator.Order{ID: "2", Created: epoch + 10, Updated: epoch + 20, Status: 20})
		add(simulator.Order{ID: "3", Created: epoch - 5000, Updated: epoch - 4000})
		add(simulator.Order{ID: "4", Created: epoch, VisibleAt: epoch + 30})
		want("create_time_range", epoch, epoch+100, "[1]")
		want("update_time_range", epoch-5000, epoch-4000, "[3]")
		time.Sleep(10 * time.Second)
		want("create_time_range", epoch, epoch+100, "[1 2]")
		want("update_time_range", epoch+10, epoch+100, "[2]")
		time.Sleep(10 * time.Second)
		want("update_time_range", epoch+10, epoch+19, "[]")
		want("update_time_range", epoch+20, epoch+20, "[2]")
		time.Sleep(10 * time.Second)
		want("create_time_range", epoch, epoch, "[1 4]")

		update := func(id string, at int64, status int) {
			t.Helper()
			if err := s.Update(appID, id, at, status); err != nil {
				t.Fatal(err)
			}
		}
		update("1", 0, 20)
		want("update_time_range", epoch+30, epoch+30, "[1]")
		update("3", epoch+40, 250)
		want("update_time_range", epoch-5000, epoch-4000, "[3]")
		time.Sleep(10 * time.Second)
		want("update_time_range", epoch-5000, epoch-4000, "[]")
		want("update_time_range", epoch+40, epoch+40, "[3]")
		generated := s.Orders(appID, timeless)[50]
		update(generated.ID, epoch+40, 77)
		want("update_time_range", epoch+40, epoch+40, "["+generated.ID+" 3]")
		update("3", epoch+40, 100) // the same second: still listed once
		want("update_time_range", epoch+40, epoch+40, "["+generated.ID+" 3]")

		for _, err := range []error{
			s.Add("wx9", simulator.Order{ID: "5"}), s.Add(appID, simulator.Order{ID: "1"}), s.Add(appID, simulator.Order{}),
			s.Add(appID, simulator.Order{ID: generated.ID}), s.Add(appID, simulator.Order{ID: "05"}), s.Add(appID, simulator.Order{ID: "o-5"}),
			s.Add(appID, simulator.Order{ID: "5", Created: 10, Updated: 9}), s.Add(appID, simulator.Order{ID: "5", Created: -1}),
			s.Add(appID, simulator.Order{ID: "5", Created: 1 << 40}), s.Add(appID, simulator.Order{ID: "5", Status: -1}),
			s.Update("wx9", "1", 0, 20), s.Update(appID, "6", 0, 20), s.Update(appID, "1", epoch+29, 20),
			s.Update(appID, "1", 0, 0), s.Update(appID, "1", 1<<40, 20), s.Update(appID, "x", 0, 20),
		} {
			if err == nil {
				t.Error("something impossible was done")
			}
		}
		if got := len(s.Orders(appID, timeless)); got != 104 {
			t.Errorf("%d orders", got)
		}
	})
}

// A week of a shop takes no real time.
func TestWeekOfLiveOrders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := shop(simulator.Backlog{}, simulator.Live{Rate: 0.05, Changes: 1}, simulator.Faults{})
		time.Sleep(7 * 24 * time.Hour)
		got := walk(t, s, "create_time_range", epoch, epoch+7*86400-1, 100)
		wantSame(t, got, truth(s, func(o simulator.Order) bool { return o.Created < epoch+7*86400 }))
		if len(got) < 25000 {
			t.Errorf("%d orders", len(got))
		}
	})
}
