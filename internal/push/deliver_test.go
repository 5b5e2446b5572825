package push

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// A stored message is not delivered again: not the same push, not the message signed
// and encrypted again. Sent to another account, it is another push.
func TestRepeats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		s := shopPush(orderJSON("1", time.Now()))
		d.want("first", d.post(s), 200, OK)
		d.want("the same bytes", d.post(s), 200, Repeat)
		time.Sleep(3 * time.Hour)
		d.want("3 h later", d.post(s), 200, Repeat)
		again := s
		again.at, again.nonce, again.token, again.aes = time.Now(), "7", newToken, newAES
		d.want("signed anew", d.post(again), 200, Repeat)
		other := s
		other.message = orderJSON("2", s.at)
		d.want("another order", d.post(other), 200, OK)
		later := s
		later.message = orderJSON("1", s.at.Add(time.Second))
		d.want("a second later", d.post(later), 200, OK)

		of := componentPush(s.message)
		of.path += "/" + authorized
		d.want("of another account", d.post(of), 200, OK)
		if got := len(d.took()); got != 4 {
			t.Errorf("%d events", got)
		}
		time.Sleep(time.Hour + time.Second)
		d.want("too old to be repeated", d.post(s), 403, Stale)
	})
}

// A push that could not be stored is not remembered: the vendor's next attempt is
// delivered, and only the one after it is a repeat.
func TestSinkThatFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		s := shopPush(orderJSON("1", time.Now()))
		d.handing(func(context.Context) error { return errors.New("kafka is away") })
		for range 3 {
			d.want("kafka is away", d.post(s), 503, NotKept)
			time.Sleep(19 * time.Second)
		}
		if got := strings.Count(d.log.String(), "kafka is away"); got != 1 {
			t.Errorf("said %d times:\n%s", got, &d.log)
		}
		time.Sleep(3 * time.Second)
		d.want("still", d.post(s), 503, NotKept)
		if got := strings.Count(d.log.String(), "kafka is away"); got != 2 {
			t.Errorf("said %d times:\n%s", got, &d.log)
		}
		d.handing(nil)
		d.want("kafka is back", d.post(s), 200, OK)
		d.want("again", d.post(s), 200, Repeat)
		if got := len(d.took()); got != 1 {
			t.Errorf("%d events", got)
		}
	})
}

// Whatever the receiving function does, the vendor gets an answer within 5 s.
func TestSinkThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		s := shopPush(orderJSON("1", time.Now()))
		release := make(chan struct{})
		d.handing(func(ctx context.Context) error { // ignores its context
			<-release
			return nil
		})
		began := time.Now()
		d.want("it hangs", d.post(s), 503, NotKept)
		d.want("the next try waits for the first", d.post(s), 503, NotKept)
		if took := time.Since(began); took != 9*time.Second {
			t.Errorf("took %s", took)
		}
		close(release)
		synctest.Wait()
		d.want("kept late is kept", d.post(s), 200, Repeat)
		if got := len(d.took()); got != 1 {
			t.Errorf("%d events", got)
		}

		d.handing(func(ctx context.Context) error {
			<-ctx.Done()
			return ctx.Err()
		})
		s.message = orderJSON("2", s.at)
		began = time.Now()
		d.want("it gives up in time", d.post(s), 503, NotKept)
		if took := time.Since(began); took != 4500*time.Millisecond {
			t.Errorf("took %s", took)
		}
	})
}

// A push is stored even if the vendor has closed the connection.
func TestVendorThatHasGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		s := shopPush(orderJSON("1", time.Now()))
		gone, hangUp := context.WithCancel(t.Context())
		d.handing(func(ctx context.Context) error {
			hangUp()
			synctest.Wait()
			return ctx.Err()
		})
		r := httptest.NewRequest(http.MethodPost, s.path+"?"+s.query(t).Encode(), strings.NewReader(s.body(t)))
		d.ServeHTTP(httptest.NewRecorder(), r.WithContext(gone))
		if got := len(d.took()); got != 1 {
			t.Errorf("%d events", got)
		}
	})
}

