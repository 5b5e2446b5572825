package incident

import (
	"context"
	"log/slog"
	"time"
)

// Event is something that happens and has no end, such as the failure of a shop.
type Event struct {
	Level   slog.Level
	Who     string // what a name is, as the log's attribute; "s" is the plural
	Cause   string // tells events of the same message apart; not logged
	Message string
}

// series is an event that happened less than a minute ago, and for whom since the latest
// line.
type series struct {
	event Event
	fresh *names
	attrs []any // of the first one in fresh
}

// Happened reports an event. It is logged at once, or with others of its kind a minute
// after the line before.
func (s *Source) Happened(e Event, attrs ...any) {
	l := s.log
	l.mu.Lock()
	defer l.mu.Unlock()
	if before := l.events[e]; before != nil {
		if before.fresh.add(s.name); before.attrs == nil {
			before.attrs = attrs
		}
		return
	}
	of := &series{event: e, fresh: newNames(), attrs: attrs}
	of.fresh.add(s.name)
	l.events[e] = of
	l.happened(of)
	time.AfterFunc(every, func() { l.since(of) })
}

// since logs an event for those it has happened to since the latest line, each minute
// until there are none.
func (l *Log) since(of *series) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if of.fresh.n == 0 {
		delete(l.events, of.event)
		return
	}
	l.happened(of)
	time.AfterFunc(every, func() { l.since(of) })
}

// happened logs an event. The caller holds mu.
func (l *Log) happened(of *series) {
	l.log.Log(context.Background(), of.event.Level, of.event.Message, append(of.fresh.attrs(of.event.Who), of.attrs...)...)
	of.fresh, of.attrs = newNames(), nil
}

// Flush logs the events that wait for their minute. A process calls it before it ends.
func (l *Log) Flush() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, of := range l.events {
		if of.fresh.n > 0 {
			l.happened(of)
		}
	}
}
