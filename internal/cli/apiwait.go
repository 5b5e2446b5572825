package cli

import (
	"errors"
	"fmt"
	"io"
	"slices"
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
	*countLine
	out io.Writer
	url string

	once   sync.Once
	silent atomic.Bool // a call used up its time limit, and no call got an answer meanwhile
}

// silence is the reason why the remaining shops need not be tried: the API
// does not answer.
const silence = "not checked: the API does not answer"

// waited records that a call to the host, which began at that time, used up its
// time limit, with its error. One that waited for a token server says nothing about the
// API, and neither does one that was answered or has a trouble of its own.
func (a *asking) waited(host *wechat.Host, began time.Time, err error) {
	var waited *wechat.Interrupted
	if wechat.OfTokenServer(err) || !errors.As(err, &waited) {
		return
	}
	if last := waited.Last; last != nil && !slices.Contains([]string{"refused", "timeout", "dns", "tls", "reset", "network"}, wechat.Result(last)) {
		return
	}
	if !host.LastHeard().After(began) {
		a.silent.Store(true)
	}
}

// newAsking starts the reporting.
func newAsking(streams Streams, url string, all int, what string) *asking {
	a := &asking{countLine: newCountLine(streams, all, what), out: streams.Err, url: url}
	if a.line != nil {
		a.out = a.line
	}
	return a
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
				a.report("the API at "+a.url, "it has not answered yet", limit)
			case <-ticker.C:
				var why *wechat.Error
				if state, _, err := client.State(); state != "" && errors.As(err, &why) {
					who := "the API at " + a.url
					if wechat.OfTokenServer(why) {
						who = "the token server"
					}
					a.report(who, why.Error(), limit)
				}
			}
		}
	}()
	return func() {
		close(done)
		<-watched
	}
}

func (a *asking) report(who, reason string, limit time.Duration) {
	a.once.Do(func() {
		fmt.Fprintf(a.out, "waiting for %s, %s at most: %s\n", who, limit, reason)
	})
}

// wayHint returns what to try if a call to the API at a URL got no answer (nil: none in
// the whole time it was allowed) or an answer of another protocol.
func wayHint(url string, v *wechat.Error) string {
	label := "timeout"
	if v != nil {
		label = wechat.Result(v)
	}
	switch {
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
