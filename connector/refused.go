package connector

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/segmentio/kafka-go"

	"orderwalk/internal/topics"
	"orderwalk/internal/txn"
	"orderwalk/offsets"
)

// lookLimit bounds one look at topics while the walk goes on.
const lookLimit = 30 * time.Second

// errNoChange is a look at a topic that has brought nothing new.
var errNoChange = errors.New("the topic cannot be used yet")

// shopFault is an error that only one shop of a lane has caused: the lane's
// transaction is dropped, and its next life goes on without that shop.
type shopFault struct {
	shop offsets.Partition
	err  error
}

func (f *shopFault) Error() string { return f.err.Error() }
func (f *shopFault) Unwrap() error { return f.err }

// refusal is an orders topic of a lane that Kafka has refused. Its shops are
// failed while it is barred; the topic is looked at again after minWait, growing
// to maxWait.
type refusal struct {
	err    error
	told   string // what the shops were said to have failed for
	barred bool
	delay  time.Duration
	at     time.Time // of the next look; of the last change of barred, if it is not
}

// bar notes that a topic cannot be used, and sets the time of the next look.
func (r *refusal) bar(err error) {
	now := time.Now()
	switch {
	case r.delay == 0, !r.barred && now.Sub(r.at) > maxWait:
		r.delay = minWait
	default:
		r.delay = min(2*r.delay, maxWait)
	}
	r.err, r.barred, r.at = err, true, now.Add(r.delay)
}

// ailingPatience is how long a lane with several orders topics waits for the
// leaders and replicas of one of them before it goes on with the others.
const ailingPatience = time.Minute

// patience is a lane's patience with its orders topics: for ever (0) with the only
// one, without which there is nothing to go on with, and none that counts with one
// that was refused not long ago.
func (l *lane) patience(topic string) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.topics()) < 2 {
		return 0
	}
	if r := l.refused[topic]; r != nil && !r.barred && time.Now().Before(r.at.Add(maxWait)) {
		return time.Second
	}
	return ailingPatience
}

// refuse fails the shops of an orders topic that Kafka has refused, and reports
// whether it was one: the offsets topic and the transactional ID are the lane's
// own, and a broker that does not answer says nothing of a topic. Transactions
// are only ever refused before the commit is sent, so the next life of the lane
// finds what was committed before, of all its shops.
func (l *lane) refuse(err *txn.Error) bool {
	topic, written := err.Topic, l.toWrite()
	switch {
	case topic == l.cfg.OffsetsTopic || !slices.Contains(written, topic):
		return false
	case err.Code == 0 || err.Code == kafka.TransactionalIDAuthorizationFailed || err.Code == kafka.ClusterAuthorizationFailed:
		return false
	case err.Retriable && len(written) < 2:
		return false
	}
	l.outage.over(l.name())
	l.refuseTopic(topic, err)
	return true
}

// refuseTopic bars a topic and fails its shops until it can be used.
func (l *lane) refuseTopic(topic string, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.bar(topic, err)
	l.tell(topic)
}

// bar notes that a topic cannot be used. The caller holds mu.
func (l *lane) bar(topic string, err error) {
	r := l.refused[topic]
	if r == nil {
		r = &refusal{}
		l.refused[topic] = r
	}
	r.bar(err)
	poke(l.rebarred)
}

// tell shows that the shops of a barred topic are failed, and why. The caller holds
// mu.
func (l *lane) tell(topic string) {
	r := l.refused[topic]
	if r.told == r.err.Error() {
		return
	}
	r.told = r.err.Error()
	for _, m := range l.of(topic) {
		l.log.Error("shop failed", "shop", m.shop.Name, "topic", topic, "reason", r.err, "topic_looked_at_again_in", r.delay)
		m.sheet.set(StateFailed, r.err)
	}
}

// tellAll is tell for all barred topics. The caller holds mu.
func (l *lane) tellAll() {
	for topic, r := range l.refused {
		if r.barred {
			l.tell(topic)
		}
	}
}

// of lists the members of a topic that have not ended. The caller holds mu.
func (l *lane) of(topic string) []*member {
	var members []*member
	for _, m := range l.members {
		if m.shop.Topic == topic && !m.ended {
			members = append(members, m)
		}
	}
	return members
}

// unbar lets the shops of a topic go on.
func (l *lane) unbar(topic string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	r := l.refused[topic]
	r.barred, r.told, r.at = false, "", time.Now()
	l.log.Info("orders topic can be used again", "topic", topic)
	for _, m := range l.of(topic) {
		m.sheet.set(StateStarting, nil)
	}
	poke(l.changed)
}

// waiting returns the barred topic that is looked at next; empty if there is none.
// The caller holds mu.
func (l *lane) waiting() (next string) {
	for topic, r := range l.refused {
		if r.barred && len(l.of(topic)) > 0 && (next == "" || r.at.Before(l.refused[next].at)) {
			next = topic
		}
	}
	return next
}

// nextLook is waiting with the time of the look, for callers without mu.
func (l *lane) nextLook() (topic string, at time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if topic = l.waiting(); topic != "" {
		at = l.refused[topic].at
	}
	return topic, at
}

// await looks at the barred topics, each at its time, until ctx ends.
func (l *lane) await(ctx context.Context) {
	for {
		topic, at := l.nextLook()
		var due <-chan time.Time
		if topic != "" {
			due = time.After(time.Until(at))
		}
		select {
		case <-ctx.Done():
			return
		case <-l.rebarred:
			continue
		case <-due:
		}
		err := l.look(ctx, topic)
		switch {
		case ctx.Err() != nil:
			return
		case err == nil:
			l.unbar(topic)
		default:
			l.stillBarred(topic, err)
		}
	}
}

// stillBarred notes that a look has found a topic unusable; errNoChange for the same
// reason as before.
func (l *lane) stillBarred(topic string, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	r := l.refused[topic]
	if errors.Is(err, errNoChange) {
		err = r.err
	}
	r.bar(err)
	l.tell(topic)
}

// lookAgain looks whether a refused topic can be used now. One that has been there
// is only looked for: it was deleted on purpose or by mistake, and the operator
// decides with which configuration it comes back. One that could not be created
// is tried again.
func (c *Connector) lookAgain(ctx context.Context, topic string) error {
	ctx, cancel := context.WithTimeout(ctx, lookLimit)
	defer cancel()
	c.mu.Lock()
	has := c.partitions[topic]
	c.mu.Unlock()
	if has > 0 {
		usable, err := topics.Usable(ctx, c.cfg.Addr, c.cfg.Transport, topic)
		if has = usable[topic]; err != nil || has == 0 {
			return errNoChange
		}
	} else {
		there, err := topics.Create(ctx, c.cfg.Addr, c.cfg.Transport, nil, c.ordersTopic(topic))
		if ctx.Err() != nil {
			return errNoChange
		}
		if err != nil {
			return err
		}
		has = there[topic]
	}
	c.counted(map[string]int{topic: has})
	return nil
}

// errNoPartitions is an orders topic whose partitions are not known, which Kafka
// has said nothing about.
func errNoPartitions(topic string) error {
	return fmt.Errorf("topic %q: its number of partitions is not known", topic)
}