// A vendor without an answer sends again at once: the attempts wait for each other,
// and one is delivered.
func TestTriesAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, fails := range []int{0, 1, 3, 9} {
			d := newDesk(t)
			s := shopPush(orderJSON("1", time.Now()))
			handed := 0
			d.handing(func(context.Context) error {
				handed++ // one at a time; the race detector checks
				time.Sleep(100 * time.Millisecond)
				if handed <= fails {
					return errors.New("kafka is away")
				}
				return nil
			})
			codes := map[int]int{}
			for code := range posts(d, 8, func(int) sheet { return s }) {
				codes[code]++
			}
			failed := min(fails, 8)
			if codes[503] != failed || codes[200] != 8-failed || handed != min(fails+1, 8) || d.counts[OK] != min(8-failed, 1) {
				t.Errorf("%d failures: answers %v, handed on %d times, counted %v", fails, codes, handed, d.counts)
			}
		}
	})
}

// Pushes beyond the limit are refused before they take memory.
func TestTooManyUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		d.handing(func(context.Context) error {
			time.Sleep(time.Second)
			return nil
		})
		codes := map[int]int{}
		for code := range posts(d, maxUnderWay+44, func(i int) sheet { return shopPush(orderJSON(fmt.Sprint(i+1), time.Now())) }) {
			codes[code]++
		}
		if codes[200] != maxUnderWay || codes[503] != 44 || len(d.took()) != maxUnderWay {
			t.Errorf("answers %v", codes)
		}
	})
}

// posts sends pushes concurrently and returns the status codes.
func posts(d *desk, n int, push func(i int) sheet) <-chan int {
	codes := make(chan int, n)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			w := httptest.NewRecorder()
			s := push(i)
			d.ServeHTTP(w, httptest.NewRequest(http.MethodPost, s.path+"?"+s.query(d.t).Encode(), strings.NewReader(s.body(d.t))))
			codes <- w.Code
		})
	}
	all.Wait()
	close(codes)
	return codes
}

// The memory is bounded: at least the latest 65,536 pushes, never twice as many.
func TestMemoryIsBounded(t *testing.T) {
	var m seenPushes
	of := func(i int) (d digest) {
		binary.BigEndian.PutUint32(d[:], uint32(i))
		return d
	}
	const n = 2*remembered + 5
	for i := range n {
		if kept, wait, free := m.begin(of(i)); kept || wait != nil || !free {
			t.Fatalf("push %d: %v %v %v", i, kept, wait, free)
		}
		m.end(of(i), true)
		if size := len(m.recent) + len(m.older); size > 2*remembered {
			t.Fatalf("%d are remembered", size)
		}
	}
	for i := range remembered {
		if kept, _, _ := m.begin(of(n - 1 - i)); !kept {
			t.Fatalf("push %d is forgotten", n-1-i)
		}
	}
	if kept, _, _ := m.begin(of(0)); kept {
		t.Error("the first is still remembered")
	}
}

// Moving bytes between account and message changes the digest.
func TestDigestsDiffer(t *testing.T) {
	seen := map[digest]string{}
	for _, c := range []struct {
		a       account
		message string
	}{{account{"a", "b"}, "c"}, {account{"a", ""}, "bc"}, {account{"", "a"}, "bc"}, {account{"ab", ""}, "c"}, {account{"", ""}, "abc"}} {
		d := digestOf(c.a, []byte(c.message))
		if other, ok := seen[d]; ok {
			t.Errorf("%v is like %s", c, other)
		}
		seen[d] = fmt.Sprint(c)
	}
}

// A machine whose clock is hours off takes what is recent by the vendor's clock, and still
// nothing that is recent by neither.
func TestPushesByTheVendorsClock(t *testing.T) {
	for name, ahead := range map[string]time.Duration{"ours is behind": time.Hour, "ours is ahead": -9 * time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			d := newDesk(t)
			theirs := time.Now().Add(ahead)
			order := shopPush(orderJSON("1", theirs))
			order.at = theirs
			d.want(name+": before the vendor's clock is known", d.post(order), 403, Stale)
			d.Clock = func() time.Time { return theirs }
			d.want(name+": recent by the vendor's clock", d.post(order), 200, OK)
			order.message = orderJSON("2", theirs.Add(-4*time.Hour-time.Second))
			if ahead < 0 {
				d.want(name+": an event that is recent by neither", d.post(order), 403, Stale)
			}
			order.message = orderJSON("3", theirs.Add(6*time.Minute))
			d.want(name+": an event that is ahead of both", d.post(order), 403, Stale)
		})
	}
}
