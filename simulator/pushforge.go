package simulator

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// forgeries are the ways in which a forged push is wrong. Those from app_id on need the
// account's secrets: they stand for mix-ups and recorded pushes.
var forgeries = [...]string{
	"signature", "tampered", "plaintext", "malformed", "oversized", "unknown",
	"key", "app_id", "stale", "ahead",
}

// forge sends a push that the receiver must refuse.
func (p *Pusher) forge(ctx context.Context, e pushEvent) {
	faults := p.server.Faults()
	now, draw := p.server.now(&faults), mix(e.draw, mixString("forged"))
	e.Forged = forgeries[below(draw, int64(len(forgeries)))]
	e.Try = 1
	key := p.keyNow(e.key)
	at, appID, body := now, key.appID, e.body
	signer := key
	switch e.Forged {
	case "signature":
		signer.token = "guessed"
	case "key":
		key.aes[0] ^= 1
	case "app_id":
		appID = "wx" + strings.Repeat("0", 16)
	case "stale":
		at = now.Add(-4*time.Hour - 10*time.Minute)
	case "ahead":
		at = now.Add(10 * time.Minute)
	case "oversized":
		body += strings.Repeat(" ", 64<<10)
	}
	sealed := key.encrypt(appID, body, draw)
	l := pushRequest{url: e.url, query: signer.sign(at, draw, sealed), body: e.envelope(sealed)}
	switch e.Forged {
	case "tampered":
		i := int(below(mix(draw, 1), int64(len(sealed)-4))) // outside base64's padding
		other := "A"
		if sealed[i] == 'A' {
			other = "B"
		}
		l.body = e.envelope(sealed[:i] + other + sealed[i+1:])
	case "plaintext":
		l.body = e.body
		l.query = key.sign(at, draw, "")
	case "malformed":
		l.body = l.body[:len(l.body)*3/4]
	case "unknown":
		l.url = strings.Replace(e.url, key.appID, fmt.Sprintf("wx%016x", draw), 1)
		if l.url == e.url { // the address does not name the account
			l.query.Set("msg_signature", "")
		}
	}
	p.send(ctx, e, l)
}
