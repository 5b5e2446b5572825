package kafkaconn

import (
	"math/rand/v2"
	"time"
)

const (
	// sessionShare is the share of a session after which the connection is replaced.
	sessionShare = 0.8
	// minRetry and mostRetry bound the wait before another attempt to replace.
	minRetry = time.Second
	maxRetry = 30 * time.Second
)

// lifeOf returns how long a new connection may be used. It varies a little, so that
// workers that started together do not always log in together.
func (k *Kafka) lifeOf(session time.Duration) time.Duration {
	life := k.cfg.MaxAge
	if session > 0 {
		life = min(life, time.Duration(float64(session)*sessionShare))
	}
	return life - time.Duration(rand.Int64N(int64(life/10)+1))
}

// replaceIn schedules the replacement of the Transport's connections.
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

// replace closes the Transport's connections if a new one can be opened.
func (k *Kafka) replace(retrying bool) {
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
		k.retire = nil // the next connection sets it again
	} else {
		wait := min(max(k.life/20, minRetry), maxRetry)
		k.due = time.Now().Add(wait)
		k.retire = time.AfterFunc(wait, func() { k.replace(true) })
	}
	k.mu.Unlock()
	switch {
	case err == nil:
		k.Transport.CloseIdleConnections()
		if retrying {
			k.cfg.Log.Info("new connections to Kafka succeed again")
		}
	case !retrying:
		k.cfg.Log.Warn("cannot open a new connection to Kafka; keeping the existing ones", "reason", err)
	}
}

// try opens a connection to any of the brokers and closes it.
func (k *Kafka) try() (err error) {
	brokers := k.cfg.Brokers
	for _, i := range rand.Perm(len(brokers)) {
		conn, _, dialErr := k.dial(k.ctx, &k.pooled, "tcp", brokers[i])
		if dialErr == nil {
			_ = conn.Close() // only opened to try
			return nil
		}
		if err == nil || Refused(dialErr) {
			err = dialErr
		}
	}
	return err
}
