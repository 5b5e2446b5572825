package simulator

// event is something that happens to an order at a time: its appearance, or its
// step-th change.
type event struct {
	at     int64 // unix milliseconds
	row    uint32
	step   int32 // 0 = the order appears
	status int32 // set by Server.Add and Update; 0 = the order's next status
}

func (e event) before(f event) bool {
	if e.at != f.at {
		return e.at < f.at
	}
	if e.row != f.row {
		return e.row < f.row
	}
	return e.step < f.step
}

// events is a priority queue of future events, the next one first (a binary heap).
type events []event

func (q *events) push(e event) {
	*q = append(*q, e)
	h := *q
	for i := len(h) - 1; i > 0; {
		parent := (i - 1) / 2
		if !h[i].before(h[parent]) {
			return
		}
		h[i], h[parent] = h[parent], h[i]
		i = parent
	}
}

func (q *events) pop() event {
	h := *q
	first, last := h[0], len(h)-1
	h[0] = h[last]
	h = h[:last]
	*q = h
	for i := 0; ; {
		child := 2*i + 1
		if child >= len(h) {
			return first
		}
		if child+1 < len(h) && h[child+1].before(h[child]) {
			child++
		}
		if !h[child].before(h[i]) {
			return first
		}
		h[i], h[child] = h[child], h[i]
		i = child
	}
}
