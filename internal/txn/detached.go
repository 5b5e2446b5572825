package txn

import "context"

// Detached makes a commit for a caller who may go away or has only until a deadline. The end
// of ctx does not interrupt the commit, whose outcome would be unknown then. At ctx's
// deadline Detached returns without it, and the outcome is unknown: the commit ends later,
// or is fenced by the next Open of its transactional ID.
func Detached(ctx context.Context, commit func(context.Context) error) error {
	waiting := context.WithoutCancel(ctx)
	if deadline, bounded := ctx.Deadline(); bounded {
		var cancel context.CancelFunc
		waiting, cancel = context.WithDeadline(waiting, deadline)
		defer cancel()
	}
	ended := make(chan error, 1)
	go func() { ended <- commit(context.WithoutCancel(ctx)) }()
	select {
	case err := <-ended:
		return err
	case <-waiting.Done():
		return waiting.Err()
	}
}
