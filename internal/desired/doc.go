// Package desired holds what operators want of each shop: whether it is walked (its
// target), which part of it is to start again, and, for a shop that was created over
// HTTP, its configuration. The group keeps it in its log (internal/grouplog), so every
// worker follows it and it survives every worker. [Levels] are what operators want of the
// log of all workers, which lasts as long as they run.
//
// # Why an acknowledged change is the last one
//
// [Store.Change] returns nil only after its change is committed, and the state of a shop
// is the last committed record of its key. Two workers that change the same shop at the
// same time, or one that froze in the middle of a change and wakes up an hour later, must
// not undo what another worker has acknowledged since. No leader is needed for that:
//
//  1. All changes of a group are written under one transactional ID. A worker opens it
//     (which fences the worker that had it before, and ends what that one left open), reads
//     the log to its end, decides, and commits.
//  2. If the commit succeeds, no other worker has opened the ID since this one did: Kafka
//     would have fenced it. So no change was committed between the reading and the commit,
//     except this worker's own, which come one after the other. The decision was made on
//     the latest state. A decision to change nothing, as when a shop is not known, has no
//     commit that shows it: a worker that held the ID open opens it again and decides again.
//  3. If the commit is refused as fenced, nothing is committed; Change reads again. If
//     another worker has changed the same shops meanwhile, that change may have been asked
//     for later than this one: the caller gets [ErrConflict]. Otherwise it decides again.
//  4. If the outcome of a commit is unknown, opening the ID settles it. Each change has an
//     ID that its records carry: if they are there, the change is done; a later change of
//     the same shop cannot have hidden them, because this worker opens the ID before
//     anything else and reads whether another worker was first. Then the records of that
//     worker may have replaced ours: the caller gets [ErrConflict] and reads the state.
//
// A change is written also if it says what is wanted already (2 needs the commit). A frozen
// worker that wakes up has lost the ID to the next writer, or is the last writer still. One
// that was frozen before it opened the ID sees that its caller has gone, and commits
// nothing. A worker that keeps the ID open between two changes saves the opening.
//
// # What a worker misses that hears late
//
// A worker that was frozen, or far from Kafka, sees only the latest state of a shop. So
// what must not be missed is counted: restarts, and stops, after which the offsets may
// have been altered. And it reads the log whenever it opens a lane: an alteration of
// offsets fences the lane's owner, so no worker walks a shop from altered offsets before
// it knows that the shop was stopped. For [Store.CatchUp] not to wait for a worker that
// died in a change, it ends that worker's transaction.
package desired
