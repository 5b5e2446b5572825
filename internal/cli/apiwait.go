package cli

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"orderwalk/internal/wechat"
)

// apiSilence is the time without an answer of the API after which a command
// reports that it is waiting.
const apiSilence = 2 * time.Second

// asking reports on stderr the progress of a command that asks the API about
// many shops: on a terminal the number of shops done, and everywhere, once,
// that the command waits for the API and why.
type asking struct {
	out  io.Writer
	url  string
	what string // such as shops
	all  int
	line *statusLine // nil = no terminal
	cols func() int

	done   atomic.Int64
	once   sync.Once
	silent atomic.Bool // a call used up its time limit, and the API has never answered
}

// silence is the reason why the remaining shops need not be tried: the API
// does not answer.
const silence = "not checked: the API has not answered"

// waited records that a call to the host used up its time limit.
func (a *asking) waited(host *wechat.Host) { a.silent.Store(host.LastHeard().IsZero()) }

// newAsking starts the reporting. The progress line is drawn only on a
// terminal that does not already show the results.
func newAsking(streams Streams, url string, all int, what string, scrolls bool) *asking {
	a := &asking{out: streams.Err, url: url, what: what, all: all}
	screen, ok := terminal(streams.Err)
	if _, also := terminal(streams.Out); ok && (!scrolls || !also) {
		a.line = &statusLine{w: screen}
		a.out, a.cols = a.line, func() int { return width(screen) }
		a.draw()
	}
	return a
}

func (a *asking) draw() {
	if a.line != nil {
		a.line.set(fmt.Sprintf("%s of %s %s", thousands(a.done.Load()), thousands(int64(a.all)), a.what), a.cols())
	}
}

// one counts one shop as done.
func (a *asking) one() {
	a.done.Add(1)
	a.draw()
}

// end erases the progress line.
func (a *asking) end() {
	if a.line != nil {
		a.line.set("", a.cols())
	}
}

// watch reports on the calls of a client until the returned function is
// called. The command gives up after limit.
func (a *asking) watch(client *wechat.Client, limit time.Duration) (stop func()) {
	done, watched := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(watched)
		ticker := time.NewTicker(100 * time.Millisecond)
		defer ticker.Stop()
		silent := time.NewTimer(apiSilence)
		defer silent.Stop()
		for {
			select {
			case <-done:
				return
			case <-silent.C:
				a.report("it has not answered yet", limit)
			case <-ticker.C:
				var why *wechat.Error
				if state, _, err := client.State(); state != "" && errors.As(err, &why) {
					a.report(why.Error(), limit)
				}
			}
		}
	}()
	return func() {
		close(done)
		<-watched
	}
}

func (a *asking) report(reason string, limit time.Duration) {
	a.once.Do(func() {
		fmt.Fprintf(a.out, "waiting for the API at %s, %s at most: %s\n", a.url, limit, reason)
	})
}

// wayHint returns what to try if a call to the API at a URL got no answer or
// an answer of another protocol.
func wayHint(url string, v *wechat.Error) string {
	if v == nil {
		return "check ORDERWALK_API_URL and the network path to it"
	}
	switch label := wechat.Result(v); {
	case label == "refused":
		return "no server listens there: check host and port of ORDERWALK_API_URL, " + url
	case label == "timeout":
		return "no server answers there: check ORDERWALK_API_URL, " + url + ", and the network, firewall and proxy (HTTPS_PROXY) on the way to it"
	case label == "dns":
		return "check the host of ORDERWALK_API_URL, " + url + ", and this machine's DNS"
	case strings.Contains(v.Message, "HTTP response to HTTPS client"), strings.Contains(v.Message, "first record does not look like a TLS handshake"):
		return "the server there speaks http and not https: check scheme and port of ORDERWALK_API_URL, " + url
	case label == "tls":
		return "no TLS connection to ORDERWALK_API_URL, " + url + ": check its port and its certificate; if a proxy intercepts TLS, this machine must trust its certificate authority"
	case v.HTTPStatus == 400 && strings.HasPrefix(url, "http://"):
		return "the server there may expect https: check scheme and port of ORDERWALK_API_URL, " + url
	case label == "reset", label == "network":
		return "the connection broke off: check ORDERWALK_API_URL, " + url + ", and any proxy on the way to it"
	}
	return ""
}
