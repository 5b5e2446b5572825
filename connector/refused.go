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
	barred bool
	shops  []int // indexes in lane.shops of those it fails
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

// barred reports whether the topic of a shop cannot be used now.
func (l *lane) barred(shop Shop) bool {
	r := l.refused[shop.Topic]
	return r != nil && r.barred
}

// ailingPatience is how long a lane with several orders topics waits for the
// leaders and replicas of one of them before it goes on with the others.
const ailingPatience = time.Minute

// patience is a lane's patience with its orders topics: for ever with the only one,
// without which there is nothing to go on with, and none that counts with one that
// was refused not long ago.
func (l *lane) patience(walked []string) func(topic string) time.Duration {
	if len(walked) < 2 {
		return nil
	}
	probation := make(map[string]time.Time) // copied: await changes refused
	for topic, r := range l.refused {
		if !r.barred {
			probation[topic] = r.at.Add(maxWait)
		}
	}
	return func(topic string) time.Duration {
		if time.Now().Before(probation[topic]) {
			return time.Second
		}
		return ailingPatience
	}
}

// refuse fails the shops of an orders topic that Kafka has refused, and reports
// whether it was one: the offsets topic and the transactional ID are the lane's
// own, and a broker that does not answer says nothing of a topic. Transactions
// are only ever refused before the commit is sent, so the next life of the lane
// finds what was committed before, of all its shops.
func (l *lane) refuse(err *txn.Error) bool {
	topic := err.Topic
	switch {
	case topic == l.cfg.OffsetsTopic || !slices.Contains(l.topics(), topic):
		return false
	case err.Code == 0 || err.Code == kafka.TransactionalIDAuthorizationFailed || err.Code == kafka.ClusterAuthorizationFailed:
		return false
	case err.Retriable && len(l.topics()) < 2:
		return false
	}
	l.bar(topic, err)
	l.outage.over(l.name())
	l.tell(topic)
	return true
}

func (l *lane) bar(topic string, err error) {
	r := l.refused[topic]
	if r == nil {
		r = &refusal{}
		l.refused[topic] = r
	}
	r.shops = nil
	for i, shop := range l.shops {
		if shop.Topic == topic && !l.ended[shop.partition()] {
			r.shops = append(r.shops, i)
		}
	}
	r.bar(err)
}

// tell shows that the shops of a barred topic are failed, and why.
func (l *lane) tell(topic string) {
	r := l.refused[topic]
	for _, i := range r.shops {
		if s := l.sheets[i].snapshot(); s.State != StateFailed || s.Reason != r.err.Error() {
			l.log.Error("shop failed", "shop", l.shops[i].Name, "topic", topic, "reason", r.err, "topic_looked_at_again_in", r.delay)
			l.sheets[i].set(StateFailed, r.err)
		}
	}
}

// unbar lets the shops of a topic go on in the next life of the lane.
func (l *lane) unbar(topic string) {
	r := l.refused[topic]
	r.barred, r.at = false, time.Now()
	l.log.Info("orders topic can be used again", "topic", topic)
	for _, i := range r.shops {
		l.sheets[i].set(StateStarting, nil)
	}
}

// waiting is the barred topic that is looked at next; empty if there is none.
func (l *lane) waiting() (next string) {
	for topic, r := range l.refused {
		if r.barred && (next == "" || r.at.Before(l.refused[next].at)) {
			next = topic
		}
	}
	return next
}

// await looks at the barred topics, each at its time, until one can be used again
// (true) or ctx ends.
func (l *lane) await(ctx context.Context) bool {
	for {
		topic := l.waiting()
		if topic == "" {
			<-ctx.Done()
			return false
		}
		r := l.refused[topic]
		select {
		case <-ctx.Done():
			return false
		case <-time.After(time.Until(r.at)):
		}
		err := l.look(ctx, topic)
		switch {
		case ctx.Err() != nil:
			return false
		case err == nil:
			l.unbar(topic)
			return true
		case errors.Is(err, errNoChange):
			err = r.err
		}
		r.bar(err)
		l.tell(topic)
	}
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
