// Package txn implements Kafka's transaction protocol on kafka-go, both halves: a
// [Writer] that commits each transaction exactly once, and a [Reader] that delivers
// committed records only.
//
// A transaction is a set of records for partitions; orders, checkpoints and lanes are
// unknown here. kafka-go's own Writer has no producer ID, and its Reader delivers
// aborted records and control records as data. Users: the connector, which holds one
// Writer for each lane, and the command line (tail, verify, offsets).
//
// # Protocol
//
//	Open     DescribeTransactions ──── shows how an older owner's last one ends
//	         InitProducerID(−1, −1) ── fences older owners: epoch + 1; their open
//	                                   transaction is aborted, a prepared one is finished
//	Commit   AddPartitionsToTxn ────── opens the transaction over its partitions
//	         Produce ───────────────── one request to each leader with all its partitions;
//	                                   more rounds if a partition has more batches
//	         EndTxn(commit) ────────── decides; the coordinator then writes the markers
//	renew    EndTxn(abort) ─────────── closes what may be open; proves we hold the ID
//	         InitProducerID(ours) ──── epoch + 1, sequences from 0
//	resume   DescribeProducers ─────── finds a confirmed commit beneath the failed attempt
//	         Produce, EndTxn(commit) ─ go on with that attempt instead of aborting it
//	finish   DescribeProducers ─────── finds our dangling transactions; usually none
//	         AddPartitionsToTxn, EndTxn, for each that was found
//
// kafka-go sends versions of these requests that brokers, Kafka 4 included, treat as
// the first transaction protocol (before KIP-890): the client adds partitions
// explicitly, and the broker does not raise the epoch at each commit.
//
// # What is authoritative
//
// The transaction coordinator decides, and the topics show its decision; the Writer
// knows its producer ID, epoch and sequences only. Records and the checkpoint that
// covers them are in one transaction, so a caller that has lost its Writer opens
// another one and reads the checkpoint, in this order: when Open returns, no earlier
// transaction can change any more, and a ReadToEnd that begins then ends at a high
// watermark behind everything they wrote (if the true leader answers: see "Leaders that are
// none").
//
// # Why each record is published once
//
// Commit returns nil only after the coordinator has answered EndTxn(commit) with
// success under our epoch. The leaders have acknowledged all batches before that under
// the same epoch, so all of them are in that transaction. Three things could still
// publish a record twice or in part, and each is prevented:
//
//  1. A batch is sent twice. Within an attempt the bytes are the same, thus the epoch
//     and the sequence too, and the leader recognises the duplicate.
//  2. An attempt is repeated. The Writer repeats it only after the earlier one was
//     certainly aborted: EndTxn(abort) or InitProducerID(ours) was answered, and no
//     commit with an unknown outcome had been sent. The new attempt has a new epoch,
//     and brokers reject requests of the old one.
//  3. A request that was given up arrives late. It carries its epoch. After an
//     unanswered request the next transaction begins with a renewal, so that epoch is
//     old by then. Without the renewal, a late EndTxn(commit) would commit the next
//     transaction half-filled, as seen on real Kafka.
//
// Another owner may take over at any time. From then on our epoch is old and none of
// our requests has an effect. Only Open sends InitProducerID(−1, −1), Commit never
// does, so a Writer that has lost its ID cannot take it back; its caller decides
// whether to open again, after checking that it is still the owner. The Writer sends
// EndTxn(abort) before each InitProducerID(ours), because brokers may abort a newer
// owner's transaction over a stale InitProducerID before they reject it; a Writer that
// has lost its ID fails at EndTxn(abort) already.
//
// A coordinator forgets an ID that is unused for transactional.id.expiration.ms, 7 days
// by default, and with it the epochs that distinguish an older owner from a newer one:
// another owner may have held the ID meanwhile, committed and gone. From then on brokers
// reject requests under the old producer ID (INVALID_PRODUCER_ID_MAPPING), except
// InitProducerID(ours), which they answer, to any owner, with a new producer ID. So the
// Writer counts as fenced both when its producer ID is unknown and when
// InitProducerID(ours) returns another one. A coordinator does not forget an ID with an
// open transaction, so this error to a first EndTxn(commit) means that the transaction
// was aborted before.
//
// # Reactions
//
// [react] decides, as a pure function; the loops in commit.go follow it.
//
//	answer                                  to              reaction
//	none                                    any             repeat the request; the next transaction gets a
//	                                                        new epoch
//	none                                    EndTxn(commit)  repeat the same EndTxn(commit) and send nothing
//	                                                        else until it is answered
//	CONCURRENT_TRANSACTIONS                 coordinator     repeat, after 1 ms growing to 1 s: the coordinator
//	                                                        is writing the markers of the last transaction
//	NOT_COORDINATOR, COORDINATOR_*          coordinator     find the coordinator and repeat; its state is in
//	                                                        its log
//	NOT_LEADER_*, REQUEST_TIMED_OUT, …      Produce         find the leaders and send the same bytes again
//	NOT_ENOUGH_REPLICAS(_AFTER_APPEND)      Produce         send the same bytes again; also means that the
//	                                                        leader could not verify the transaction yet
//	OPERATION_NOT_ATTEMPTED                 AddPartitions   use the code of another partition
//	DUPLICATE_SEQUENCE_NUMBER               Produce         done: the batch is in the log
//	UNKNOWN_TOPIC_OR_PARTITION              both            repeat for 10 s, then stop
//	INVALID_PRODUCER_EPOCH, PRODUCER_FENCED Produce         renew: the answer to EndTxn(abort) shows whether
//	                                                        another owner caused it
//	INVALID_PRODUCER_EPOCH, PRODUCER_FENCED coordinator     ErrFenced; also ErrInDoubt if a commit with an
//	                                                        unknown outcome was sent before
//	UNKNOWN_PRODUCER_ID, INVALID_PRODUCER_  any             ErrFenced: Kafka has forgotten the ID, and another
//	ID_MAPPING; another producer ID         InitProducerID  owner may have held it since; also ErrInDoubt if a
//	                                                        commit with an unknown outcome was sent before
//	TRANSACTION_ABORTABLE                   Produce,        renew
//	                                        AddPartitions
//	UNKNOWN_SERVER_ERROR                    coordinator     repeat, except EndTxn(commit)
//	OUT_OF_ORDER_SEQUENCE_NUMBER, INVALID_  Produce,        renew, for 10 s and at least five times, then
//	TXN_STATE, CORRUPT_MESSAGE, unknown     AddPartitions   stop: a broker in trouble may answer so for a while
//	INVALID_TXN_STATE                       EndTxn(abort)   done: nothing was open, and the epoch is still ours
//	INVALID_TXN_STATE, unknown codes        EndTxn(commit)  ErrInDoubt
//	*_AUTHORIZATION_FAILED, MESSAGE_TOO_    any             abort and stop with an *Error and its hint, or with
//	LARGE, INVALID_TRANSACTION_TIMEOUT, …                   ErrInDoubt if the outcome of a commit is unknown
//
// AddPartitions and Produce have half of the transaction timeout. If they are not
// finished by then, the Writer sends nothing more, aborts the attempt and makes another
// one, unless it has to resume it ("Where Kafka falls short"). It waits for the outcome
// of a commit or of a renewal until the timeout and 15 s more have passed, since brokers
// end overdue transactions every 10 s; then Commit returns ErrInDoubt, or a Retriable
// *Error. ctx ends every wait.
//
// Consecutive attempts that fail over the same topic share one time limit (failingtopic.go):
// an unknown topic stops the Writer after 10 s even if one attempt has less time, and a
// topic without a leader or without enough replicas stops it after TopicPatience, with a
// Retriable *Error that names the topic.
//
// # Reading
//
// A topic bounds the compressed size of a batch, not its uncompressed size, and other
// programs may write to it. So a Reader decompresses records one by one
// ([Reader.Wanted] sees the key before the value is read) and trusts no length that is
// written in the data (unpack.go has the bounds). A record beyond the bounds is skipped
// and reported; it is not an error, because a read that fails would fail again for each
// next owner. The caller decides what a skipped key means: a lane fails that shop.
//
// Kafka's consumers do not read past an open transaction of any producer. Lanes and the
// group's log share partitions, and a worker opens a lane only when it has read the log:
// a dangling transaction of the lane would keep it from ever finishing that. So
// [Reader.Ahead] reads on behind such a transaction and decides each record by the marker
// of its own (ahead.go).
//
// # Where Kafka falls short
//
// Commits without markers. A coordinator that has logged a commit lets the leaders
// write its markers. Kafka 4 skips a partition that has no leader at that moment, as if
// the partition had been deleted, and completes the transaction (KAFKA-20734). This can
// happen to every commit that is under way when a lone broker stops, and to every commit
// to a topic with one replica. The records then stay open for good: no consumer reads
// past them, our next owner included, and no timeout ends them. The next marker of the
// same producer ID in that partition ends them, together with the records of its own
// transaction, all committed or all aborted. So the Writer looks for such dangling
// transactions (DescribeProducers) when it opens and, after any trouble, before it sends
// another record (dangling.go). It ends them by a transaction without records:
//
//   - Its own, and those of earlier Writers of the process ([CommitLog]), as they were
//     meant: with a commit if the open part ends with the very record that the last
//     commit put there, else with an abort. A transaction that had only been begun
//     before the trouble, and has no records, is closed the way its predecessor was.
//   - An older owner's, of which it knows nothing: with an abort if the anchor, which
//     holds the checkpoints, is among the open partitions, else with a commit. If none
//     of the transaction's partitions had a leader, no consumer has seen any of it, so
//     an abort loses nothing. If some had one, their part is committed: with one replica
//     for each partition, losing a broker and an owner together can still repeat orders.
//
// The next transaction may begin before any trouble shows, on top of the dangling one. An
// abort would then end both, and records that Commit has reported as committed would be
// gone. Three parties can send that abort:
//
//   - The Writer itself, to make another attempt. So after trouble it first asks the
//     leaders where the open part begins ([Writer.mustResume]). If that is before the end
//     of its last commit, it does not abort but resumes: the same bytes under the same
//     epoch, which leaders recognise as duplicates, and EndTxn(commit), which ends both
//     as they were meant. The look cannot come too early: a coordinator refuses the next
//     AddPartitionsToTxn until the markers before it are written or skipped. An attempt
//     that has no record in any log needs no look: it is closed with a commit.
//   - The coordinator, when the transaction is overdue. Our epoch is old then, so the next
//     request is refused and Commit returns ErrFenced.
//   - The next owner, or the Writer when it gives up. Commit has not returned nil, or its
//     process is gone.
//
// In the last two cases the caller reads the checkpoint again. The abort has ended what
// was open in the anchor, so if that was the checkpoint of the dangling commit, orders and
// checkpoint are gone alike, but for partitions that the later transaction did not touch.
// Those are open still, and the anchor is not; the owner that opens aborts them if the
// last transaction of its predecessor was aborted (DescribeTransactions, before it is
// overwritten) and their leader is the anchor's, so that they lost their markers with it.
//
// This needs the right to read the topics; a partition that the Writer may not describe
// waits for the next commit there. Brokers before Kafka 2.8 do not have the request. No
// client can end what is open under a producer ID that Kafka has forgotten;
// kafka-transactions.sh can.
//
// Half commits. A coordinator acts on its own log, before followers have copied it.
// Suppose that it is killed with a prepared commit that no follower has copied, and is
// back before the other brokers have noticed: it still takes itself for the coordinator,
// finds that commit and lets the leaders of other partitions write its marker. The
// coordinator that replaces it knows nothing of that. If the Writer's repeated
// EndTxn(commit) reaches the new one, all is well; if the transaction times out first, or
// another owner opens, the rest is aborted: half of a transaction is committed. This was
// seen on Kafka 4.3.1, with brokers and owners killed together and a transaction timeout
// of 5 s. No client can detect or repair it. A transaction timeout well above the time
// of a failover, as the default is, makes it rare.
//
// Leaders that are none. A broker that is cut off from the others, or has been frozen, takes
// itself for the leader until it hears of the next one, and answers ListOffsets and Fetch
// with what it has. A checkpoint read there may be an old one, and orders would be
// published again. A Produce is different: the replicas have to have it. So before the first
// commit the Writer reads what lies between the end of that reading ([Writer.Relies]) and
// its own first record; nearly always that is nothing, which costs no request. If it holds
// another checkpoint, the attempt is aborted and Commit returns ErrOutdated.
//
// # kafka-go
//
// Six properties of its Transport shape this package:
//
//   - It answers metadata requests from a cache; Refresh of internal/kafkawire renews it. If the
//     answer to the Transport's own metadata request is lost, the cache stays as it is
//     for MetadataTTL: keep that at a few seconds outside of tests.
//   - It looks up the coordinator before each transactional request and ignores a failed
//     lookup. So requests are routed here instead (internal/kafkawire).
//   - It closes a connection whose answer is overdue, so a late answer is never taken for
//     that of another request. But a request outlives its cancelled context until its
//     deadline, so every request has a deadline, and buffers that such a request may
//     still read are not used again.
//   - It copies a request before it sends the first byte. The records of a Produce
//     request are megabytes, so they are written here, from where they were encoded
//     (produce.go).
//   - It sends a ListOffsets request for each partition (highwatermarks.go).
//   - It decodes Fetch answers without showing where a batch ends, so they are decoded
//     here (fetch.go, decode.go).
package txn
