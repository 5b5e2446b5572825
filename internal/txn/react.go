package txn

import "github.com/segmentio/kafka-go"

// call is a request of the protocol, with its purpose.
type call int

const (
	callInspect  call = iota // DescribeTransactions: how the last one of an older holder ended
	callInit                 // InitProducerID(−1, −1): fence every older holder
	callRenew                // InitProducerID(ours): raise our own epoch
	callAdd                  // AddPartitionsToTxn
	callProduce              // Produce
	callCommit               // EndTxn(commit)
	callAbort                // EndTxn of what may be open and has no records that count
	callDescribe             // DescribeProducers: find our dangling transactions
	callReopen               // AddPartitionsToTxn, to end one of those
)

func (c call) String() string {
	return [...]string{"DescribeTransactions", "InitProducerID", "InitProducerID", "AddPartitionsToTxn", "Produce", "EndTxn", "EndTxn", "DescribeProducers", "AddPartitionsToTxn"}[c]
}

// action is how to react to an answer; a later one outweighs an earlier one.
type action int

const (
	done       action = iota // the request succeeded
	repeat                   // repeat the request with the same bytes, after a pause
	missing                  // as repeat, for missingPatience at most: the topic is unknown
	abandon                  // abort this attempt, raise the epoch, make another attempt
	unexpected               // as abandon, a few times at most: the answer is unexpected
	fenced                   // the transactional ID is not ours any more
	inDoubt                  // the outcome of the commit is unknown
	stop                     // refused; an operator has to act
)

// react decides how to react to an answer, as a pure function. It implements section
// "Reactions" of the package comment. unsure reports that this commit was sent before
// with an unknown outcome.
func react(c call, code kafka.Error, unknown bool) action {
	if code == 0 {
		return done
	}
	if c == callProduce {
		return reactToProduce(code)
	}
	switch code {
	case noAnswer,
		kafka.ConcurrentTransactions,
		kafka.GroupLoadInProgress, kafka.GroupCoordinatorNotAvailable, kafka.NotCoordinatorForGroup,
		kafka.TransactionCoordinatorFenced,
		kafka.RequestTimedOut, kafka.NetworkException, kafka.BrokerNotAvailable,
		kafka.NotEnoughReplicas, kafka.NotEnoughReplicasAfterAppend, kafka.KafkaStorageError,
		kafka.ThrottlingQuotaExceeded:
		return repeat
	case kafka.SASLAuthenticationFailed, kafka.UnsupportedSASLMechanism, kafka.IllegalSASLState:
		if c == callInit || c == callInspect {
			return stop
		}
		return repeat // it worked before; if it never does again, Open returns it
	}
	if forgotten(code) && c != callDescribe {
		return fenced
	}
	if code == kafka.Unknown && c != callCommit {
		return repeat // "the server experienced an unexpected error": usually a broker in trouble
	}
	switch c {
	case callAdd, callReopen:
		return reactToAdd(code)
	case callDescribe:
		return reactToRead(code)
	case callCommit:
		return reactToCommit(code, unknown)
	case callAbort:
		return reactToAbort(code)
	}
	switch code { // callInspect, callInit, callRenew
	case kafka.ProducerFenced, kafka.InvalidProducerEpoch:
		return fenced
	case transactionAbortable:
		return repeat
	}
	return stop
}

// forgotten reports whether Kafka does not know the producer ID, or not as that of
// our transactional ID. Another owner may have held the ID since, so this counts like a
// newer epoch.
func forgotten(code kafka.Error) bool {
	return code == kafka.InvalidProducerIDMapping || code == kafka.UnknownProducerId
}

func reactToAdd(code kafka.Error) action {
	switch code {
	case kafka.UnknownTopicOrPartition, kafka.LeaderNotAvailable, kafka.NotLeaderForPartition:
		return missing
	case operationNotAttempted: // another partition's code matters
		return repeat
	case kafka.ProducerFenced, kafka.InvalidProducerEpoch:
		return fenced
	case transactionAbortable:
		return abandon
	case kafka.TopicAuthorizationFailed, kafka.TransactionalIDAuthorizationFailed,
		kafka.ClusterAuthorizationFailed, kafka.InvalidTopic:
		return stop
	}
	return unexpected
}

