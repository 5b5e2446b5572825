package connector

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"orderwalk/simulator"
)

func pow(x, y float64) float64 { return math.Pow(x, y) }

// Faults of the simulator that a life does not switch on and off, each with its
// reason. A life switches all others, new ones included.
var notDrawn = map[string]string{
	"clock_skew": "one clock for a whole life", "end_exclusive": "one way for a whole life", "start_exclusive": "one way for a whole life", "date_absent": "one way for a whole life", "visibility_lag": "one lag for a whole life",
	"timeout_hold": "goes with timeout_rate", "slow_hold": "goes with slow_rate", "unknown_errcode_rate": "goes with unknown_errcode",
	"rotate_refresh_token": "not of a shop's own token", "platform_error": "not of a shop's own token", "missing_set_131": "not of a shop's own token",
	"cloud_unlisted": "not of a shop's own token", "relay_delay": "not of a shop's own token", "seqid_absent": "not of a shop's own token",
}

// faultValues draws the values of faults that need more than a random value of their
// type, with the faults that belong to them.
var faultValues = map[string]func(rnd *rand.Rand) string{
	"token_ttl":   func(rnd *rand.Rand) string { return "token_ttl=" + between(rnd, 3*time.Second, time.Hour).String() },
	"key_ttl":     func(rnd *rand.Rand) string { return "key_ttl=" + between(rnd, time.Second, time.Minute).String() },
	"token_error": func(rnd *rand.Rand) string { return "token_error=" + draw(rnd, "40125", "40013", "40164") },
	"unknown_errcode": func(rnd *rand.Rand) string {
		return fmt.Sprintf("unknown_errcode=%d unknown_errcode_rate=%.3f", draw(rnd, 12345, 10020050), between01(rnd))
	},
	"max_orders_per_request": func(rnd *rand.Rand) string { return fmt.Sprintf("max_orders_per_request=%d", 20+rnd.IntN(300)) },
	"per_minute_limit":       func(rnd *rand.Rand) string { return fmt.Sprintf("per_minute_limit=%d", 5+rnd.IntN(300)) },
	"per_day_limit":          func(rnd *rand.Rand) string { return fmt.Sprintf("per_day_limit=%d", 5+rnd.IntN(300)) },
	"timeout_rate": func(rnd *rand.Rand) string {
		return fmt.Sprintf("timeout_rate=%.3f timeout_hold=%v", between01(rnd), between(rnd, 100*time.Millisecond, 10*time.Second))
	},
	"slow_rate": func(rnd *rand.Rand) string {
		return fmt.Sprintf("slow_rate=%.3f slow_hold=%v", between01(rnd), between(rnd, 100*time.Millisecond, 8*time.Second))
	},
}

// between01 draws a rate; one in eight is 1.
func between01(rnd *rand.Rand) float64 {
	if rnd.IntN(8) == 0 {
		return 1
	}
	return 0.01 * pow(50, rnd.Float64())
}

// drawFault draws one fault of the simulator with a value, as "name=value", or several
// that belong together.
func drawFault(rnd *rand.Rand) string {
	var names []simulator.FaultName
	for _, f := range simulator.FaultNames() {
		if notDrawn[f.Name] == "" && !strings.HasPrefix(f.Name, "push_") { // pushes are not pages
			names = append(names, f)
		}
	}
	f := names[rnd.IntN(len(names))]
	if own := faultValues[f.Name]; own != nil {
		return own(rnd)
	}
	switch {
	case strings.Contains(f.Type, "|"):
		values := strings.Split(f.Type, "|")
		return f.Name + "=" + values[rnd.IntN(len(values))]
	case f.Type == "bool":
		return f.Name + "=true"
	case f.Type == "rate":
		return fmt.Sprintf("%s=%.3f", f.Name, between01(rnd))
	case f.Type == "duration":
		return f.Name + "=" + between(rnd, 100*time.Millisecond, 30*time.Second).String()
	}
	return fmt.Sprintf("%s=%d", f.Name, 1+rnd.IntN(1000))
}

