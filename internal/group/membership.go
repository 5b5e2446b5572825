package group

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/segmentio/kafka-go"

	"orderwalk/internal/backoff"
)

// errRemoved ends a membership that the coordinator does not know any more.
var errRemoved = errors.New("removed from the group")

// noHeartbeats is kafka-go's own heartbeat interval, set to its maximum of 24 days so that it
// sends none. One that is sent after all costs a rebalance at worst, which stops no
// work.
const noHeartbeats = (1<<31 - 2) * time.Millisecond

// runMembership joins the group and rejoins after every loss, until ctx ends.
func (m *Member) runMembership(ctx context.Context, box mailbox) error {
	pause := backoff.New(20*time.Millisecond, 500*time.Millisecond)
	for {
		began := time.Now()
		err := m.joinOnce(ctx, box)
		var refused *Error
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.As(err, &refused) && !m.joined:
			return fmt.Errorf("join group %s: %w", m.cfg.GroupID, err)
		case !errors.Is(err, errRemoved):
			m.cfg.OnEvent(EventRetry)
			m.outage.failed(err)
			m.waitLonger()
		}
		m.reportLost(box)
		if time.Since(began) > time.Minute {
			pause.Reset()
		}
		if pause.Sleep(ctx) != nil {
			return nil
		}
	}
}

// joinOnce runs one membership, from joining to leaving, being removed, or the first
// error of joining. Rebalances are part of it.
func (m *Member) joinOnce(ctx context.Context, box mailbox) error {
	if err := m.removeGhosts(ctx); err != nil {
		return err
	}
	if m.cfg.Until != nil {
		select {
		case <-m.cfg.Until:
		case <-ctx.Done():
			return nil
		}
	}
	wire, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	joining, err := kafka.NewConsumerGroup(m.kafkaConfig(wire))
	if err != nil {
		return &Error{Doing: "configure the group", Err: err}
	}
	defer func() {
		cut() // so that Close does not wait for calls in flight
		joining.Close()
	}()
	for {
		generation, err := m.next(ctx, joining, box)
		switch {
		case ctx.Err() != nil:
			m.leave(ctx)
			return nil
		case errors.Is(err, kafka.RebalanceInProgress):
			m.heard = time.Now()
			continue // kafka-go has kept the member ID and joins again
		case err != nil:
			m.unanswered = true
			return classify("join", err)
		}
		m.unanswered = false
		members := m.getHeld().Members
		a := m.begin(generation)
		box.put(news{assignment: a})
		var counted bool
		a.Members, counted = m.count(ctx, members)
		m.setHeld(a)
		box.put(news{assignment: a})
		err = m.heartbeats(ctx, generation, a, counted, box)
		switch {
		case ctx.Err() != nil:
			m.leave(ctx)
			return nil
		case err != nil:
			return err
		}
	}
}

func (m *Member) kafkaConfig(wire context.Context) kafka.ConsumerGroupConfig {
	dialer := cancelable(wire, m.cfg.Dialer)
	if m.cfg.Worker != "" {
		dialer.ClientID = m.cfg.Worker
	}
	return kafka.ConsumerGroupConfig{
		ID: m.cfg.GroupID, Brokers: m.cfg.Brokers, Dialer: dialer, Topics: []string{m.cfg.Topic},
		GroupBalancers:    []kafka.GroupBalancer{balancer{m}},
		HeartbeatInterval: noHeartbeats,
		SessionTimeout:    m.cfg.SessionTimeout,
		// A member that is still working joins at its next heartbeat.
		RebalanceTimeout: m.cfg.SessionTimeout,
		Timeout:          m.cfg.SessionTimeout / 2,
		JoinGroupBackoff: time.Second, // cut short: after an error joinOnce closes the group
	}
}

// next waits for a generation. A join takes as long as the slowest member, at most a
// session timeout, and no other worker can take over a lane meanwhile. So lost is
// reported only when the generation is overdue by another session timeout.
func (m *Member) next(ctx context.Context, joining *kafka.ConsumerGroup, box mailbox) (*kafka.Generation, error) {
	if !m.joined || m.lost {
		return joining.Next(ctx)
	}
	limited, cancel := context.WithDeadline(ctx, m.heard.Add(2*m.cfg.SessionTimeout))
	defer cancel()
	generation, err := joining.Next(limited)
	if err == nil || limited.Err() == nil || ctx.Err() != nil {
		return generation, err
	}
	m.reportLost(box)
	return joining.Next(ctx)
}

