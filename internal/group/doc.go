// Package group keeps a worker in the Kafka consumer group that spreads lanes
// over workers, on kafka-go's ConsumerGroup. A lane is a partition of the
// offsets topic.
//
// It only says who owns what. It stops no work, reads no records and commits no
// group offsets; that an older owner of a lane commits nothing is the doing of
// the lane's transactional ID (internal/txn), not of membership. Package
// connector uses it.
//
// # Where to look
//
//	member.go     what the connector calls
//	membership.go the loop: join, beat, join again, leave
//	call.go       requests to the group's coordinator
//	namesakes.go  members of our name that are no longer alive
//	balancer.go   the leader's part, as kafka-go calls it
//	assign.go     which lane goes where: a pure function
//	sets.go       lanes that have to be with one worker
//	userdata.go   what each member tells the leader
//	dialer.go     a dialer whose connections can be cut
//	errors.go     what waiting does not change
//	outage.go     one line in the log for an outage
//
// # A rebalance stops nothing
//
// kafka-go speaks the eager protocol: whoever joins or leaves, all members join
// again and get a new generation. Between two generations this package calls
// nothing, and the assignment leaves lanes where they are as far as balance
// allows, so a worker goes on with the lanes it keeps and learns only of those
// it loses or gets. Two workers may hold a lane at the same time, a moment
// apart; then the later one to open it has fenced the other.
//
// # Heartbeats are our own
//
// kafka-go ends a generation at the first heartbeat that fails, for whatever
// reason, does not tell the reason, and gives the member ID away when the
// coordinator cannot be reached at once. The next join then waits for the ghost
// of that ID. So its heartbeats are switched off and ours go through the
// Transport, which finds the coordinator anew each time:
//
//	heartbeat answered        what happens
//	none                      the assignment stands
//	rebalance, old generation join again under the same member ID
//	unknown member            join as a new member
//	not the coordinator,      try again; the membership outlives a restart or a
//	no answer                 move of the coordinator
//	  … for a session timeout tell lost, and go on trying; if the coordinator
//	                          still knows us, tell the same assignment again
package group
