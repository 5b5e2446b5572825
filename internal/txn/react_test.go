package txn

import (
	"fmt"
	"testing"

	"github.com/segmentio/kafka-go"
)

// The rows are those of the package comment.
func TestReact(t *testing.T) {
	const sure, unsure = false, true
	for _, c := range []struct {
		row    string
		call   call
		code   kafka.Error
		unsure bool
		want   action
	}{
		{"success", callInit, 0, sure, done},
		{"success", callProduce, 0, sure, done},
		{"success", callCommit, 0, unsure, done},

		{"unanswered", callInit, noAnswer, sure, repeat},
		{"unanswered", callRenew, noAnswer, sure, repeat},
		{"unanswered", callAdd, noAnswer, sure, repeat},
		{"unanswered", callProduce, noAnswer, sure, repeat},
		{"unanswered", callAbort, noAnswer, sure, repeat},
		{"unanswered commit", callCommit, noAnswer, sure, repeat},
		{"unanswered commit", callCommit, noAnswer, unsure, repeat},

		{"concurrent", callInit, kafka.ConcurrentTransactions, sure, repeat},
		{"concurrent", callRenew, kafka.ConcurrentTransactions, sure, repeat},
		{"concurrent", callAdd, kafka.ConcurrentTransactions, sure, repeat},
		{"concurrent", callCommit, kafka.ConcurrentTransactions, sure, repeat},
		{"concurrent", callCommit, kafka.ConcurrentTransactions, unsure, repeat},
		{"concurrent", callAbort, kafka.ConcurrentTransactions, sure, repeat},

		{"coordinator moved", callInit, kafka.NotCoordinatorForGroup, sure, repeat},
		{"coordinator moved", callAdd, kafka.NotCoordinatorForGroup, sure, repeat},
		{"coordinator moved", callCommit, kafka.NotCoordinatorForGroup, unsure, repeat},
		{"coordinator moved", callAbort, kafka.GroupCoordinatorNotAvailable, sure, repeat},
		{"coordinator moved", callRenew, kafka.GroupLoadInProgress, sure, repeat},

		{"not attempted", callAdd, operationNotAttempted, sure, repeat},

		{"no topic", callAdd, kafka.UnknownTopicOrPartition, sure, missing},
		{"no topic", callProduce, kafka.UnknownTopicOrPartition, sure, missing},

		{"leader moved", callProduce, kafka.NotLeaderForPartition, sure, repeat},
		{"leader moved", callProduce, kafka.LeaderNotAvailable, sure, repeat},
		{"leader moved", callProduce, kafka.FencedLeaderEpoch, sure, repeat},
		{"replicas", callProduce, kafka.NotEnoughReplicas, sure, repeat},
		{"replicas", callProduce, kafka.NotEnoughReplicasAfterAppend, sure, repeat},
		{"replicas", callProduce, kafka.RequestTimedOut, sure, repeat},

		{"duplicate", callProduce, kafka.DuplicateSequenceNumber, sure, done},
		{"hole", callProduce, kafka.OutOfOrderSequenceNumber, sure, unexpected},

		{"forgotten", callInit, kafka.InvalidProducerIDMapping, sure, fenced}, // forgotten while the coordinator handled it
		{"forgotten", callRenew, kafka.InvalidProducerIDMapping, sure, fenced},
		{"forgotten", callAdd, kafka.InvalidProducerIDMapping, sure, fenced},
		{"forgotten", callReopen, kafka.InvalidProducerIDMapping, sure, fenced},
		{"forgotten", callProduce, kafka.UnknownProducerId, sure, fenced},
		{"forgotten", callProduce, kafka.InvalidProducerIDMapping, sure, fenced},
		{"forgotten", callCommit, kafka.InvalidProducerIDMapping, sure, fenced},
		{"forgotten", callCommit, kafka.UnknownProducerId, unsure, fenced}, // and in doubt: see TestForgottenCommitIsInDoubt
		{"forgotten", callAbort, kafka.InvalidProducerIDMapping, sure, fenced},
		{"forgotten", callAbort, kafka.UnknownProducerId, sure, fenced},

		{"old epoch, at a leader", callProduce, kafka.InvalidProducerEpoch, sure, abandon},
		{"old epoch, at a leader", callProduce, kafka.ProducerFenced, sure, abandon},
		{"old epoch", callInit, kafka.ProducerFenced, sure, fenced},
		{"old epoch", callRenew, kafka.ProducerFenced, sure, fenced},
		{"old epoch", callAdd, kafka.ProducerFenced, sure, fenced},
		{"old epoch", callAdd, kafka.InvalidProducerEpoch, sure, fenced},
		{"old epoch", callAbort, kafka.ProducerFenced, sure, fenced},
		{"old epoch", callAbort, kafka.InvalidProducerEpoch, sure, fenced},
		{"old epoch", callCommit, kafka.ProducerFenced, sure, fenced},
		{"old epoch", callCommit, kafka.ProducerFenced, unsure, fenced}, // and in doubt: see TestUnansweredCommitThenFencedIsInDoubt

		{"state", callAdd, kafka.InvalidTransactionState, sure, unexpected},
		{"state", callProduce, kafka.InvalidTransactionState, sure, unexpected},
		{"nothing to abort", callAbort, kafka.InvalidTransactionState, sure, done},
		{"nothing to commit", callCommit, kafka.InvalidTransactionState, sure, inDoubt},
		{"nothing to commit", callCommit, kafka.InvalidTransactionState, unsure, inDoubt},

		{"abortable", callAdd, transactionAbortable, sure, abandon},
		{"abortable", callProduce, transactionAbortable, sure, abandon},
		{"abortable", callCommit, transactionAbortable, sure, abandon},
		{"abortable", callCommit, transactionAbortable, unsure, inDoubt},
		{"abortable", callAbort, transactionAbortable, sure, repeat},
		{"abortable", callInit, transactionAbortable, sure, repeat},

		{"not allowed", callInit, kafka.TransactionalIDAuthorizationFailed, sure, stop},
		{"not allowed", callRenew, kafka.TransactionalIDAuthorizationFailed, sure, stop},
		{"not allowed", callAdd, kafka.TransactionalIDAuthorizationFailed, sure, stop},
		{"not allowed", callAdd, kafka.TopicAuthorizationFailed, sure, stop},
		{"not allowed", callProduce, kafka.TopicAuthorizationFailed, sure, stop},
		{"not allowed", callProduce, kafka.ClusterAuthorizationFailed, sure, stop},
		{"not allowed", callCommit, kafka.TransactionalIDAuthorizationFailed, sure, stop},
		{"not allowed", callCommit, kafka.TransactionalIDAuthorizationFailed, unsure, inDoubt},
		{"not allowed", callAbort, kafka.TransactionalIDAuthorizationFailed, sure, stop},

		{"turned away", callInit, kafka.SASLAuthenticationFailed, sure, stop},
		{"turned away before the ID is opened", callInspect, kafka.SASLAuthenticationFailed, sure, stop},
		{"turned away", callAdd, kafka.SASLAuthenticationFailed, sure, repeat},
		{"turned away", callProduce, kafka.SASLAuthenticationFailed, sure, repeat},
		{"turned away", callCommit, kafka.SASLAuthenticationFailed, unsure, repeat},

		{"server error", callInit, kafka.Unknown, sure, repeat},
		{"server error", callRenew, kafka.Unknown, sure, repeat},
		{"server error", callAdd, kafka.Unknown, sure, repeat},
		{"server error", callAbort, kafka.Unknown, sure, repeat},
		{"server error", callProduce, kafka.Unknown, sure, unexpected},
		{"server error", callCommit, kafka.Unknown, sure, inDoubt},

		{"bad timeout", callInit, kafka.InvalidTransactionTimeout, sure, stop},
		{"bad request", callInit, kafka.InvalidRequest, sure, stop},

		{"refused records", callProduce, kafka.MessageSizeTooLarge, sure, stop},
		{"refused records", callProduce, kafka.RecordListTooLarge, sure, stop},
		{"refused records", callProduce, kafka.InvalidRecord, sure, stop},
		{"refused records", callProduce, kafka.PolicyViolation, sure, stop},
		{"corrupt", callProduce, kafka.InvalidMessage, sure, unexpected},

		{"never heard of", callInit, 999, sure, stop},
		{"never heard of", callAdd, 999, sure, unexpected},
		{"never heard of", callProduce, 999, sure, unexpected},
		{"never heard of", callCommit, 999, sure, inDoubt},
		{"never heard of", callCommit, kafka.Unknown, unsure, inDoubt},
		{"never heard of", callAbort, 999, sure, stop},
	} {
		if got := react(c.call, c.code, c.unsure); got != c.want {
			t.Errorf("%s: %v answered %q (unsure %v): action %d, want %d", c.row, c.call, reason(c.code), c.unsure, got, c.want)
		}
	}
}

