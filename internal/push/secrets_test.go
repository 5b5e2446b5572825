package push

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// No log line and no answer contains a secret or what opens one: tokens, keys,
// tickets, codes, signed texts and signatures.
func TestNoSecretIsSaid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		var said strings.Builder
		var secrets []string
		send := func(s sheet) {
			query, body := s.query(t), s.body(t)
			w := d.ask("POST", s.path+"?"+query.Encode(), body)
			fmt.Fprintln(&said, w.Body, w.Header())
			w = d.ask("GET", s.path+"?"+query.Encode()+"&echostr="+query.Get("nonce"), "")
			fmt.Fprintln(&said, w.Body, w.Header())
			secrets = append(secrets, query.Get("signature"), query.Get("msg_signature"), query.Get("timestamp"), query.Get("nonce"), s.seal(t)[:40])
			time.Sleep(time.Minute) // so that each warning is logged
		}
		ticket := fmt.Sprintf("<xml><AppId>%s</AppId><CreateTime>%d</CreateTime><InfoType>component_verify_ticket</InfoType>"+
			"<ComponentVerifyTicket>ticket@@@hush</ComponentVerifyTicket></xml>", componentID, time.Now().Unix())
		code := strings.NewReplacer("component_verify_ticket", "authorized", "<ComponentVerifyTicket>ticket@@@hush</ComponentVerifyTicket>",
			"<AuthorizerAppid>"+authorized+"</AuthorizerAppid><AuthorizationCode>code@@@hush</AuthorizationCode>").Replace(ticket)
		sheets := []sheet{componentPush(ticket), componentPush(code), shopPush(orderJSON("1", time.Now()))}
		for _, hand := range []func(context.Context) error{
			func(context.Context) error { return errors.New("kafka is away") },
			func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() },
			nil,
		} {
			d.handing(hand)
			for _, s := range sheets {
				send(s)
				s.message = "<" + s.message
				send(s)
				s.appID = "wx1"
				send(s)
				s.aes = newAES
				send(s)
				s.token = "guessed-token"
				send(s)
			}
		}
		for _, s := range sheets {
			s.at = s.at.Add(-5 * time.Hour)
			send(s)
		}
		if got := len(d.took()); got != 3 {
			t.Errorf("%d events", got)
		}
		log := d.log.String()
		for _, what := range []string{"cannot store a push", "cannot decode it", "another app ID", "does not decrypt", "check this machine's clock"} {
			if !strings.Contains(log, what) {
				t.Errorf("the log does not say that a push %s", what)
			}
		}
		secrets = append(secrets, "hush", shopToken, shopAES, newToken, newAES, componentToken, componentAES, "guessed-token", "oABC", "gh_1")
		for _, secret := range secrets {
			if strings.Contains(log, secret) || strings.Contains(said.String(), secret) {
				t.Errorf("%q is said:\n%s%s", secret, log, said.String())
			}
		}
	})
}
