package group

import "slices"

// mergeSets merges sets that overlap. The result is by first lane and sorted. It leaves out
// unknown lanes, and sets of fewer than two lanes.
func mergeSets(lanes []int, sets [][]int) map[int][]int {
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

// collapseSets replaces the lanes of each set by its first lane, with the load of all. Its
// owner is the member with most of the set's lanes, so that the fewest lanes move.
func (t *table) collapseSets(owner map[int]int) {
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

// all returns the lanes of a hand, with the rest of their sets, sorted.
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
