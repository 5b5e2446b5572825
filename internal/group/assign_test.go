package group

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
)

func upTo(n int) []int {
	lanes := make([]int, n)
	for i := range lanes {
		lanes[i] = i
	}
	return lanes
}

// next makes each member claim the lanes it was assigned.
func next(members []candidate, dealt map[string][]int, generation int32) []candidate {
	after := slices.Clone(members)
	for i := range after {
		after[i].generation, after[i].owned = generation, dealt[after[i].id]
	}
	return after
}

func named(id string) candidate { return candidate{id: id, userData: userData{worker: "w" + id}} }

// moved counts lanes that left a member that is still in the group.
func moved(before, after map[string][]int) int {
	n := 0
	for id, lanes := range before {
		now, there := after[id]
		for _, lane := range lanes {
			if there && !slices.Contains(now, lane) {
				n++
			}
		}
	}
	return n
}

// checkDealt checks that every lane is assigned once, lists are sorted and every member is named.
func checkDealt(t *testing.T, lanes []int, members []candidate, dealt map[string][]int) {
	t.Helper()
	if len(dealt) != len(members) {
		t.Errorf("%d members in the answer, want %d", len(dealt), len(members))
	}
	var all []int
	for id, l := range dealt {
		if !slices.IsSorted(l) {
			t.Errorf("%s has %v, not sorted", id, l)
		}
		all = append(all, l...)
	}
	slices.Sort(all)
	if !slices.Equal(all, lanes) {
		t.Errorf("dealt %v, want %v", all, lanes)
	}
}

func spread(dealt map[string][]int) int {
	least, most := 1<<30, 0
	for _, l := range dealt {
		least, most = min(least, len(l)), max(most, len(l))
	}
	return most - least
}

// Over a long life of a group members join and leave, several at once: it is always
// balanced, and no lane moves that balance does not require.
func TestAssignByNumber(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		lanes := upTo(r.IntN(70))
		var members []candidate
		dealt := map[string][]int{}
		for generation := range int32(20) {
			members = slices.DeleteFunc(next(members, dealt, generation), func(candidate) bool { return r.IntN(4) == 0 })
			for range r.IntN(3) {
				members = append(members, named(fmt.Sprint(r.Uint32())))
			}
			if len(members) == 0 {
				members = append(members, named("only"))
			}
			after := assign(lanes, members)
			checkDealt(t, lanes, members, after)
			if s := spread(after); s > 1 {
				t.Fatalf("%d lanes over %d members: spread %d", len(lanes), len(members), s)
			}
			// The lanes that have to move: those beyond each member's share, where
			// as many members as possible have the bigger share.
			share, extra := len(lanes)/len(members), len(lanes)%len(members)
			need := 0
			for _, m := range members {
				if over := len(m.owned) - share; over > 0 {
					if extra > 0 {
						extra--
						over--
					}
					need += over
				}
			}
			if n := moved(dealt, after); n != need {
				t.Fatalf("%d lanes over %d members: %d moved, %d needed\nbefore %v\nafter %v", len(lanes), len(members), n, need, dealt, after)
			}
			dealt = after
		}
	}
}

func TestAssignIsDeterministic(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 200 {
		lanes, members := randomGroup(r)
		want := assign(lanes, members)
		r.Shuffle(len(members), func(i, j int) { members[i], members[j] = members[j], members[i] })
		r.Shuffle(len(lanes), func(i, j int) { lanes[i], lanes[j] = lanes[j], lanes[i] })
		if got := assign(lanes, members); !reflect.DeepEqual(got, want) {
			t.Fatalf("another order, another answer:\n%v\n%v", got, want)
		}
	}
}

// randomGroup returns a group in any state, with contradictory claims too.
func randomGroup(r *rand.Rand) ([]int, []candidate) {
	lanes := upTo(1 + r.IntN(64))
	loads := make(map[int]int)
	if r.IntN(3) > 0 {
		for _, lane := range lanes {
			loads[lane] = int(1000 / (1 + r.Float64()*r.Float64()*100))
		}
	}
	var members []candidate
	for i := range 1 + r.IntN(9) {
		c := named(fmt.Sprint(i))
		c.generation, c.load = int32(r.IntN(3)), loads
		for _, lane := range lanes {
			if r.IntN(4) == 0 {
				c.owned = append(c.owned, lane)
			}
		}
		c.owned = append(c.owned, 500) // a lane that no longer exists
		members = append(members, c)
	}
	return lanes, members
}

