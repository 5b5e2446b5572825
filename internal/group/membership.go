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

// errRemoved ends a membership that the coordinator has forgotten or given up.
var errRemoved = errors.New("removed from the group")

// ours is a heartbeat interval of kafka-go's that never comes: the longest it
// takes, 24 days. If it does come, it costs a rebalance at worst, which stops
// nothing.
const ours = (1<<31 - 2) * time.Millisecond

// runMembership is a membership after the other, until ctx ends.
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
		}
		m.watch(box)
		if time.Since(began) > time.Minute {
			pause.Reset()
		}
		if pause.Sleep(ctx) != nil {
			return nil
		}
	}
}

// joinOnce is one membership: from joining to leaving, being removed, or the
// first error of joining. Rebalances lie within it.
func (m *Member) joinOnce(ctx context.Context, box mailbox) error {
	if err := m.clear(ctx); err != nil {
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
		cut() // what it would wait for has become pointless
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
			return classify("join", err)
		}
		members := m.claim().Members
		a := m.begin(generation)
		box.put(news{assignment: a})
		a.Members = m.count(ctx, members)
		m.take(a)
		box.put(news{assignment: a})
		err = m.heartbeats(ctx, generation, a, box)
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
		HeartbeatInterval: ours,
		SessionTimeout:    m.cfg.SessionTimeout,
		// Who works on while joining joins at its next heartbeat.
		RebalanceTimeout: m.cfg.SessionTimeout,
		Timeout:          m.cfg.SessionTimeout / 2,
		JoinGroupBackoff: time.Second, // cut short: after an error belong closes the group
	}
}

// next waits for a generation. A join takes as long as the slowest member, at
// most a session timeout, in which nobody can take over anything; so lost is
// told only when it has been overdue for as long again.
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
	m.watch(box)
	return joining.Next(ctx)
}

// begin takes note of a generation.
func (m *Member) begin(g *kafka.Generation) Assignment {
	m.id, m.heard, m.joined, m.lost = g.MemberID, time.Now(), true, false
	m.outage.over()
	a := Assignment{Generation: g.ID, Member: g.MemberID, Lanes: []int{}}
	for _, p := range g.Assignments[m.cfg.Topic] {
		a.Lanes = append(a.Lanes, p.ID)
	}
	slices.Sort(a.Lanes)
	m.take(a)
	m.cfg.OnEvent(EventAssigned)
	m.cfg.Log.Debug("assigned", "generation", a.Generation, "member", a.Member, "lanes", a.Lanes)
	return a
}

// heartbeats sends heartbeats until the generation ends, which is no error; unless it
// ends with our membership.
func (m *Member) heartbeats(ctx context.Context, g *kafka.Generation, a Assignment, box mailbox) error {
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
			return nil // still in the generation, or kafka-go would join again
		case <-ended:
			return nil
		case <-tick.C:
		}
		if m.blind.Swap(false) || m.rest.Load() != m.told.Load() {
			close(release) // the join of a leader, or with other user data, starts a rebalance
			return nil
		}
		m.watch(box)
		limit := m.attempt
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
			if m.lost {
				m.lost = false
				box.put(news{assignment: a})
			}
			if m.told.Load() != int32(Busy) && a.Others == Busy && time.Since(looked) > restPause {
				looked = time.Now()
				if a.Others = m.others(ctx); a.Others != Busy {
					m.take(a)
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
			m.cfg.Log.Info("no longer a member of the worker group, joining again", "unheard_for", time.Since(m.heard).Round(time.Millisecond))
			return errRemoved
		default:
			m.cfg.OnEvent(EventRetry)
			m.outage.failed(err)
			m.watch(box)
		}
	}
}

// watch tells lost, once, when nobody has heard of us for a session timeout.
func (m *Member) watch(box mailbox) {
	if m.lost || !m.joined || time.Since(m.heard) < m.cfg.SessionTimeout {
		return
	}
	m.lost = true
	m.cfg.OnEvent(EventLost)
	m.cfg.Log.Warn("unheard of by the worker group for longer than the session timeout, other workers may have taken over",
		"unheard_for", time.Since(m.heard).Round(time.Millisecond))
	box.put(news{lost: true})
}
