// Package group keeps a worker in the Kafka consumer group that distributes lanes over
// workers, on kafka-go's ConsumerGroup. A lane is a partition of the offsets topic.
//
// It only decides which worker owns which lane. It stops no work, reads no records and
// commits no group offsets. The lane's transactional ID (internal/txn), not the
// membership, prevents an older owner from committing. Package connector uses it.
//
// # Where to look
//
//	member.go     what the connector calls
//	membership.go the loop: join, send heartbeats, join again, leave
//	call.go       requests to the group's coordinator
//	namesakes.go  dead members with our worker ID
//	balancer.go   the leader's part, in kafka-go's interface
//	assign.go     which member gets which lane, as a pure function
//	sets.go       lanes that must be with the same worker
//	userdata.go   what each member sends to the leader
//	peer.go       workers of the group with another configuration
//	workers.go    which worker has which lane, and where it serves HTTP
//	rest.go       whether the other workers still have work
//	try.go        whether a worker could join, for `orderwalk check`
//	dialer.go     a dialer whose connections can be closed
//	errors.go     refusals that a retry does not change
//	outage.go     one log line for an outage
//
// # A rebalance stops nothing
//
// kafka-go speaks the eager protocol: when a member joins or leaves, all members join
// again and get a new generation. Between two generations this package calls nothing,
// and the assignment leaves lanes where they are as far as balance allows. So a worker
// continues with the lanes it keeps and is only notified of those it loses or gets. Two
// workers may hold a lane at the same time for a moment; then the later one to open it
// has fenced the other.
//
// # Own heartbeats
//
// kafka-go ends a generation at the first failed heartbeat, does not report the reason,
// and drops the member ID if it cannot reach the coordinator at once. The next join then
// waits for the dead member with that ID. So kafka-go's heartbeats are switched off, and
// this package sends its own through the Transport, which looks up the coordinator each
// time:
//
//	answer to a heartbeat     reaction
//	success                   the assignment stands
//	rebalance, old generation join again under the same member ID
//	unknown member            join as a new member
//	not the coordinator,      try again; the membership outlives a restart or a
//	no answer                 move of the coordinator
//	  … for a session timeout call lost, and keep trying; if the coordinator still
//	                          knows us, call assigned with the same assignment
package group