// known reports whether the simulator has a fault.
func known(text string) bool {
	_, err := simulator.ParseFault(text)
	return err == nil
}

// drawLasting draws the faults that stay on for the whole life, because the API's
// promises depend on them.
func (l *life) drawLasting(rnd *rand.Rand) {
	if rnd.IntN(3) == 0 {
		l.lag = between(rnd, 500*time.Millisecond, 40*time.Second)
		l.lasting = append(l.lasting, "visibility_lag="+l.lag.String())
	}
	switch rnd.IntN(6) {
	case 0: // orderwalk cannot detect an API that lags without saying so
		l.lasting = append(l.lasting, fmt.Sprintf("clock_skew=%ds", -1-rnd.IntN(60)))
	case 1:
		l.lasting = append(l.lasting, fmt.Sprintf("clock_skew=%ds", 1+rnd.IntN(60)))
	case 2:
		l.lasting = append(l.lasting, "date_absent=true")
	}
	if rnd.IntN(2) == 0 {
		l.lasting = append(l.lasting, "end_exclusive=true")
	}
	if one := "start_exclusive=true"; rnd.IntN(4) == 0 && known(one) {
		l.lasting = append(l.lasting, one)
	}
}

// Requests of Kafka's protocol, and the errors a broker may answer instead.
var brokerFaults = []struct {
	keys []kmsg.Key
	errs []*kerr.Error
}{
	{[]kmsg.Key{kmsg.Produce}, []*kerr.Error{kerr.NotEnoughReplicas, kerr.LeaderNotAvailable, kerr.NotLeaderForPartition, kerr.RequestTimedOut, kerr.UnknownServerError}},
	{[]kmsg.Key{kmsg.AddPartitionsToTxn}, []*kerr.Error{kerr.CoordinatorLoadInProgress, kerr.NotCoordinator, kerr.ConcurrentTransactions, kerr.UnknownServerError}},
	{[]kmsg.Key{kmsg.EndTxn}, []*kerr.Error{kerr.CoordinatorLoadInProgress, kerr.NotCoordinator, kerr.ConcurrentTransactions, kerr.CoordinatorNotAvailable, kerr.UnknownServerError}},
	{[]kmsg.Key{kmsg.InitProducerID}, []*kerr.Error{kerr.CoordinatorLoadInProgress, kerr.NotCoordinator, kerr.ConcurrentTransactions}},
	{[]kmsg.Key{kmsg.AddPartitionsToTxn, kmsg.EndTxn, kmsg.InitProducerID}, []*kerr.Error{kerr.CoordinatorNotAvailable}},
	{[]kmsg.Key{kmsg.Fetch, kmsg.ListOffsets}, []*kerr.Error{kerr.NotLeaderForPartition, kerr.KafkaStorageError, kerr.LeaderNotAvailable}},
	{[]kmsg.Key{kmsg.JoinGroup, kmsg.SyncGroup, kmsg.Heartbeat}, []*kerr.Error{kerr.CoordinatorNotAvailable, kerr.NotCoordinator, kerr.CoordinatorLoadInProgress}},
	{[]kmsg.Key{kmsg.Heartbeat}, []*kerr.Error{kerr.RebalanceInProgress, kerr.UnknownMemberID, kerr.IllegalGeneration}},
}

