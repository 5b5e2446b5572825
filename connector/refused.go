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

// checkTimeout bounds one check of topics while lanes run.
const checkTimeout = 30 * time.Second

// errNoChange reports that a topic still cannot be used, for the reason known before.
var errNoChange = errors.New("the topic cannot be used yet")

// shopFault is an error that one shop of a lane has caused. The lane's transaction is
// dropped, and the next life of the lane runs without that shop.
type shopFault struct {
	shop offsets.Partition
	err  error
}

func (f *shopFault) Error() string { return f.err.Error() }
func (f *shopFault) Unwrap() error { return f.err }

// refusal is an orders topic of a lane that Kafka has refused. Its shops are failed
// while it is barred. The topic is checked again after minWait, doubling up to maxWait.
type refusal struct {
	err    error
	shown  string // the reason last shown for the shops
	barred bool
	delay  time.Duration
	at     time.Time // of the next check while barred; else of the latest unbar
}

// bar notes that the topic cannot be used, and sets the time of the next check.
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

// topicPatience is how long a lane with several orders topics waits for the leaders
// and replicas of one of them before it continues with the others.
const topicPatience = time.Minute

// patience returns how long the lane waits for an orders topic: without limit (0) for
// its only one, a second for one that was refused not long ago, else topicPatience.
func (l *lane) patience(topic string) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.topics()) < 2 {
		return 0
	}
	if r := l.refused[topic]; r != nil && !r.barred && time.Now().Before(r.at.Add(maxWait)) {
		return time.Second
	}
	return topicPatience
}

// refuse fails the shops of an orders topic that Kafka has refused, and reports whether
// the error was about one. Errors about the offsets topic and the transactional ID
// belong to the lane, and a missing answer says nothing about a topic. Kafka refuses a
// transaction only before the commit is sent, so the next life of the lane finds what
// was committed before, of all its shops.
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
	l.showRefusal(topic)
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

// showRefusal logs and shows that the shops of a barred topic have failed, and why. It
// does so once per reason. The caller holds mu.
func (l *lane) showRefusal(topic string) {
	r := l.refused[topic]
	if r.shown == r.err.Error() {
		return
	}
	r.shown = r.err.Error()
	for _, m := range l.membersOf(topic) {
		l.cfg.Incidents.Of(m.shop.Name).Happened(topicRefused(topic, r.err), "lane", l.number, "topic", topic, "reason", r.err, "topic_looked_at_again_in", r.delay)
		m.status.set(StateFailed, r.err)
	}
}

// showRefusals calls showRefusal for all barred topics. The caller holds mu.
func (l *lane) showRefusals() {
	for topic, r := range l.refused {
		if r.barred {
			l.showRefusal(topic)
		}
	}
}

// membersOf lists the members of a topic that have not ended. The caller holds mu.
func (l *lane) membersOf(topic string) []*member {
	var members []*member
	for _, m := range l.members {
		if m.shop.Topic == topic && !m.ended {
			members = append(members, m)
		}
	}
	return members
}

// unbar lets the shops of a topic continue.
func (l *lane) unbar(topic string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	r := l.refused[topic]
	r.barred, r.shown, r.at = false, "", time.Now()
	l.log.Info("orders topic can be used again", "topic", topic)
	for _, m := range l.membersOf(topic) {
		m.status.set(StateStarting, nil)
	}
	poke(l.changed)
}

// nextBarred returns the barred topic that is checked next; empty = none. The caller
// holds mu.
func (l *lane) nextBarred() (next string) {
	for topic, r := range l.refused {
		if r.barred && len(l.membersOf(topic)) > 0 && (next == "" || r.at.Before(l.refused[next].at)) {
			next = topic
		}
	}
	return next
}

// nextCheck returns the barred topic that is checked next, and when.
func (l *lane) nextCheck() (topic string, at time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if topic = l.nextBarred(); topic != "" {
		at = l.refused[topic].at
	}
	return topic, at
}

// watchBarred checks the barred topics, each at its time, until ctx ends.
func (l *lane) watchBarred(ctx context.Context) {
	for {
		topic, at := l.nextCheck()
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
		err := l.recheck(ctx, topic)
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

// stillBarred notes that a check found a topic unusable; errNoChange keeps the reason.
func (l *lane) stillBarred(topic string, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	r := l.refused[topic]
	if errors.Is(err, errNoChange) {
		err = r.err
	}
	r.bar(err)
	l.showRefusal(topic)
}

// recheckTopic checks whether a refused topic can be used now. A topic that existed
// before is not created again: it was deleted on purpose or by mistake, and the
// operator decides with which configuration it comes back. A topic that could not be
// created is tried again.
func (c *Connector) recheckTopic(ctx context.Context, topic string) error {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
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
	c.setCounts(map[string]int{topic: has})
	return nil
}

// errNoPartitions is the error of an orders topic whose partition count is not known
// although Kafka has not refused it.
func errNoPartitions(topic string) error {
	return fmt.Errorf("partition count of topic %q is unknown", topic)
}
