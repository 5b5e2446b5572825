package kafkatest

import (
	"encoding/binary"
	"net"
	"sync"
	"time"
)

// link is one client connection of a Proxy and its connection to the broker.
type link struct {
	client, broker net.Conn

	mu      sync.Mutex
	answers map[int32]Action // action on each answer, by correlation ID
	late    bool             // a delayed request still needs the broker's connection
}

// serve passes frames in both directions until either side or a rule closes.
func (p *Proxy) serve(client net.Conn, target string) {
	defer client.Close()
	var d net.Dialer
	broker, err := d.DialContext(p.ctx, "tcp", target)
	if err != nil {
		return // the client sees a broker that is down
	}
	defer broker.Close()
	l := &link{client: client, broker: broker, answers: map[int32]Action{}}
	p.mu.Lock()
	p.links[l] = true
	unplugged := time.Now().Before(p.unplugged)
	p.mu.Unlock()
	defer func() {
		p.mu.Lock()
		delete(p.links, l)
		p.mu.Unlock()
	}()
	if unplugged || p.ctx.Err() != nil {
		return // Cut or Close may have run before this link was registered
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		p.passAnswers(l)
	}()
	if !p.passRequests(l) {
		broker.Close()
	}
	<-done
}

// passRequests returns true if the broker's connection must stay open until the answer
// to a delayed request.
func (p *Proxy) passRequests(l *link) bool {
	defer l.client.Close()
	for {
		frame, err := readFrame(l.client)
		if err != nil || len(frame) < 12 || !p.patience() {
			return false
		}
		id := int32(binary.BigEndian.Uint32(frame[8:]))
		do, delay, released := p.choose(int16(binary.BigEndian.Uint16(frame[4:])))
		switch do {
		case DropRequest:
			return false
		case DelayRequest:
			l.expect(id, do)
			l.client.Close()
			if !p.sleep(delay) {
				return false
			}
		case HoldRequest:
			select {
			case <-released:
			case <-p.ctx.Done():
				return false
			}
		case SwallowAnswer, CutAnswer:
			l.expect(id, do)
		}
		if _, err := l.broker.Write(frame); err != nil {
			return false
		}
		if do == DelayRequest {
			return true
		}
	}
}

// passAnswers returns when the broker's connection ends.
func (p *Proxy) passAnswers(l *link) {
	defer l.client.Close()
	defer l.broker.Close()
	for {
		frame, err := readFrame(l.broker)
		if err != nil || !p.patience() {
			return
		}
		switch l.verdict(int32(binary.BigEndian.Uint32(frame[4:]))) {
		case SwallowAnswer:
		case CutAnswer, DelayRequest:
			return
		default:
			// passRequests notices a closed client; the broker's connection may have
			// to outlive it.
			_, _ = l.client.Write(frame)
		}
	}
}

func (l *link) expect(id int32, do Action) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.answers[id] = do
	l.late = l.late || do == DelayRequest
}

func (l *link) verdict(id int32) Action {
	l.mu.Lock()
	defer l.mu.Unlock()
	do := l.answers[id]
	delete(l.answers, id)
	return do
}

// cut closes the link, except what a delayed request needs.
func (l *link) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.client.Close()
	if !l.late {
		l.broker.Close()
	}
}