func reactToProduce(code kafka.Error) action {
	switch code {
	case kafka.DuplicateSequenceNumber: // the batch is in the log already
		return done
	case noAnswer,
		kafka.NotLeaderForPartition, kafka.LeaderNotAvailable, kafka.ReplicaNotAvailable, kafka.BrokerNotAvailable,
		kafka.FencedLeaderEpoch, kafka.UnknownLeaderEpoch,
		kafka.RequestTimedOut, kafka.NetworkException, kafka.KafkaStorageError,
		// Also "the transaction could not be verified yet".
		kafka.NotEnoughReplicas, kafka.NotEnoughReplicasAfterAppend,
		kafka.ConcurrentTransactions,
		kafka.GroupLoadInProgress, kafka.GroupCoordinatorNotAvailable, kafka.NotCoordinatorForGroup,
		kafka.ThrottlingQuotaExceeded,
		kafka.SASLAuthenticationFailed, kafka.UnsupportedSASLMechanism, kafka.IllegalSASLState:
		return repeat
	case kafka.UnknownTopicOrPartition:
		return missing
	case kafka.InvalidProducerEpoch, kafka.ProducerFenced:
		// Another owner, or the broker's timeout: the answer to EndTxn(abort) shows which.
		return abandon
	case kafka.UnknownProducerId, kafka.InvalidProducerIDMapping:
		return fenced
	case transactionAbortable:
		return abandon
	case kafka.TopicAuthorizationFailed, kafka.TransactionalIDAuthorizationFailed, kafka.ClusterAuthorizationFailed,
		kafka.MessageSizeTooLarge, kafka.RecordListTooLarge, kafka.InvalidRecord, kafka.InvalidTimestamp,
		kafka.PolicyViolation, kafka.UnsupportedForMessageFormat, kafka.UnsupportedCompressionType,
		kafka.InvalidTopic, kafka.InvalidRequest, kafka.InvalidRequiredAcks, kafka.UnsupportedVersion:
		return stop
	}
	return unexpected // OutOfOrderSequenceNumber, InvalidTransactionState, InvalidMessage (the CRC), …
}

// reactToCommit reacts to the answer to EndTxn(commit). Once a commit may have reached
// the coordinator unanswered, a refusal of its repetition says nothing about it.
func reactToCommit(code kafka.Error, unknown bool) action {
	switch code {
	case kafka.ProducerFenced, kafka.InvalidProducerEpoch:
		return fenced // also in doubt, if unsure
	case transactionAbortable:
		if !unknown {
			return abandon
		}
	case kafka.TransactionalIDAuthorizationFailed, kafka.ClusterAuthorizationFailed:
		if !unknown {
			return stop
		}
	}
	return inDoubt
}

func reactToAbort(code kafka.Error) action {
	switch code {
	case kafka.InvalidTransactionState: // nothing was open
		return done
	case kafka.ProducerFenced, kafka.InvalidProducerEpoch:
		return fenced
	case transactionAbortable:
		return repeat
	}
	return stop
}

// movedCoordinator reports whether the coordinator has to be looked up again.
func movedCoordinator(code kafka.Error) bool {
	switch code {
	case noAnswer, kafka.NotCoordinatorForGroup, kafka.GroupCoordinatorNotAvailable,
		kafka.BrokerNotAvailable, kafka.NetworkException, kafka.TransactionCoordinatorFenced:
		return true
	}
	return false
}

// movedLeader reports whether the leaders have to be looked up again. Codes for an
// unverified transaction or for a replica that is behind do not concern the leader.
func movedLeader(code kafka.Error) bool {
	switch code {
	case kafka.NotEnoughReplicas, kafka.NotEnoughReplicasAfterAppend, kafka.ConcurrentTransactions,
		kafka.ThrottlingQuotaExceeded:
		return false
	}
	return true
}
