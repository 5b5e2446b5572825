package group

import (
	"cmp"
	"slices"
)

// candidate is a member in the leader's view.
type candidate struct {
	id string // member ID
	userData
}

const (
	// maxLoad of a lane: even the sum over all lanes stays far from overflow.
	maxLoad = 1<<31 - 1
	// tolerable is how far above the ideal, in percent, the worst worker's load
	// may be before load counts more than the number of lanes.
	tolerable = 20
	// worthwhile is how far a move must lower the worst worker's load, in percent of
	// the ideal.
	worthwhile = 5
)

// assign distributes the lanes: it returns each member's lanes, sorted, by member ID. It
// is a pure function, and the order of its arguments does not matter.
//
// A set holds lanes that must be with the same member. It counts as one lane with the
// load of all its lanes; sets that overlap are one set.
//
// A lane stays with the member that claims it in the latest generation as far as balance
// allows. Balanced means the same number of lanes for each member, within one. Loads
// decide only if that leaves one worker with clearly more load than the others and
// another distribution clearly helps.
func assign(lanes []int, members []candidate, sets ...[]int) map[string][]int {
	if len(members) == 0 {
		return nil
	}
	members = slices.Clone(members)
	slices.SortFunc(members, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(a.worker, b.worker), cmp.Compare(a.id, b.id))
	})
	lanes = slices.Sorted(slices.Values(lanes))
	t := newTable(lanes, members, mergeSets(lanes, sets))
	result := t.byNumber()
	if worst := result.worst(); worst > percent(t.ideal, 100+tolerable) {
		if byLoad := t.byLoad(); byLoad.worst() <= worst-percent(t.ideal, worthwhile) {
			result = byLoad
		}
	}
	dealt := make(map[string][]int, len(members))
	for i, h := range result {
		dealt[members[i].id] = t.all(h.lanes)
	}
	return dealt
}

func percent(n, of int) int { return n * of / 100 }

// table holds the input of a distribution. A set of lanes is in it under its first lane.
type table struct {
	sets  map[int][]int // by their first lanes; single lanes are not in it
	load  map[int]int
	kept  []hand // the lanes each member has now
	free  []int  // lanes without an owner, heaviest first
	ideal int    // lower bound for the worst load of any distribution
}

// hand is the lanes of a member and their load.
type hand struct {
	lanes []int
	load  int
}

// hands are those of all members, in the order of the members.
type hands []hand

func (hs hands) worst() int {
	worst := 0
	for _, h := range hs {
		worst = max(worst, h.load)
	}
	return worst
}

func newTable(lanes []int, members []candidate, sets map[int][]int) *table {
	owner := make(map[int]int, len(lanes)) // lane → index of a member
	for i, m := range members {
		for _, lane := range m.owned {
			if j, claimed := owner[lane]; !claimed || m.generation > members[j].generation {
				owner[lane] = i
			}
		}
	}
	t := &table{sets: sets, load: make(map[int]int, len(lanes)), kept: make(hands, len(members))}
	total, heaviest := 0, 0
	for _, lane := range lanes {
		i, claimed := owner[lane]
		load, known := 0, false
		if claimed {
			load, known = members[i].load[lane]
		}
		for _, m := range members {
			if !known {
				load = max(load, m.load[lane])
			}
		}
		t.load[lane] = load
		total += load
	}
	t.collapseSets(owner)
	for _, lane := range lanes {
		load, first := t.load[lane]
		if !first {
			continue // not the first lane of its set
		}
		heaviest = max(heaviest, load)
		if i, claimed := owner[lane]; claimed {
			t.kept[i].lanes = append(t.kept[i].lanes, lane)
			t.kept[i].load += load
		} else {
			t.free = append(t.free, lane)
		}
	}
	t.heaviestFirst(t.free)
	t.ideal = max(heaviest, (total+len(members)-1)/len(members))
	return t
}

// heaviestFirst sorts lanes by load.
func (t *table) heaviestFirst(lanes []int) {
	slices.SortFunc(lanes, func(a, b int) int {
		return cmp.Or(cmp.Compare(t.load[b], t.load[a]), cmp.Compare(a, b))
	})
}

func (t *table) deal() hands {
	hs := make(hands, len(t.kept))
	for i, h := range t.kept {
		hs[i] = hand{slices.Clone(h.lanes), h.load}
	}
	return hs
}

// byNumber gives each member as many lanes as any other, or one more, with the fewest
// moves.
func (t *table) byNumber() hands {
	hs := t.deal()
	n := len(t.free)
	order := make([]int, len(hs)) // the members with most lanes may keep one more
	for i, h := range hs {
		n += len(h.lanes)
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(len(hs[b].lanes), len(hs[a].lanes)) })
	quota := make([]int, len(hs))
	for rank, i := range order {
		quota[i] = n / len(hs)
		if rank < n%len(hs) {
			quota[i]++
		}
	}
	free := slices.Clone(t.free)
	for i := range hs {
		h := &hs[i]
		for len(h.lanes) > quota[i] {
			free = append(free, h.remove(t, len(h.lanes)-1))
		}
	}
	t.heaviestFirst(free)
	for _, lane := range free {
		hs.lightest(func(i int) bool { return len(hs[i].lanes) < quota[i] }).add(t, lane)
	}
	return hs
}

// byLoad leaves owned lanes where they are, gives free ones to the member with the least
// load, and then relieves the most loaded member as long as a move is worthwhile.
func (t *table) byLoad() hands {
	hs := t.deal()
	for _, lane := range t.free {
		hs.lightest(func(int) bool { return true }).add(t, lane)
	}
	for range t.load { // each step lowers a worst load; this many are enough
		if !t.relieve(hs) {
			break
		}
	}
	return hs
}

// lightest returns the member with the least load, then the fewest lanes, of those for
// which may is true.
func (hs hands) lightest(may func(int) bool) *hand {
	var least *hand
	for i := range hs {
		h := &hs[i]
		if may(i) && (least == nil || h.load < least.load || h.load == least.load && len(h.lanes) < len(least.lanes)) {
			least = h
		}
	}
	return least
}

func (h *hand) add(t *table, lane int) {
	h.lanes = append(h.lanes, lane)
	h.load += t.load[lane]
}

func (h *hand) remove(t *table, i int) int {
	lane := h.lanes[i]
	h.lanes = slices.Delete(h.lanes, i, i+1)
	h.load -= t.load[lane]
	return lane
}

// relieve moves one lane away from the member with the most load, or swaps it for a
// lighter one if no move helps. It reports whether it did.
func (t *table) relieve(hs hands) bool {
	w := 0
	for i := range hs {
		if hs[i].load > hs[w].load {
			w = i
		}
	}
	worst := &hs[w]
	enough := worst.load - max(1, percent(t.ideal, worthwhile))
	best, to, give, get := enough+1, -1, -1, -1
	try := func(i, g, b int) {
		moved := t.load[worst.lanes[g]]
		if b >= 0 {
			moved -= t.load[hs[i].lanes[b]]
		}
		if after := max(worst.load-moved, hs[i].load+moved); after < best {
			best, to, give, get = after, i, g, b
		}
	}
	for _, swap := range []bool{false, true} {
		for i := range hs {
			if i == w {
				continue
			}
			for g := range worst.lanes {
				if !swap {
					try(i, g, -1)
					continue
				}
				for b := range hs[i].lanes {
					try(i, g, b)
				}
			}
		}
		if to >= 0 {
			break
		}
	}
	if to < 0 {
		return false
	}
	other := &hs[to]
	if get >= 0 {
		worst.add(t, other.remove(t, get))
	}
	other.add(t, worst.remove(t, give))
	return true
}