// begin stores a new generation and returns its assignment.
func (m *Member) begin(g *kafka.Generation) Assignment {
	m.id, m.heard, m.joined, m.lost = g.MemberID, time.Now(), true, false
	m.outage.over()
	a := Assignment{Generation: g.ID, Member: g.MemberID, Lanes: []int{}}
	for _, p := range g.Assignments[m.cfg.Topic] {
		a.Lanes = append(a.Lanes, p.ID)
	}
	slices.Sort(a.Lanes)
	m.setHeld(a)
	m.cfg.OnEvent(EventAssigned)
	m.cfg.Log.Debug("assigned", "generation", a.Generation, "member", a.Member, "lanes", a.Lanes)
	return a
}

// heartbeats sends heartbeats until the generation ends, and counts the members if they
// are not counted. It returns nil, or errRemoved if the membership ends too.
func (m *Member) heartbeats(ctx context.Context, g *kafka.Generation, a Assignment, counted bool, box mailbox) error {
	release, ended := make(chan struct{}), make(chan struct{})
	g.Start(func(ctx context.Context) {
		defer close(ended)
		select {
		case <-ctx.Done():
		case <-release:
		}
	})
	tick := time.NewTicker(m.interval)
	defer tick.Stop()
	looked := time.Now()
	for {
		select {
		case <-ctx.Done():
			return nil // without closing release, or kafka-go would join again
		case <-ended:
			return nil
		case <-tick.C:
		}
		if m.blind.Swap(false) || m.rest.Load() != m.sentRest.Load() {
			close(release) // a join of the leader, or with new user data, starts a rebalance
			return nil
		}
		m.reportLost(box)
		limit := m.patience
		if left := time.Until(m.heard.Add(m.cfg.SessionTimeout)); left > 0 {
			limit = min(limit, left)
		}
		sent := time.Now()
		err := m.call.heartbeat(ctx, limit, a.Generation, a.Member)
		switch {
		case ctx.Err() != nil:
		case err == nil:
			m.heard = sent
			m.outage.over()
			if time.Since(sent) < m.attempt/2 {
				m.patience = m.attempt
			}
			if m.lost {
				m.lost = false
				box.put(news{assignment: a})
			}
			if !counted && time.Since(looked) > restPause {
				looked = time.Now()
				if a.Members, counted = m.count(ctx, a.Members); counted {
					m.setHeld(a)
					box.put(news{assignment: a})
				}
			}
			if m.sentRest.Load() != int32(Busy) && a.Others == Busy && time.Since(looked) > restPause {
				looked = time.Now()
				if a.Others = m.others(ctx); a.Others != Busy {
					m.setHeld(a)
					box.put(news{assignment: a})
				}
			}
		case errors.Is(err, kafka.RebalanceInProgress), errors.Is(err, kafka.IllegalGeneration):
			m.heard = sent
			m.outage.over()
			close(release)
			return nil
		case gone(err):
			m.removed = time.Since(m.heard) < m.cfg.SessionTimeout
			m.id = ""
			m.cfg.OnEvent(EventRemoved)
			m.cfg.Log.Info("the coordinator removed this worker from the group; joining again", "unheard_for", time.Since(m.heard).Round(time.Millisecond))
			return errRemoved
		default:
			m.cfg.OnEvent(EventRetry)
			m.outage.failed(err)
			m.reportLost(box)
			m.waitLonger()
		}
	}
}

// waitLonger raises the limit of the next request after an unanswered one.
func (m *Member) waitLonger() { m.patience = min(2*m.patience, m.cfg.SessionTimeout/2) }

// reportLost reports lost, once, when no heartbeat was accepted for a session timeout.
func (m *Member) reportLost(box mailbox) {
	if m.lost || !m.joined || time.Since(m.heard) < m.cfg.SessionTimeout {
		return
	}
	m.lost = true
	m.cfg.OnEvent(EventLost)
	m.cfg.Log.Warn("no heartbeat was accepted for longer than the session timeout; other workers may have taken over",
		"unheard_for", time.Since(m.heard).Round(time.Millisecond))
	box.put(news{lost: true})
}
