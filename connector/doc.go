// Package connector reads the order lists of shops, window by window, and publishes
// every order ID once. It owns windows, walkers and lanes. It leaves the API to
// internal/wechat, Kafka's protocol to internal/txn, and the bytes of checkpoints to
// offsets. Only internal/cli uses it.
//
// # Where to look
//
//	window/       which window is next and what a page of it means: pure
//	walker.go     one shop: plan, wait for the vendor, rest
//	round.go      the loop while it is awake: plan, read
//	rest.go       waiting without a goroutine
//	turns.go      how many shops begin to read at a time
//	reading.go    paging through one window
//	pass.go       an API whose pages repeat without end
//	edge.go       IDs that two neighbours list, by update time
//	sweep.go      the second pass of several windows by update time
//	narrow.go     windows that the API lists only under narrower ranges
//	yield.go      a window that only waits gives its slot to other shops
//	idbudget.go   the limit on order IDs in memory
//	committer.go  group commit: outboxes and checkpoints in one transaction
//	lane.go       one lane: fence, load, walk and commit, start again
//	members.go    the shops of a lane
//	reconcile.go  shops added, changed, removed and paused while a lane runs
//	wanted.go     what operators want of the shops
//	inbox.go      what a walker hears from outside
//	load.go       reading a lane's partition while the log cleaner runs
//	refused.go    orders topics that Kafka refuses: their shops fail, the lane continues
//	recount.go    partitions added to orders topics
//	held.go       how a walker uses the daily budget, and the series about it
//	start.go      the first checkpoint of a shop
//	unread.go     a start time before the beginning of the walk
//	ready.go      what the start waits for
//	clocks.go     the difference between this machine's clock and the API's
//	laneset.go    the lanes that the group assigns to this worker
//	shops.go      shops distributed over lanes, and changed at run time
//	status.go     the state of one shop, as shown
//	registry.go   the state of every shop; the series computed from it
//	metrics.go    the series that the walk counts
//	pushed.go     how long the records of pushed events take
//	sidecar.go    the group's log beside the lanes
//	result.go     whether the run is over
//	workers.go    which worker has which lane
//	outage.go     what this worker waits for from Kafka: metric and log
//	checkpoints.go what other workers have done, by their checkpoints
//	lost.go       an offsets topic that was deleted
//	connector.go  configuration, start and end
//
// # Why nothing is lost and nothing comes twice
//
// A checkpoint is one more record in the transaction that carries the orders it covers.
// [offsets.Checkpoint] holds, for each window that can still be read, the next page
// token and the IDs the API has listed. Five invariants follow; each has a test of its
// name.
//
//  1. An order and the checkpoint that covers it commit together or not at all. A
//     page's orders enter the outbox and its token enters the checkpoint under one
//     lock (walker.dedupe); both leave under one lock (committer.collect) for one
//     transaction. Any doubt about a transaction ends the life of the lane, and the
//     next life begins with what is read back from Kafka (lane.run).
//
//  2. A window never changes while it is paged. Its bounds and filters are set when it
//     is opened, its page size when its first page is requested. They are stored with
//     the window and sent from there (edge.go: query), also by a later process with
//     another configuration. A window that must shrink is replaced by two new ones
//     (window.Halve, window.Cut). A first page may be requested from a second later
//     (window.After); then no page token of it is used.
//
//  3. The watermark moves only over finished windows, in order, and never past now −
//     SETTLE_DELAY. It is computed from the windows. Windows are opened only up to
//     window.Policy.LatestEnd, and now is the earlier of the local clock and the
//     API's (wechat.Host.Now).
//
//  4. After a newer owner opens a lane, an older one commits nothing. Kafka's fencing
//     ensures this: both use the lane's transactional ID. The group decides which
//     worker is the newer owner. A worker that has just fenced the others asks whether
//     the lane is still assigned to it, and if not gives it up before it reads or
//     writes anything (lane.confirm). A worker that is fenced asks the same before it
//     opens the lane again.
//
//  5. What is published for a window is the set of IDs the API listed for it, each
//     once. Seen IDs are kept until neither the window nor a neighbour can be read
//     again. So repeats are dropped (window.Dedupe) when a page is read again, when a
//     window starts again, in the second pass, and in the seconds that two windows
//     share. A sweep publishes nothing (window.Sweep). In a row of settled windows only
//     those at the ends have such a neighbour; those between become one window without
//     IDs. A window that was divided leaves its IDs with the first part. They count, and
//     are kept, as long as any part or its right neighbour can be read again
//     (offsets.Window.Reach).
//
// The cost of a page and of a commit depends on the number of open windows, not on how
// many wait for their second pass: see offsets/row.go.
//
// The API's documentation does not say whether a range includes its first and its last
// second. A window is requested from a second before its start to its end, where its
// right neighbour starts, and the last window of a bounded range ends one second late.
// So none of the four readings loses an order.
package connector