// drawActs draws the acts that disturb the life.
func (l *life) drawActs(rnd *rand.Rand) {
	current := l.first
	at := func() time.Duration {
		from := time.Duration(0)
		if l.startNow { // the worker runs at least until its start is committed
			from = 10 * time.Second
		}
		return from + time.Duration(rnd.Int64N(int64(l.length-from)))
	}
	faults, workers, brokers := rnd.IntN(12), rnd.IntN(16), max(0, rnd.IntN(10)-4)
	for range faults {
		from, lasts := at(), between(rnd, time.Second, time.Minute)
		switches := drawFault(rnd)
		for range rnd.IntN(3) {
			switches += " " + drawFault(rnd)
		}
		l.add(from, "faults on: "+switches, func(s *stage) { s.faults(switches, true) })
		l.add(min(from+lasts, l.length), "faults off: "+switches, func(s *stage) { s.faults(switches, false) })
	}
	for range brokers {
		f := brokerFaults[rnd.IntN(len(brokerFaults))]
		from, lasts, err := at(), between(rnd, 100*time.Millisecond, 20*time.Second), f.errs[rnd.IntN(len(f.errs))]
		fault := kfake.Fault{Keys: f.keys, Err: err, Count: draw(rnd, -1, 1, 3)}
		l.add(from, fmt.Sprintf("broker answers %s to %v (%d times) for %v", err.Message, f.keys, fault.Count, lasts), func(s *stage) { s.brokerFault(fault, lasts) })
	}
	// Deploys are drawn in time order, since each is derived from the previous one.
	times := make([]time.Duration, workers)
	for i := range times {
		times[i] = at()
	}
	slices.Sort(times)
	for _, from := range times {
		l.drawWorkerAct(rnd, from, &current)
	}
	for range l.pace.IntN(3) {
		from, lasts := time.Duration(l.pace.Int64N(int64(l.length))), between(l.pace, time.Second, 2*time.Minute)
		l.add(from, fmt.Sprintf("pushes for %v", lasts), func(s *stage) { s.pushed = time.Now().Add(lasts) })
	}
	l.drawOperators()
	l.drawGateway()
	slices.SortStableFunc(l.acts, func(a, b act) int { return cmp.Compare(a.at, b.at) })
	l.last = current
}

// drawWorkerAct draws an act on one worker, or on all of them.
func (l *life) drawWorkerAct(rnd *rand.Rand, at time.Duration, current *deploy) {
	pod, lasts := rnd.IntN(4), between(rnd, 100*time.Millisecond, 25*time.Second)
	switch rnd.IntN(10) {
	case 0, 1, 2:
		l.add(at, fmt.Sprintf("worker %d is killed, back after %v", pod, lasts), func(s *stage) { s.kill(pod, lasts) })
	case 3:
		l.add(at, fmt.Sprintf("worker %d is stopped, back after %v", pod, lasts), func(s *stage) { s.stop(pod, lasts) })
	case 4:
		l.add(at, fmt.Sprintf("worker %d is frozen for %v", pod, lasts), func(s *stage) { s.freeze(pod, lasts) })
	case 5:
		l.add(at, fmt.Sprintf("worker %d loses its connections", pod), func(s *stage) { s.link(pod).cut() })
	case 6:
		l.add(at, fmt.Sprintf("worker %d is cut off for %v", pod, lasts), func(s *stage) { s.unplug(pod, lasts) })
	case 7:
		l.add(at, "one more worker", func(s *stage) { s.more() })
	case 8:
		d := l.tuned(rnd, *current)
		*current = d
		l.add(at, "rolling deploy: "+d.String(), func(s *stage) { s.roll(d) })
	case 9:
		end := current.end
		if l.bounded && rnd.IntN(2) == 0 {
			end += rnd.Int64N(60)
		}
		d := l.newDeploy(rnd, end)
		if len(l.walks) > 1 && rnd.IntN(2) == 0 && !l.startNow {
			d.absent = rnd.IntN(len(l.walks))
		}
		*current = d
		kill := rnd.IntN(2) == 0
		l.add(at, fmt.Sprintf("all workers end (killed: %v) and come back with: %v", kill, d), func(s *stage) { s.redeploy(d, kill) })
	}
}

func (l *life) add(at time.Duration, what string, do func(*stage)) {
	l.acts = append(l.acts, act{at: at, what: what, do: do})
}

// has reports whether a fault is ever on.
func (l *life) has(fault string) bool {
	for _, a := range l.acts {
		if strings.Contains(a.what, fault) {
			return true
		}
	}
	return false
}
