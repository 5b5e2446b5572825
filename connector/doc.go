// Package connector walks the time windows of shops' order lists and publishes
// every order ID once. It knows windows, walkers and lanes; it leaves the API
// to internal/wechat, Kafka's protocol to internal/txn, and the bytes of
// checkpoints to offsets. Only internal/cli uses it.
//
// # Where to look
//
//	window/       which window is next and what a page of it means: pure
//	edge.go       the seconds two neighbours share, for update times
//	narrow.go     windows that the API lists only under narrower ranges
//	walker.go     the loop: ask what is next, read, wait
//	reading.go    paging through one window
//	pass.go       an API that leads in circles
//	yield.go      windows that only wait leave their place to other shops
//	idbudget.go   how many order IDs a process holds
//	committer.go  group commit: outboxes and checkpoints into one transaction
//	lane.go       the life of a lane: fence, ask, read, walk, doubt, again
//	load.go       reading a lane while the cleaner runs
//	refused.go    orders topics that Kafka refuses: their shops fail, the lane goes on
//	recount.go    partitions that are added to orders topics
//	held.go       what a walker does with the day's budget, and the series about it
//	clocks.go     the difference of this machine's clock and the API's: metric and log
//	laneset.go    the lanes this worker has, as the group assigns them
//	shops.go      shops dealt out over lanes, and changed while it runs
//	outage.go     what is being waited for from Kafka: metric and log
//	checkpoints.go what other workers have done, by their checkpoints
//	connector.go  beginning and end
//
// # Why nothing is lost and nothing comes twice
//
// A checkpoint is one more record in the transaction that carries the orders it
// covers. [offsets.Checkpoint] says, for each window that is not behind the
// watermark for good, which page token is next and which IDs the API has
// listed. From that follow the five invariants; each has a test of its name.
//
//  1. An order and the checkpoint that covers it commit together or not at all.
//     A page's orders go to the outbox and its token into the checkpoint under
//     one lock (walker.dedupe); both leave it under one lock (committer.collect)
//     for one transaction. Any doubt about a transaction ends the life of the
//     lane, and the next begins with what is read back (lane.run).
//
//  2. A window never changes while it is paged. Bounds and filters are set when
//     it is opened, the page size when its first page is asked for; they are
//     stored with it and sent from there (edge.go: query), also by a later
//     process that is configured differently. A window that must shrink is
//     replaced by two new ones (divide).
//
//  3. The watermark moves only over finished windows, in order, never past now
//     − SETTLE_DELAY. It is computed from the windows (watermark), windows are
//     only opened up to Policy.horizon, and now is the earlier of our clock and
//     the API's.
//
//  4. After a newer owner opens a lane, an older one commits nothing. That is
//     Kafka's fencing: both use the lane's transactional ID. Who is the newer
//     one is the group's to say: a worker that has just fenced the others asks
//     whether the lane is still assigned to it, and gives it up before it has
//     read or written anything if not (lane.confirm); one that finds itself
//     fenced asks the same before it opens the lane again.
//
//  5. What is published for a window is the set of IDs the API listed for it,
//     each once. IDs seen are kept until neither the window nor a neighbour can
//     be read again (retire), so a page read again, a window begun again, the
//     second pass, and the seconds two windows share all drop out in take. Of a
//     row of settled windows only those at its ends have such a neighbour: what
//     is between them is one window without IDs (condense). A window that was
//     divided leaves its IDs with the first part; they count, and are kept, for
//     as long as any part of it or its right neighbour can be read again
//     (Window.Reach).
//
// What is done at a page and at a commit depends on the windows that are open,
// not on how many wait for their second pass: see offsets/row.go.
//
// Whether the API counts a range's first second in, and its last, is not
// documented. A window is asked for from a second before its start to its end,
// where its right neighbour starts, and the last window of a bounded range ends
// one second late; so none of the four readings loses anything (lead).
package connector
