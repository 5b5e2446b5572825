package connector

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// finish ends a life: with END_TIME it waits until all workers have ended, without
// until all shops have walked past everything that existed when the trouble ended.
func (s *stage) finish(calm time.Time, rnd *rand.Rand) {
	target := calm.Add(s.life.lag).Unix() + 60
	if s.life.lag > 0 {
		// Windows of three LOOKBACKs without orders are read again at once.
		target += 4 * int64(max(s.life.first.policies[0].Lookback, s.life.last.policies[0].Lookback)/time.Second)
	}
	if s.life.has("offset_keys") { // what leaving orders have hidden is found by second passes
		target += 2 * int64(s.life.last.policies[0].Lookback/time.Second)
	}
	for {
		s.look()
		over := true
		for _, p := range s.pods {
			over = over && p.done
		}
		if !s.life.bounded {
			over = s.passed(target)
		}
		if over {
			break
		}
		if time.Since(calm) > calmLimit {
			s.Errorf("it does not come to an end: %v after the trouble was over %s", time.Since(calm), s.states())
			break
		}
		time.Sleep(time.Duration(100+rnd.IntN(1900)) * time.Millisecond)
	}
	s.note("the end")
	for i, p := range s.pods {
		if run := p.run; run != nil {
			s.stop(i, time.Hour)
			if <-run.ended; run.err != nil {
				s.Errorf("%s, when it was stopped in the end: %v", p.name, run.err)
			}
		}
	}
	s.gone()
}

// passed reports whether the watermark of every walk is after a second, at some worker.
func (s *stage) passed(second int64) bool {
	reached := make(map[string]bool)
	for _, p := range s.pods {
		if p.run == nil {
			continue
		}
		for _, status := range p.run.Status() {
			if status.Watermark >= second {
				reached[status.Name] = true
			}
		}
	}
	return len(reached) == len(s.life.walks)
}

func (s *stage) states() string {
	var b strings.Builder
	for _, p := range s.pods {
		fmt.Fprintf(&b, "\n  %s: done %v", p.name, p.done)
		if p.run != nil {
			for _, status := range p.run.Status() {
				fmt.Fprintf(&b, "\n    %+v", status)
			}
		}
	}
	return b.String()
}

// expire removes members of the group that are no longer workers, as Kafka does after
// the session timeout. kfake starts that timer only after it has sent its answer to
// JoinGroup. So a member whose connection broke before that would keep its lanes
// forever.
func (s *stage) expire() {
	var alive []string
	for _, p := range s.pods {
		if p.run == nil {
			continue
		}
		p.run.mu.Lock()
		set := p.run.set
		p.run.mu.Unlock()
		if set != nil {
			set.mu.Lock()
			alive = append(alive, set.assigned.Member)
			set.mu.Unlock()
		}
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(s.brokers...), kgo.Dialer(s.dial))
	if err != nil {
		s.Fatal(err)
	}
	defer client.Close()
	groups, err := kadm.NewClient(client).DescribeGroups(context.Background(), s.name)
	if err != nil {
		s.Fatal(err)
	}
	for _, member := range groups[s.name].Members {
		if slices.Contains(alive, member.MemberID) {
			continue
		}
		s.note("%s is no worker any more", member.MemberID)
		request := kmsg.NewPtrLeaveGroupRequest()
		request.Group = s.name
		request.Members = []kmsg.LeaveGroupRequestMember{{MemberID: member.MemberID}}
		if _, err := request.RequestWith(context.Background(), client); err != nil {
			s.Fatal(err)
		}
	}
}
