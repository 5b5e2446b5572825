package connector

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"

	"orderwalk/simulator"
)

// Limits of the calm after the trouble, in virtual time. Calls in flight when it begins
// may still fail, and a shop that the vendor has refused tries again within ten minutes.
const (
	calmGrace = 30 * time.Second
	calmLimit = time.Hour
)

// stage is a life being played.
type stage struct {
	*testbed
	life    *life
	current deploy // ops.mu guards it
	pods    []*pod
	on      []string // faults that are on, as text
	began   time.Time
	noting  sync.Mutex
	journal []string
	calm    bool
	pushed  time.Time    // until then the vendor pushes what happens
	ending  []*process   // killed but not ended yet
	broken  atomic.Int32 // number of broker faults that are on
	dial    func(ctx context.Context, network, address string) (net.Conn, error)
	ops     operators
	gate    gateway
}

// pod is a worker's place: a name, a network, and the process that runs there now.
type pod struct {
	name string
	link *link
	run  *process  // nil while it is down
	all  []Shop    // all walks, with the clients of run
	own  *deploy   // of this worker alone, except for the end; nil = as the others
	back time.Time // when it starts again, while it is down
	done bool      // it has ended on its own without an error
}

func (s *stage) note(format string, args ...any) {
	s.noting.Lock()
	defer s.noting.Unlock()
	s.journal = append(s.journal, fmt.Sprintf("%9.3fs ", time.Since(s.began).Seconds())+fmt.Sprintf(format, args...))
}

// play plays the life to its end, and returns when the trouble ended.
func (s *stage) play() (calm time.Time) {
	l := s.life
	s.began, s.dial = time.Now(), s.testbed.dial
	s.testbed.heartbeat = l.heartbeat
	s.gate.rnd = rand.New(rand.NewPCG(l.seed, 15))
	s.testbed.gateway = func(w http.ResponseWriter, r *http.Request) bool { return s.gate.play(s, w, r) }
	s.simulate(simulator.Config{Seed: l.seed, Shops: l.shops, Faults: s.parse(l.lasting), Latency: l.latency})
	s.current = l.first
	for range l.pods {
		s.more()
	}
	for _, a := range l.acts {
		s.wait(s.began.Add(a.at))
		s.note("%s", a.what)
		a.do(s)
	}
	s.wait(s.began.Add(l.length))

	calm = time.Now()
	s.note("calm")
	s.on, s.calm = nil, true
	s.api.SetFaults(s.parse(l.lasting))
	s.gate.mend()
	for _, p := range s.pods {
		p.link.thaw()
		if p.run != nil {
			p.run.plug.mend()
		}
	}
	gently, restart := s.calmOperators()
	if restart || s.current.absent >= 0 || s.current.end != l.last.end {
		s.redeploy(l.last, false)
	}
	s.wait(calm.Add(calmGrace))
	s.expire()
	s.note("what has failed begins again, and what would wait for tomorrow")
	if gently && !l.has("per_day_limit") {
		s.restartFailed()
		return calm
	}
	for i, p := range s.pods {
		// A worker that was refused for the day remembers that, even while
		// another worker owns the shop.
		if p.run != nil && (count(p.run, StateFailed) > 0 || s.life.has("per_day_limit")) {
			s.stop(i, time.Second)
		}
	}
	s.deployed(l.last)
	return calm
}

// wait lets time pass, and restarts workers that are due or have ended with an error.
func (s *stage) wait(until time.Time) {
	for {
		s.look()
		left := time.Until(until)
		if left <= 0 {
			return
		}
		time.Sleep(min(left, 500*time.Millisecond))
	}
}

func (s *stage) look() {
	s.push()
	for _, p := range s.pods {
		if p.run != nil {
			select {
			case <-p.run.ended:
				if p.run.err == nil && s.outdated(p.run) {
					s.note("%s is at the end of a list that has changed", p.name)
					s.down(p, time.Second)
					continue
				}
				if p.run.err == nil {
					p.run, p.done = nil, true
					s.note("%s is at its end", p.name)
					continue
				}
				s.note("%s has ended: %s", p.name, first(p.run.err))
				if s.calm {
					s.note("that is after the trouble was over")
				}
				s.down(p, 3*time.Second)
			default:
			}
		}
		if p.run == nil && !p.done && !time.Now().Before(p.back) {
			s.up(p)
		}
	}
}

// push tells each worker that something has happened to each shop, which is often not
// so, as with orders that are cancelled before they can be listed.
func (s *stage) push() {
	now := time.Now()
	if !now.Before(s.pushed) {
		return
	}
	for _, p := range s.pods {
		if p.run == nil {
			continue
		}
		for _, w := range s.life.walks {
			p.run.Nudge(w.appID, orderNew, "", now)
		}
	}
}

