package kafkaconn

import (
	"math/rand/v2"
	"time"
)

const (
	// sessionShare of a session is used before the connection is replaced.
	sessionShare = 0.8
	// leastRetry and mostRetry bound the wait before another try to replace.
	leastRetry = time.Second
	mostRetry  = 30 * time.Second
)

// lifeOf is how long a new connection may be used. It varies a little, so that
// workers that started together do not log in together for ever.
func (k *Kafka) lifeOf(session time.Duration) time.Duration {
	life := k.cfg.MaxAge
	if session > 0 {
		life = min(life, time.Duration(float64(session)*sessionShare))
	}
	return life - time.Duration(rand.Int64N(int64(life/10)+1))
}

// replaceIn makes sure that the Transport's connections are replaced by then.
func (k *Kafka) replaceIn(d time.Duration) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.closed {
		return
	}
	due := time.Now().Add(d)
	if k.retire != nil && !due.Before(k.due) {
		return
	}
	if k.retire != nil {
		k.retire.Stop()
	}
	k.due, k.life = due, d
	k.retire = time.AfterFunc(d, func() { k.replace(false) })
}

// replace lets go of the Transport's connections if new ones can be made.
func (k *Kafka) replace(again bool) {
	k.mu.Lock()
	if k.closed {
		k.mu.Unlock()
		return
	}
	k.work.Add(1)
	k.mu.Unlock()
	defer k.work.Done()

	err := k.try()
	if k.ctx.Err() != nil {
		return
	}
	k.mu.Lock()
	if err == nil {
		k.retire = nil // the next connection sets it anew
	} else {
		wait := min(max(k.life/20, leastRetry), mostRetry)
		k.due = time.Now().Add(wait)
		k.retire = time.AfterFunc(wait, func() { k.replace(true) })
	}
	k.mu.Unlock()
	switch {
	case err == nil:
		k.Transport.CloseIdleConnections()
		if again {
			k.cfg.Log.Info("new connections to Kafka can be made again")
		}
	case !again:
		k.cfg.Log.Warn("cannot make a new connection to Kafka, keeping those there are", "reason", err)
	}
}

// try makes a connection to any of the brokers and closes it.
func (k *Kafka) try() (err error) {
	brokers := k.cfg.Brokers
	for _, i := range rand.Perm(len(brokers)) {
		conn, _, dialErr := k.dial(k.ctx, "tcp", brokers[i])
		if dialErr == nil {
			_ = conn.Close() // it was only a try
			return nil
		}
		if err == nil || Refused(dialErr) {
			err = dialErr
		}
	}
	return err
}
