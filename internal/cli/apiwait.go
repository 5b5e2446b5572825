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

// apiSilence is how long the API may leave a command without an answer before
// the command says so.
const apiSilence = 2 * time.Second

// asking tells on stderr how a command gets on that asks the API about many
// shops: on a terminal how many are done, and anywhere, once, that it waits for
// the API and why.
type asking struct {
	out  io.Writer
	url  string
	what string // such as shops
	all  int
	line *statusLine // nil where there is no terminal to redraw
	cols func() int

	done   atomic.Int64
	once   sync.Once
	silent atomic.Bool // a call was waited out, and nothing has ever answered
}

// silence is why shops need not be tried one by one: nothing answers.
const silence = "not tried: the API has not answered"

// waited notes that a call to the host was waited out.
func (a *asking) waited(host *wechat.Host) { a.silent.Store(host.LastHeard().IsZero()) }

// newAsking begins. The progress line is drawn on a terminal only, and not where
// the results scroll by on it anyway.
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

// one counts one that is done.
func (a *asking) one() {
	a.done.Add(1)
	a.draw()
}

// end takes the progress line away.
func (a *asking) end() {
	if a.line != nil {
		a.line.set("", a.cols())
	}
}

// watch follows the calls of a client until the returned function is called.
// The command gives up after limit.
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
				a.tell("it has not answered yet", limit)
			case <-ticker.C:
				var why *wechat.Error
				if state, _, err := client.State(); state != "" && errors.As(err, &why) {
					a.tell(why.Error(), limit)
				}
			}
		}
	}()
	return func() {
		close(done)
		<-watched
	}
}

func (a *asking) tell(reason string, limit time.Duration) {
	a.once.Do(func() {
		fmt.Fprintf(a.out, "waiting for the API at %s, %s at most: %s\n", a.url, limit, reason)
	})
}

// wayHint says what to try where a call to the API at a URL got no answer, or
// one of another protocol.
func wayHint(url string, v *wechat.Error) string {
	if v == nil {
		return "check ORDERWALK_API_URL and the way to it"
	}
	switch label := wechat.Result(v); {
	case label == "refused":
		return "nothing listens there: check host and port of ORDERWALK_API_URL, " + url
	case label == "timeout":
		return "nothing answers there: check ORDERWALK_API_URL, " + url + ", and the network, firewall and proxy (HTTPS_PROXY) on the way to it"
	case label == "dns":
		return "check the host of ORDERWALK_API_URL, " + url + ", and this machine's DNS"
	case strings.Contains(v.Message, "HTTP response to HTTPS client"), strings.Contains(v.Message, "first record does not look like a TLS handshake"):
		return "the server there speaks http and not https: check scheme and port of ORDERWALK_API_URL, " + url
	case label == "tls":
		return "no TLS connection to ORDERWALK_API_URL, " + url + ": check its port and its certificate; a proxy that opens TLS needs its authority among those this machine trusts"
	case v.HTTPStatus == 400 && strings.HasPrefix(url, "http://"):
		return "the server there may expect https: check scheme and port of ORDERWALK_API_URL, " + url
	case label == "reset", label == "network":
		return "the connection broke off: check ORDERWALK_API_URL, " + url + ", and any proxy on the way to it"
	}
	return ""
}