func worstLoad(dealt map[string][]int, load map[int]int) int {
	worst := 0
	for _, lanes := range dealt {
		sum := 0
		for _, lane := range lanes {
			sum += load[lane]
		}
		worst = max(worst, sum)
	}
	return worst
}

// With loads, every lane is assigned once, and no member has more than the average, the
// tolerable excess and one heaviest lane: a lane cannot be split.
func TestAssignByLoad(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for range 500 {
		lanes, members := randomGroup(r)
		dealt := assign(lanes, members)
		checkDealt(t, lanes, members, dealt)
		load := members[0].load
		total, heaviest := 0, 0
		for _, l := range load {
			total += l
			heaviest = max(heaviest, l)
		}
		average := total / len(members)
		bound := average + percent(average, tolerable) + heaviest
		if worst := worstLoad(dealt, load); worst > bound {
			t.Errorf("%d lanes over %d members: worst %d of %d, heaviest lane %d", len(lanes), len(members), worst, total, heaviest)
		}
	}
}

func TestAssignOneHeavyLane(t *testing.T) {
	load := map[int]int{}
	for lane := range 16 {
		load[lane] = 10
	}
	load[3] = 150
	a, b := named("a"), named("b")
	a.owned, a.generation = upTo(16), 4
	a.load, b.load = load, load
	dealt := assign(upTo(16), []candidate{a, b})
	if worst := worstLoad(dealt, load); worst != 150 {
		t.Errorf("worst load %d, want 150: %v", worst, dealt)
	}
	// It stays so when nothing changes.
	again := assign(upTo(16), next([]candidate{a, b}, dealt, 5))
	if !reflect.DeepEqual(dealt, again) {
		t.Errorf("moved for nothing:\n%v\n%v", dealt, again)
	}
	// A third member takes from the others, which exchange nothing.
	c := named("c")
	c.load = load
	after := assign(upTo(16), append(next([]candidate{a, b}, dealt, 5), c))
	if n := moved(dealt, after); n != len(after["c"]) {
		t.Errorf("%d lanes moved, c got %v", n, after["c"])
	}
	if worst := worstLoad(after, load); worst != 150 {
		t.Errorf("worst load %d, want 150: %v", worst, after)
	}
}

// An undisturbed distribution by load stays, and one member more or less moves little
// beyond its own lanes.
func TestAssignByLoadIsSticky(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	for range 200 {
		lanes, members := randomGroup(r)
		dealt := assign(lanes, members)
		settled := dealt
		for g := range int32(3) {
			members = next(members, settled, 10+g)
			settled = assign(lanes, members)
		}
		if n := moved(settled, assign(lanes, next(members, settled, 20))); n != 0 {
			t.Errorf("%d lanes moved without a reason", n)
		}
		members = next(members, settled, 21)
		left := members[1:]
		if len(left) == 0 {
			continue
		}
		if n, most := moved(settled, assign(lanes, left)), len(lanes)/2; n > most {
			t.Errorf("%d of %d lanes moved between those who stayed", n, len(lanes))
		}
	}
}

func TestAssignClaims(t *testing.T) {
	claim := func(id string, generation int32, lanes ...int) candidate {
		c := named(id)
		c.generation, c.owned = generation, lanes
		return c
	}
	for name, test := range map[string]struct {
		lanes   int
		members []candidate
		want    map[string][]int
	}{
		"nobody":                  {4, nil, nil},
		"no lanes":                {0, []candidate{named("a")}, map[string][]int{"a": nil}},
		"later generation wins":   {2, []candidate{claim("a", 7, 0, 1), claim("b", 8, 0)}, map[string][]int{"a": {1}, "b": {0}}},
		"two of one generation":   {2, []candidate{claim("b", 7, 0), claim("a", 7, 0)}, map[string][]int{"a": {0}, "b": {1}}},
		"a lane that is no more":  {1, []candidate{claim("a", 7, 0, 9)}, map[string][]int{"a": {0}}},
		"claimed twice by one":    {2, []candidate{claim("a", 7, 1, 1), named("b")}, map[string][]int{"a": {1}, "b": {0}}},
		"more members than lanes": {1, []candidate{named("a"), claim("b", 1, 0), named("c")}, map[string][]int{"a": nil, "b": {0}, "c": nil}},
		"one name, two members":   {2, []candidate{{id: "x", userData: userData{worker: "w"}}, {id: "y", userData: userData{worker: "w"}}}, map[string][]int{"x": {0}, "y": {1}}},
		"who came back late gets nothing of what others have": {2, []candidate{claim("a", 3, 0, 1), claim("b", 9, 0), claim("c", 9, 1)},
			map[string][]int{"a": nil, "b": {0}, "c": {1}}},
	} {
		got := assign(upTo(test.lanes), test.members)
		if !maps.EqualFunc(got, test.want, slices.Equal[[]int]) {
			t.Errorf("%s: %v, want %v", name, got, test.want)
		}
	}
}

