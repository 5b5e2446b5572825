package group

import "slices"

// join makes one set of those that overlap, by its first lane and sorted. Lanes
// that are not there are left out, and so are sets of fewer than two.
func join(lanes []int, sets [][]int) map[int][]int {
	if len(sets) == 0 {
		return nil
	}
	first := make(map[int]int, len(lanes)) // lane → first of its set
	for _, lane := range lanes {
		first[lane] = lane
	}
	for _, set := range sets {
		set = slices.DeleteFunc(slices.Clone(set), func(lane int) bool { _, there := first[lane]; return !there })
		for i := range set {
			a, b := first[set[0]], first[set[i]]
			if a == b {
				continue
			}
			for lane, f := range first {
				if f == a || f == b {
					first[lane] = min(a, b)
				}
			}
		}
	}
	joined := make(map[int][]int)
	for _, lane := range lanes {
		joined[first[lane]] = append(joined[first[lane]], lane)
	}
	for f, set := range joined {
		if len(set) < 2 {
			delete(joined, f)
		}
		slices.Sort(set)
	}
	return joined
}

// gather puts each set under its first lane: its load, and as its owner who has
// most of it, so that the fewest lanes move.
func (t *table) gather(owner map[int]int) {
	for first, set := range t.sets {
		load, most := 0, 0
		has := make(map[int]int) // index of a member → how many of these lanes
		for _, lane := range set {
			load += t.load[lane]
			delete(t.load, lane)
			if i, claimed := owner[lane]; claimed {
				has[i]++
			}
		}
		t.load[first] = min(load, maxLoad)
		delete(owner, first)
		for i, n := range has {
			if best, claimed := owner[first]; !claimed || n > most || n == most && i < best {
				owner[first], most = i, n
			}
		}
	}
}

// all lists the lanes of a hand, those of sets too, sorted.
func (t *table) all(hand []int) []int {
	lanes := slices.Clone(hand)
	for _, lane := range hand {
		if set := t.sets[lane]; len(set) > 0 {
			lanes = append(lanes, set[1:]...)
		}
	}
	slices.Sort(lanes)
	return lanes
}
