// Package txn speaks Kafka's transaction protocol on kafka-go, both halves: a
// [Writer] whose commits happen exactly once, and a [Reader] that sees committed
// records and nothing else.
//
// It knows nothing of orders, checkpoints or lanes: a transaction is records for
// partitions. It is not kafka-go's Writer, which has no producer ID, nor its
// Reader, which hands on aborted records and markers as if they were data. Its
// users are the connector, which holds a Writer for each lane, and the command
// line (tail, verify, offsets).
//
// # Protocol
//
//	Open     InitProducerID(−1, −1) ── fences: epoch + 1, what was open is aborted,
//	                                   what was decided is finished first
//	Commit   AddPartitionsToTxn ────── opens the transaction over its partitions
//	         Produce ───────────────── one request to each leader, every partition in it;
//	                                   more rounds if a partition has more batches
//	         EndTxn(commit) ────────── decides; the markers follow
//	renew    EndTxn(abort) ─────────── closes what may be open; proves we hold the ID
//	         InitProducerID(ours) ──── epoch + 1, sequences from 0
//	finish   DescribeProducers ─────── what has Kafka left open of ours? Mostly nothing;
//	         AddPartitionsToTxn, EndTxn, if it has
//
// kafka-go speaks versions of these requests that brokers take for a client of
// the first transaction protocol (before KIP-890), on Kafka 4 too: partitions
// are added explicitly and the epoch does not grow by itself.
//
// # What is authoritative
//
// The transaction coordinator decides; the topics show what it decided; the
// Writer only knows its producer ID, epoch and sequences. Records and the
// checkpoint that covers them are in one transaction, so a caller that has lost
// its Writer opens another and reads the checkpoint. Open comes first: it
// returns when no earlier transaction can change any more, and a ReadToEnd that
// begins then ends at a high watermark behind everything they wrote.
//
// # Why a record is there once
//
// Commit returns nil only when the coordinator has answered EndTxn(commit) with
// success under our epoch. All its batches were acknowledged before under the
// same epoch, so they are in that transaction. Three things could still publish
// a record twice or only in part, and none can:
//
//  1. A batch sent twice. A repetition within an attempt has the same bytes, thus
//     the same epoch and sequence, which the leader recognises.
//  2. An attempt repeated. It is only after its predecessor was aborted for
//     certain: EndTxn(abort) was answered, or InitProducerID(ours) was, and no
//     commit had been sent whose outcome is open. The new attempt has a new
//     epoch; nothing of the old one is accepted any more.
//  3. A request that was given up and arrives late. It carries its epoch. After
//     any request of a transaction went unanswered, the next transaction begins
//     with a renewal, so the epoch it carries is old by then. Without that, a
//     late EndTxn(commit) would commit the next transaction half-filled: seen on
//     real Kafka.
//
// Somebody else may take over at any moment. From then on our epoch is old and
// no request of ours has an effect. InitProducerID(−1, −1) belongs to Open alone
// and Commit never sends it, so a Writer that has lost its ID cannot take it
// back; whether to open again is for its owner to decide, after asking whether
// it still is the owner. Before InitProducerID(ours) there is always an
// EndTxn(abort), which a Writer that has lost its ID does not survive:
// brokers may abort a newer owner's transaction over a stale InitProducerID
// before they refuse it.
//
// A coordinator keeps an ID that is not used for transactional.id.expiration.ms,
// 7 days by default. Then it forgets the ID, with the epochs that would tell an
// older owner from a newer one: others may have held it meanwhile, committed and
// gone. What the ID's last producer ID sends is refused from then on
// (INVALID_PRODUCER_ID_MAPPING), except InitProducerID(ours): that is answered,
// to any owner, with a new producer ID. So an unknown producer ID is a lost one, and
// so is one that InitProducerID(ours) replaces: the Writer is fenced and takes
// nothing back. An ID with an open transaction is not forgotten, so that
// answer to a first EndTxn(commit) means that the transaction was aborted before.
//
// # Reactions
//
// [react] decides, as a pure function; the loops in commit.go obey it.
//
//	answer                                  to              means
//	none                                    any             again: the same request; the next transaction
//	                                                        gets a new epoch
//	none                                    EndTxn(commit)  again, the same EndTxn(commit) and nothing else,
//	                                                        until it is answered
//	CONCURRENT_TRANSACTIONS                 coordinator     again, after 1 ms growing to 1 s: the markers of
//	                                                        the last transaction are being written
//	NOT_COORDINATOR, COORDINATOR_*          coordinator     look it up and again; its state is in its log
//	NOT_LEADER_*, REQUEST_TIMED_OUT, …      Produce         find the leaders and send the same bytes again
//	NOT_ENOUGH_REPLICAS(_AFTER_APPEND)      Produce         the same bytes again; also means that the leader
//	                                                        could not verify the transaction just now
//	OPERATION_NOT_ATTEMPTED                 AddPartitions   another partition's code counts
//	DUPLICATE_SEQUENCE_NUMBER               Produce         done: it is in the log
//	UNKNOWN_TOPIC_OR_PARTITION              both            again for 10 s, then stop
//	INVALID_PRODUCER_EPOCH, PRODUCER_FENCED Produce         renew: the answer to EndTxn(abort) tells whether
//	                                                        somebody else did it
//	INVALID_PRODUCER_EPOCH, PRODUCER_FENCED coordinator     ErrFenced; and ErrInDoubt if a commit was sent
//	                                                        before whose outcome is open
//	UNKNOWN_PRODUCER_ID, INVALID_PRODUCER_  any             ErrFenced: Kafka has forgotten the ID, and others may
//	ID_MAPPING; another producer ID         InitProducerID  have held it since; and ErrInDoubt if a commit was
//	                                                        sent before whose outcome is open
//	TRANSACTION_ABORTABLE                   Produce,        renew
//	                                        AddPartitions
//	UNKNOWN_SERVER_ERROR                    coordinator     again, but for EndTxn(commit)
//	OUT_OF_ORDER_SEQUENCE_NUMBER, INVALID_  Produce,        renew, for 10 s and five times at least, then
//	TXN_STATE, CORRUPT_MESSAGE, unknown     AddPartitions   stop: a broker in trouble may say so for a while
//	INVALID_TXN_STATE                       EndTxn(abort)   done: nothing was open, and the epoch is still ours
//	INVALID_TXN_STATE, unknown codes        EndTxn(commit)  ErrInDoubt
//	*_AUTHORIZATION_FAILED, MESSAGE_TOO_    any             abort and stop: *Error; in doubt
//	LARGE, INVALID_TRANSACTION_TIMEOUT, …                   instead, once a commit is unsure
//
// Half of the transaction timeout is for AddPartitions and Produce; if they are
// not through by then, nothing more is sent, the attempt is aborted and another
// one made. The outcome
// of a commit, and a renewal, are waited for until the timeout and 15 s more
// have passed, since brokers end overdue transactions every 10 s; then Commit
// returns ErrInDoubt, or a Retriable *Error. ctx ends every wait.
//
// Attempts that end over one topic after the other are counted together
// (ailing.go): a topic that is unknown stops the Writer after 10 s even where one
// attempt has less time, and one without a leader or enough replicas after
// TopicPatience, with a Retriable *Error that names it.
//
// # Reading
//
// A topic bounds what a batch has compressed, not what it unpacks to, and others
// may write to it. So a Reader decompresses records one by one ([Reader.Wanted]
// looks at the key before the value is read) and believes no length it is told
// (unpack.go has the bounds). A record beyond them is skipped and told of, never an
// error: a reading that fails would fail again for each next owner. What the
// owner of the key makes of it is for the caller: a lane fails that shop.
//
// # Where Kafka falls short
//
// Commits without markers. A coordinator that has logged a commit has the
// leaders write its markers. Kafka 4 skips a partition that has no leader at
// that moment, as if it had been deleted, and calls the transaction complete
// (KAFKA-20734): every commit that is under way when a lone broker stops may meet
// that, or one to a topic with one replica. The records stay open for good:
// nobody reads past them, our own next owner included, and no timeout ends them.
// What does is the next marker of the same producer ID in that partition, which
// ends them together with whatever comes with it, one way or the other. So the
// Writer looks (DescribeProducers) when it is opened and, after any trouble,
// before it sends another record (dangling.go), and ends what is left by a
// transaction without records:
//
//   - Its own, and those of Writers before it in the process ([Memory]), as they
//     were meant: a commit if what is open ends with the very record that the last
//     commit put there, else an abort. A transaction that was only
//     begun when the trouble came, and has no records, is closed the way its
//     predecessor was.
//   - An older owner's, of which it knows nothing: an abort if the anchor, which
//     holds the checkpoints, is among what is open, else a commit. Of a
//     transaction none of whose partitions had a leader nobody has seen anything,
//     so an abort is as if it had never been. Where some had one, their part
//     stands: with one replica for each partition, a broker and an owner lost
//     together can still repeat orders.
//
// It takes the right to read the topics; a partition that may not be looked at
// waits for the next commit there. Brokers before Kafka 2.8 cannot tell. What is
// left open under a producer ID that Kafka has forgotten no client can end:
// kafka-transactions.sh does.
//
// Half commits. A coordinator acts on what its log holds, not on what its followers have of
// it. One that is killed with a prepared commit that nobody has copied, and is
// back before the others have missed it, still takes itself for the coordinator,
// finds that commit and has the leaders of other partitions write its marker. The
// coordinator that then takes its place knows nothing of it. If the Writer's
// repeated EndTxn(commit) reaches that one, all is well; if the transaction times
// out first, or another owner opens, the rest is aborted: half of a transaction.
// Seen on Kafka 4.3.1, with brokers and owners killed together and a transaction
// timeout of 5 s. No client can tell, let alone mend it. A transaction timeout
// well above the time a failover takes, as the default is, makes it rare.
//
// # kafka-go
//
// Four habits of its Transport shape this package. It answers metadata requests
// from a cache (topics.Refresh renews it). It would look up the coordinator
// before each transactional request and ignore a failure of that; requests are
// routed here instead (internal/kafkawire). It closes a connection whose answer is
// overdue, so a late answer is never taken for another's; but when a context is
// cancelled the request lives on until its deadline, so every request has one,
// and buffers that such a request may still be reading are not used again. And
// it decodes Fetch answers without telling where a batch ends, so they are read
// here (fetch.go, decode.go). A lost answer to the Transport's own metadata
// request holds up its cache for MetadataTTL: keep that at a few seconds outside
// of tests.
package txn
