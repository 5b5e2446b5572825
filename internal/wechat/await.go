package wechat

import (
	"context"
	"crypto/sha256"
	"time"

	"orderwalk/internal/backoff"
)

// pollEvery is how often Await reads the secret or token.
const pollEvery = 2 * time.Second

// Given is a fingerprint of the configured secret or token, to detect a change.
type Given [sha256.Size]byte

// Given returns the fingerprint of the secret or token as it is now. One that cannot
// be read counts as empty, so it counts as changed once it can be read.
func (c *Client) Given() Given {
	if c.given == nil {
		return Given{}
	}
	text, _ := c.given()
	return sha256.Sum256([]byte(text))
}

// Await returns after d, or as soon as the configured secret or token differs from
// was: its file was rewritten, or a symbolic link points to another file. Callers use
// it between an error of class Wait and the next attempt. They take was before the
// attempt that failed, so that no change is missed. Await reports whether the value
// changed; its error is ctx's.
func (c *Client) Await(ctx context.Context, d time.Duration, was Given) (changed bool, err error) {
	if c.given == nil {
		return false, backoff.Sleep(ctx, d)
	}
	for end := time.Now().Add(d); ; {
		left := time.Until(end)
		if left <= 0 {
			return false, ctx.Err()
		}
		if err := backoff.Sleep(ctx, min(left, pollEvery)); err != nil {
			return false, err
		}
		if c.Given() != was {
			return true, nil
		}
	}
}
