package wechat

import "time"

// Latest is the later of the local clock and the API's: what is measured by it
// does not look well because one of the two is late.
func (h *Host) Latest() time.Time {
	now := time.Now()
	if theirs := h.theirs(); theirs.After(now) {
		return theirs
	}
	return now
}
