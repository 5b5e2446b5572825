package wechat

import (
	"context"
	"time"
)

// lookEvery is how often Await looks at a secret or token that is given.
const lookEvery = 2 * time.Second

// Await returns after d, or as soon as the secret or token that the client was
// given has changed: a file that was written anew, or a symbolic link that
// points to another one. It is for the time between an error of class Wait and
// the next try. Its error is ctx's.
func (c *Client) Await(ctx context.Context, d time.Duration) error {
	if c.given == nil {
		return sleep(ctx, d)
	}
	before, _ := c.given()
	for end := time.Now().Add(d); ; {
		left := time.Until(end)
		if left <= 0 {
			return ctx.Err()
		}
		if err := sleep(ctx, min(left, lookEvery)); err != nil {
			return err
		}
		// What cannot be read counts as nothing: it changes when it can.
		if now, _ := c.given(); now != before {
			return nil
		}
	}
}