func first(err error) string { return strings.ReplaceAll(err.Error(), "\n", " ") }

func (s *stage) parse(texts []string) simulator.Faults {
	var faults simulator.Faults
	for _, text := range texts {
		for one := range strings.FieldsSeq(text) {
			set, err := simulator.ParseFault(one)
			if err != nil {
				s.Fatal(err)
			}
			set(&faults)
		}
	}
	return faults
}

func (s *stage) faults(switches string, on bool) {
	if on {
		s.on = append(s.on, switches)
	} else {
		for i, text := range s.on {
			if text == switches {
				s.on = append(s.on[:i:i], s.on[i+1:]...)
				break
			}
		}
	}
	s.api.SetFaults(s.parse(append(append([]string(nil), s.life.lasting...), s.on...)))
}

func (s *stage) brokerFault(fault kfake.Fault, lasts time.Duration) {
	handle := s.cluster.Fault(fault)
	s.broken.Add(1)
	time.AfterFunc(lasts, func() {
		handle.Remove()
		s.broken.Add(-1)
	})
}

// more starts one more worker, up to four.
func (s *stage) more() {
	if len(s.pods) >= 4 {
		return
	}
	p := &pod{name: fmt.Sprintf("pod-%d", len(s.pods)), link: newLink(s.dial)}
	s.pods = append(s.pods, p)
	s.up(p)
}

func (s *stage) up(p *pod) {
	s.ops.mu.Lock()
	current := s.current
	s.ops.mu.Unlock()
	var shops []shop
	for i, w := range s.life.walks {
		shops = append(shops, shop{appID: w.appID, name: w.name, policy: current.policies[i], rate: w.rate})
	}
	s.testbed.pod, s.testbed.dial = p.name, p.link.DialContext
	p.run = s.prepare(shops...)
	s.testbed.dial = s.dial
	s.prepareList(p)
	s.run(p.run)
	s.note("%s starts", p.name)
}

func (s *stage) down(p *pod, lasts time.Duration) {
	p.run, p.back = nil, time.Now().Add(lasts)
}

// at returns a pod for any number.
func (s *stage) at(i int) *pod { return s.pods[i%len(s.pods)] }

func (s *stage) link(i int) *link { return s.at(i).link }

// kill ends a worker as kill −9 does. The next one in its place may start before the
// broker has noticed.
func (s *stage) kill(i int, lasts time.Duration) {
	p := s.at(i)
	if p.run == nil {
		return
	}
	p.run.plug.pull()
	p.run.cancel()
	s.ending = append(s.ending, p.run)
	s.down(p, lasts)
}

// stop ends a worker as SIGTERM does.
func (s *stage) stop(i int, lasts time.Duration) {
	p := s.at(i)
	if p.run == nil {
		return
	}
	p.run.cancel()
	s.ending = append(s.ending, p.run)
	s.down(p, lasts)
}

func (s *stage) freeze(i int, lasts time.Duration) {
	l := s.link(i)
	l.freeze()
	time.AfterFunc(lasts, l.thaw)
}

func (s *stage) unplug(i int, lasts time.Duration) {
	run := s.at(i).run
	if run == nil {
		return
	}
	run.plug.pull()
	time.AfterFunc(lasts, func() {
		select {
		case <-run.ended:
		default:
			run.plug.mend()
		}
	})
}

func (s *stage) deployed(d deploy) {
	s.ops.mu.Lock()
	defer s.ops.mu.Unlock()
	s.current = d
}

// roll gives each worker another configuration, one after another.
func (s *stage) roll(d deploy) {
	s.deployed(d)
	for i := range s.pods {
		s.stop(i, time.Duration(i+1)*time.Second)
	}
}

// redeploy ends all workers before it starts any, also those that had ended: the new
// configuration may have more to do.
func (s *stage) redeploy(d deploy, kill bool) {
	for i, p := range s.pods {
		if kill {
			s.kill(i, 0)
		} else {
			s.stop(i, 0)
		}
		p.done, p.back = true, time.Time{}
	}
	s.gone()
	if s.broken.Load() == 0 {
		s.agree()
	}
	s.deployed(d)
	for _, p := range s.pods {
		p.done = false
		s.up(p)
	}
}

// gone waits until all stopped workers have ended.
func (s *stage) gone() {
	for _, run := range s.ending {
		<-run.ended
	}
	s.ending = nil
}

// leave ends every worker that still runs, so that a life that failed early also ends.
func (s *stage) leave() {
	for _, p := range s.pods {
		p.link.thaw()
	}
	for _, run := range s.processes {
		run.kill()
	}
	s.ops.acts.Wait()
	for _, run := range s.processes {
		run.transport.CloseIdleConnections() // an act of operators may have outlived it
	}
}
