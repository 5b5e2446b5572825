package incident

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

const (
	// every is the shortest time between two lines about one kind that lasts, and rarest
	// the longest of a kind that lasts for long.
	every, rarest = time.Minute, time.Hour
	// calm is how long after its end a kind that begins again is another one, and often
	// how many lines within a minute may say so.
	calm, often = time.Second, 3
	// named is how many names a line has at most.
	named = 3
)

// Kind is a condition that lasts. Its messages are constant texts; Cause is from a
// bounded set, such as an errcode.
type Kind struct {
	Who   string // what a name is, as the log's attribute; "s" is the plural
	Cause string // tells conditions of the same messages apart; not logged
	// The messages when it begins, for each minute that it lasts, and when it is over.
	Begins, Lasts, Ends string
	// Long reports that it may last for hours, such as until midnight: the lines come
	// after 1, 2, 4 … minutes, at last one an hour, and again after 1 minute if twice as
	// many have it as the latest line says.
	Long bool
}

// Log holds the incidents of a process. Safe for concurrent use.
type Log struct {
	log *slog.Logger

	mu      sync.Mutex
	lasting map[Kind]*incident
	events  map[Event]*series
}

// New returns a Log that writes to log.
func New(log *slog.Logger) *Log {
	return &Log{log: log, lasting: make(map[Kind]*incident), events: make(map[Event]*series)}
}

// Of returns a source of reports, for one shop for example. Sources of the same name are
// different ones. An empty name is not logged.
func (l *Log) Of(name string) *Source { return &Source{log: l, name: name} }

// Source reports for one shop, or whatever else a Kind's Who is.
type Source struct {
	log  *Log
	name string
}

// incident is a kind that at least one source has, or had less than a minute ago.
type incident struct {
	kind Kind
	now  map[*Source]*condition
	// All names since the incident began, how many sources have recovered, and whether a
	// line says that it began.
	all       *names
	began     time.Time
	recovered int
	logged    bool
	// ended is when it was over last. Of the latest line, except one about an end: its time, how many it told of, and how
	// long after it the next one comes while the incident lasts.
	spoke time.Time
	told  int
	pause time.Duration
	ended time.Time
	// begins counts the lines that said it begins, each less than a minute after the one
	// before.
	begins int
}

// condition is one source's part in an incident.
type condition struct {
	since time.Time
	until time.Time // when it ends without a call of End; zero = never
	attrs []any
}

// Begin reports that the source has a condition. attrs are logged if the source is the
// example of a line. If the source has it already, its attrs are replaced.
func (s *Source) Begin(k Kind, attrs ...any) { s.BeginUntil(time.Time{}, k, attrs...) }

// BeginUntil is Begin for a condition that ends by itself.
func (s *Source) BeginUntil(until time.Time, k Kind, attrs ...any) {
	l, now := s.log, time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	in := l.lasting[k]
	if in == nil {
		in = &incident{kind: k, now: make(map[*Source]*condition)}
		l.lasting[k] = in
		defer func() { time.AfterFunc(every, func() { l.minute(in) }) }()
	}
	if c := in.now[s]; c != nil {
		c.until, c.attrs = until, attrs
		return
	}
	if len(in.now) == 0 {
		in.all, in.began, in.recovered, in.logged, in.told = newNames(), now, 0, false, 0
	}
	in.now[s] = &condition{since: now, until: until, attrs: attrs}
	in.all.add(s.name)
	if len(in.now) >= 2*in.told {
		in.pause = every
	}
	another := in.begins < often && now.Sub(in.ended) >= calm
	if !in.logged && (another || now.Sub(in.spoke) >= every) {
		l.tell(in, now)
	}
}

// End reports that the source no longer has the condition. recovered is false if the
// source has left otherwise, so that nothing is known. It does nothing if the source
// does not have it.
func (s *Source) End(k Kind, recovered bool) {
	l := s.log
	l.mu.Lock()
	defer l.mu.Unlock()
	if in := l.lasting[k]; in != nil && in.now[s] != nil {
		l.end(in, s, recovered)
	}
}

// end ends the condition of a source, and the incident with the last one. The caller
// holds mu.
func (l *Log) end(in *incident, s *Source, recovered bool) {
	delete(in.now, s)
	if recovered {
		in.recovered++
	}
	if len(in.now) == 0 {
		in.ended = time.Now()
	}
	if len(in.now) > 0 || !in.logged || in.recovered == 0 {
		return
	}
	in.logged = false
	l.log.Info(in.kind.Ends, append(in.all.attrs(in.kind.Who), "after", time.Since(in.began).Round(time.Millisecond))...)
}

// minute logs that an incident lasts, and forgets it if it does not.
func (l *Log) minute(in *incident) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	next := now // the latest end of a condition, within a minute
	for s, c := range in.now {
		switch {
		case c.until.IsZero() || c.until.After(now.Add(every)):
			next = now.Add(every)
		case !c.until.After(now):
			l.end(in, s, true)
		case c.until.After(next):
			next = c.until
		}
	}
	due := in.spoke.Add(in.pause)
	switch {
	case len(in.now) == 0:
		if next = in.spoke.Add(every); !next.After(now) {
			delete(l.lasting, in.kind)
			return
		}
	case !due.After(now):
		l.tell(in, now)
	case next.After(due):
		next = due
	}
	time.AfterFunc(next.Sub(now), func() { l.minute(in) })
}

// tell logs that an incident began or lasts. The example is the source that has had it
// for the longest. The caller holds mu.
func (l *Log) tell(in *incident, now time.Time) {
	message, attrs := in.kind.Lasts, newNames()
	switch {
	case !in.logged:
		message = in.kind.Begins
		if now.Sub(in.spoke) >= every {
			in.begins = 0
		}
		in.begins++
	case in.kind.Long:
		in.pause = min(2*in.pause, rarest)
	}
	in.logged, in.spoke, in.told = true, now, len(in.now)
	first := longest(in.now)
	for _, s := range first {
		attrs.add(s.name)
	}
	attrs.n = len(in.now)
	all := append(attrs.attrs(in.kind.Who), in.now[first[0]].attrs...)
	if since := in.now[first[0]].since; since.Before(now) {
		all = append(all, "since", since.Round(time.Second))
	}
	l.log.Log(context.Background(), slog.LevelWarn, message, all...)
}

// longest returns the sources that have had a condition for the longest, up to named.
func longest(conditions map[*Source]*condition) []*Source {
	var first []*Source
	for s, c := range conditions {
		at := len(first)
		for at > 0 && earlier(c, s, conditions[first[at-1]], first[at-1]) {
			at--
		}
		if at < named {
			first = append(first[:at], append([]*Source{s}, first[at:]...)...)
			first = first[:min(len(first), named)]
		}
	}
	return first
}

func earlier(a *condition, of *Source, b *condition, than *Source) bool {
	if a.since.Equal(b.since) {
		return of.name < than.name
	}
	return a.since.Before(b.since)
}