// The load of a lane is the one that its owner reports; of a lane without an owner, the
// highest that any member reports.
func TestAssignBelievesTheOwner(t *testing.T) {
	a, b := named("a"), named("b")
	a.generation, a.owned, a.load = 1, []int{0, 1}, map[int]int{0: 5, 1: 5, 2: 100}
	b.generation, b.owned, b.load = 1, []int{2, 3}, map[int]int{0: 1000, 2: 5, 3: 5}
	if got, want := assign(upTo(4), []candidate{a, b}), map[string][]int{"a": {0, 1}, "b": {2, 3}}; !reflect.DeepEqual(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	c := named("c")
	got := assign(upTo(6), []candidate{a, b, {id: "c", userData: userData{worker: "c", load: map[int]int{4: 30}}}})
	if !slices.Equal(got["c"], []int{4}) && !slices.Equal(got["c"], []int{4, 5}) {
		t.Errorf("%s has %v, want the heavy lane 4 for the empty hand", c.id, got["c"])
	}
}

func TestUserData(t *testing.T) {
	for _, u := range []userData{
		{load: map[int]int{}},
		{worker: "pod-0:8083", generation: 1 << 30, owned: []int{0, 1, 63, 1000}, load: map[int]int{0: 0, 1: 7, 64: maxLoad}},
		{worker: "店", generation: -1, load: map[int]int{5: 1}},
	} {
		got, err := parseUserData(u.bytes())
		if err != nil || !reflect.DeepEqual(got, u) {
			t.Errorf("%+v came back as %+v, %v", u, got, err)
		}
		if later, err := parseUserData(append(u.bytes(), "more"...)); err != nil || !reflect.DeepEqual(later, u) {
			t.Errorf("with more at the end: %+v, %v", later, err)
		}
		for n := range u.bytes() {
			if _, err := parseUserData(u.bytes()[:n]); err == nil {
				t.Errorf("%d of %d bytes were taken", n, len(u.bytes()))
			}
		}
	}
	for _, more := range []userData{
		{worker: "w", load: map[int]int{2: 1}, rest: Stuck},
		{worker: "w", load: map[int]int{}, url: "http://w:8083"},
		{worker: "w", load: map[int]int{2: 1}, rest: Idle, url: "https://w.local:8083"},
	} {
		if got, err := parseUserData(more.bytes()); err != nil || !reflect.DeepEqual(got, more) {
			t.Errorf("%+v came back as %+v, %v", more, got, err)
		}
	}
	if _, err := parseUserData([]byte{2, 0, 0, 0, 0}); err == nil {
		t.Error("another version was taken")
	}
}

func FuzzUserData(f *testing.F) {
	f.Add([]byte{})
	f.Add(userData{worker: "a", generation: 5, owned: []int{1, 2}, load: map[int]int{1: 2}}.bytes())
	f.Fuzz(func(t *testing.T, b []byte) {
		u, err := parseUserData(b)
		if err != nil {
			return
		}
		back, err := parseUserData(u.bytes())
		if err != nil || !reflect.DeepEqual(u, back) {
			t.Errorf("%+v came back as %+v, %v", u, back, err)
		}
		dealt := assign(upTo(8), []candidate{{id: "a", userData: u}, {id: "b"}})
		if len(dealt["a"])+len(dealt["b"]) != 8 {
			t.Errorf("dealt %v", dealt)
		}
	})
}
