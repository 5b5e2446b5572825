package group

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
)

// randomSets returns sets of lanes, some overlapping, some with unknown lanes.
func randomSets(r *rand.Rand, lanes []int) [][]int {
	sets := [][]int{{900, 901}, {}}
	for range r.IntN(6) {
		var set []int
		for range r.IntN(5) {
			set = append(set, r.IntN(len(lanes)+2))
		}
		sets = append(sets, set)
	}
	return sets
}

// holder finds the member with a lane.
func holder(dealt map[string][]int, lane int) string {
	for id, lanes := range dealt {
		if slices.Contains(lanes, lane) {
			return id
		}
	}
	return ""
}

// units counts each member's lanes, a set as one.
func units(dealt map[string][]int, sets map[int][]int) map[string]int {
	n := make(map[string]int, len(dealt))
	for id, lanes := range dealt {
		n[id] = len(lanes)
		for first, set := range sets {
			if slices.Contains(lanes, first) {
				n[id] -= len(set) - 1
			}
		}
	}
	return n
}

// In every group each set is with one member, every lane is assigned once, and the order
// of the input makes no difference.
func TestSetsStayTogether(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 10))
	joined := 0
	for range 500 {
		lanes, members := randomGroup(r)
		sets := randomSets(r, lanes)
		dealt := assign(lanes, members, sets...)
		checkDealt(t, lanes, members, dealt)
		for _, set := range sets {
			for _, lane := range set {
				if slices.Contains(lanes, lane) && slices.Contains(lanes, set[0]) && holder(dealt, lane) != holder(dealt, set[0]) {
					t.Fatalf("set %v is with several members: %v", set, dealt)
				}
			}
		}
		joined += len(mergeSets(lanes, sets))
		shuffled, again := slices.Clone(members), slices.Clone(sets)
		r.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		r.Shuffle(len(again), func(i, j int) { again[i], again[j] = again[j], again[i] })
		for _, set := range again {
			r.Shuffle(len(set), func(i, j int) { set[i], set[j] = set[j], set[i] })
		}
		if got := assign(lanes, shuffled, again...); !reflect.DeepEqual(got, dealt) {
			t.Fatalf("another order, another answer:\n%v\n%v", got, dealt)
		}
	}
	if joined < 300 {
		t.Errorf("only %d sets were tried", joined)
	}
}

// Sets of fewer than two known lanes change nothing.
func TestSetsOfOne(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 12))
	for range 300 {
		lanes, members := randomGroup(r)
		sets := [][]int{{900, 901}, {}, {lanes[0]}, {lanes[0], lanes[0]}, {700, lanes[len(lanes)-1]}}
		if got, want := assign(lanes, members, sets...), assign(lanes, members); !reflect.DeepEqual(got, want) {
			t.Fatalf("sets of one:\n%v\n%v", got, want)
		}
	}
}

// A set is balanced, kept and moved as one lane is: as in TestAssignByNumber.
func TestSetsCountAsOneLane(t *testing.T) {
	r := rand.New(rand.NewPCG(13, 14))
	for range 200 {
		lanes := upTo(1 + r.IntN(64))
		sets := randomSets(r, lanes)
		joined := mergeSets(lanes, sets)
		total := len(lanes)
		for _, set := range joined {
			total -= len(set) - 1
		}
		var members []candidate
		dealt := map[string][]int{}
		for generation := range int32(12) {
			members = slices.DeleteFunc(next(members, dealt, generation), func(candidate) bool { return r.IntN(4) == 0 })
			for range 1 + r.IntN(2) {
				members = append(members, named(fmt.Sprint(r.Uint32())))
			}
			after := assign(lanes, members, sets...)
			share, extra, need := total/len(members), total%len(members), 0
			before := units(dealt, joined)
			for _, m := range members {
				if over := before[m.id] - share; over > 0 {
					if extra > 0 {
						extra--
						over--
					}
					need += over
				}
			}
			gone := 0
			has := units(after, joined)
			for _, m := range members {
				if n := has[m.id]; n < share || n > share+1 {
					t.Fatalf("%d units over %d members: %v", total, len(members), has)
				}
				for _, lane := range dealt[m.id] {
					set, is := joined[lane]
					inside := slices.ContainsFunc(slices.Collect(maps.Values(joined)), func(s []int) bool { return slices.Contains(s[1:], lane) })
					if (is && len(set) > 0 || !inside) && !slices.Contains(after[m.id], lane) {
						gone++
					}
				}
			}
			if gone != need {
				t.Fatalf("%d units over %d members: %d moved, %d needed", total, len(members), gone, need)
			}
			dealt = after
		}
	}
}

// The member with most of a set keeps it; the set's load is that of all its lanes.
func TestSetsHaveOwnerAndLoad(t *testing.T) {
	a, b := named("a"), named("b")
	a.generation, a.owned = 1, []int{0, 1, 2}
	b.generation, b.owned = 1, []int{3, 4, 5}
	if got, want := assign(upTo(6), []candidate{a, b}, []int{2, 3, 4}), map[string][]int{"a": {0, 1}, "b": {2, 3, 4, 5}}; !reflect.DeepEqual(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	load := map[int]int{0: 10, 1: 10, 2: 10, 3: 10, 4: 10, 5: 10}
	a.load, b.load = load, load
	if got, want := assign(upTo(6), []candidate{a, b}, []int{2, 3, 4}), map[string][]int{"a": {0, 1, 5}, "b": {2, 3, 4}}; !reflect.DeepEqual(got, want) {
		t.Errorf("by load %v, want %v", got, want)
	}
}
