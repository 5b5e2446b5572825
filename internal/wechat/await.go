package wechat

import (
	"context"
	"crypto/sha256"
	"time"

	"orderwalk/internal/backoff"
)

// lookEvery is how often Await looks at a secret or token that is given.
const lookEvery = 2 * time.Second

// Given tells one secret or token that was given from another.
type Given [sha256.Size]byte

// Given is that of the secret or token as it is now. What cannot be read counts
// as nothing: it changes when it can.
func (c *Client) Given() Given {
	if c.given == nil {
		return Given{}
	}
	text, _ := c.given()
	return sha256.Sum256([]byte(text))
}

// Await returns after d, or as soon as the secret or token that the client was
// given is another than it was: a file that was written anew, or a symbolic link
// that points to another one. It is for the time between an error of class Wait
// and the next try; was is what was given ahead of the try that failed, so that
// no change is missed. It reports whether there was one. Its error is ctx's.
func (c *Client) Await(ctx context.Context, d time.Duration, was Given) (changed bool, err error) {
	if c.given == nil {
		return false, backoff.Sleep(ctx, d)
	}
	for end := time.Now().Add(d); ; {
		left := time.Until(end)
		if left <= 0 {
			return false, ctx.Err()
		}
		if err := backoff.Sleep(ctx, min(left, lookEvery)); err != nil {
			return false, err
		}
		if c.Given() != was {
			return true, nil
		}
	}
}
