package txn

import "github.com/segmentio/kafka-go"

// call is a request of the protocol, with what it is sent for.
type call int

const (
	callInit     call = iota // InitProducerID(−1, −1): fence every older holder
	callRenew                // InitProducerID(ours): raise our own epoch
	callAdd                  // AddPartitionsToTxn
	callProduce              // Produce
	callCommit               // EndTxn(commit)
	callAbort                // EndTxn of what may be open, and holds nothing that counts
	callDescribe             // DescribeProducers: what is left open of ours
	callReopen               // AddPartitionsToTxn, to end that
)

func (c call) String() string {
	return [...]string{"InitProducerID", "InitProducerID", "AddPartitionsToTxn", "Produce", "EndTxn", "EndTxn", "DescribeProducers", "AddPartitionsToTxn"}[c]
}

// action is what to do about an answer, the less pleasant the later.
type action int

const (
	done    action = iota // the request has done its work
	again                 // the same request, the same bytes, after a pause
	missing               // again, but not for long: the topic is not there
	abandon               // this attempt is lost: abort it, raise the epoch, try again
	suspect               // abandon, but not for long: it should not happen
	fenced                // the transactional ID is not ours any more
	doubt                 // nobody knows what became of the commit
	stop                  // refused: somebody has to act
)

// react decides what an answer means. It is the whole of section "Reactions" in
// the package comment, and a pure function. unsure says that this commit was
// sent before and that its outcome was not learnt then.
func react(c call, code kafka.Error, unsure bool) action {
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
		return again
	case kafka.SASLAuthenticationFailed, kafka.UnsupportedSASLMechanism, kafka.IllegalSASLState:
		if c == callInit {
			return stop
		}
		return again // it worked before; Open says so if it never does again
	}
	if forgotten(code) && c != callDescribe {
		return fenced
	}
	if code == kafka.Unknown && c != callCommit {
		return again // "the server experienced an unexpected error": mostly a broker in trouble
	}
	switch c {
	case callAdd, callReopen:
		return reactToAdd(code)
	case callDescribe:
		return reactToRead(code)
	case callCommit:
		return reactToCommit(code, unsure)
	case callAbort:
		return reactToAbort(code)
	}
	switch code { // callInit, callRenew
	case kafka.ProducerFenced, kafka.InvalidProducerEpoch:
		return fenced
	case transactionAbortable:
		return again
	}
	return stop
}

// forgotten reports whether Kafka does not know the producer ID, or not as that
// of our transactional ID. Others may have held the ID since, so this says no less
// than a newer epoch does.
func forgotten(code kafka.Error) bool {
	return code == kafka.InvalidProducerIDMapping || code == kafka.UnknownProducerId
}

func reactToAdd(code kafka.Error) action {
	switch code {
	case kafka.UnknownTopicOrPartition, kafka.LeaderNotAvailable, kafka.NotLeaderForPartition:
		return missing
	case operationNotAttempted: // the code that counts is another partition's
		return again
	case kafka.ProducerFenced, kafka.InvalidProducerEpoch:
		return fenced
	case transactionAbortable:
		return abandon
	case kafka.TopicAuthorizationFailed, kafka.TransactionalIDAuthorizationFailed,
		kafka.ClusterAuthorizationFailed, kafka.InvalidTopic:
		return stop
	}
	return suspect
}

func reactToProduce(code kafka.Error) action {
	switch code {
	case kafka.DuplicateSequenceNumber: // the batch is in the log already
		return done
	case noAnswer,
		kafka.NotLeaderForPartition, kafka.LeaderNotAvailable, kafka.ReplicaNotAvailable, kafka.BrokerNotAvailable,
		kafka.FencedLeaderEpoch, kafka.UnknownLeaderEpoch,
		kafka.RequestTimedOut, kafka.NetworkException, kafka.KafkaStorageError,
		// Also "the transaction could not be verified just now".
		kafka.NotEnoughReplicas, kafka.NotEnoughReplicasAfterAppend,
		kafka.ConcurrentTransactions,
		kafka.GroupLoadInProgress, kafka.GroupCoordinatorNotAvailable, kafka.NotCoordinatorForGroup,
		kafka.ThrottlingQuotaExceeded,
		kafka.SASLAuthenticationFailed, kafka.UnsupportedSASLMechanism, kafka.IllegalSASLState:
		return again
	case kafka.UnknownTopicOrPartition:
		return missing
	case kafka.InvalidProducerEpoch, kafka.ProducerFenced:
		// Another owner, or the broker's timer: the answer to EndTxn(abort) tells.
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
	return suspect // OutOfOrderSequenceNumber, InvalidTransactionState, InvalidMessage (the CRC), …
}

// reactToCommit: once a commit may have reached the coordinator and not been
// answered for good, a refusal of its repetition says nothing about it.
func reactToCommit(code kafka.Error, unsure bool) action {
	switch code {
	case kafka.ProducerFenced, kafka.InvalidProducerEpoch:
		return fenced // and in doubt, if unsure
	case transactionAbortable:
		if !unsure {
			return abandon
		}
	case kafka.TransactionalIDAuthorizationFailed, kafka.ClusterAuthorizationFailed:
		if !unsure {
			return stop
		}
	}
	return doubt
}

func reactToAbort(code kafka.Error) action {
	switch code {
	case kafka.InvalidTransactionState: // nothing was open
		return done
	case kafka.ProducerFenced, kafka.InvalidProducerEpoch:
		return fenced
	case transactionAbortable:
		return again
	}
	return stop
}

// asksAnew says whether the coordinator's place should be looked up again.
func asksAnew(code kafka.Error) bool {
	switch code {
	case noAnswer, kafka.NotCoordinatorForGroup, kafka.GroupCoordinatorNotAvailable,
		kafka.BrokerNotAvailable, kafka.NetworkException, kafka.TransactionCoordinatorFenced:
		return true
	}
	return false
}

// movedLeader says whether the leaders should be looked up again. Refusals that
// stand for an unverified transaction or a replica that is behind are not about
// the leader.
func movedLeader(code kafka.Error) bool {
	switch code {
	case kafka.NotEnoughReplicas, kafka.NotEnoughReplicasAfterAppend, kafka.ConcurrentTransactions,
		kafka.ThrottlingQuotaExceeded:
		return false
	}
	return true
}
