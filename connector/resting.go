package connector

import (
	"context"

	"orderwalk/offsets"
)

// showStored shows how far shops without a walker have come by what is stored of them:
// they were paused or stopped before this worker had the lane, or altered meanwhile.
func (l *lane) showStored(loaded offsets.Lane) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, m := range l.members {
		if known := loaded.Shops[m.shop.partition()]; known != nil && known.Checkpoint != nil && !m.wanted.walk() {
			m.status.stored(known.Checkpoint.Watermark)
		}
	}
}

// readStored reads what is stored of such shops, for a lane that no shop is walked in.
func (l *lane) readStored(ctx context.Context) {
	resting := make(map[offsets.Partition]bool)
	l.mu.Lock()
	for _, m := range l.members {
		if !m.wanted.walk() && m.status.unseen() {
			resting[m.shop.partition()] = true
		}
	}
	l.mu.Unlock()
	if len(resting) == 0 {
		return
	}
	loaded, _, err := l.load(ctx, func(p offsets.Partition) bool { return resting[p] })
	if err != nil {
		if ctx.Err() == nil {
			l.log.Debug("cannot show what is stored of shops that are not walked", "reason", err)
		}
		return
	}
	l.showStored(loaded)
}