// For codes that Kafka may add: only success counts as success, and a commit whose
// outcome is unknown never counts as refused.
func TestReactToEveryCode(t *testing.T) {
	for code := kafka.Error(-1); code < 200; code++ {
		for c := callInit; c <= callAbort; c++ {
			got := react(c, code, false)
			if got == done && code != 0 && c != callAbort && code != kafka.DuplicateSequenceNumber {
				t.Errorf("%v answered %q counts as done", c, reason(code))
			}
			if got == inDoubt && c != callCommit {
				t.Errorf("%v answered %q is in doubt, and nothing was committed", c, reason(code))
			}
		}
		switch got := react(callCommit, code, true); got {
		case done:
			if code != 0 {
				t.Errorf("unsure commit answered %q counts as done", reason(code))
			}
		case repeat, fenced, inDoubt: // fenced becomes ErrInDoubt as well
		default:
			t.Errorf("unsure commit answered %q: action %d", reason(code), got)
		}
	}
}

func TestErrorText(t *testing.T) {
	for _, c := range []struct {
		err  *Error
		want string
	}{
		{&Error{Request: "Produce", Topic: "orders", Partition: 3, Code: kafka.OffsetOutOfRange, Err: ErrBeyondEnd},
			"Produce to orders/3: Offset Out Of Range: the offset is beyond the end of the partition"},
		{&Error{Request: "EndTxn", Code: transactionAbortable}, "EndTxn: Transaction Abortable"},
		{&Error{Request: "EndTxn", Code: 999}, "EndTxn: error 999"},
		{&Error{Request: "EndTxn", Err: fmt.Errorf("refused"), Retriable: true}, "EndTxn: no answer: refused"},
	} {
		if got := c.err.Error(); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}
