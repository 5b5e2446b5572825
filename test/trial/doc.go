// Package trial puts the built program to the test, as processes, on a real
// Apache Kafka: it is killed, frozen, cut off and stopped while it reads from a
// simulated API that misbehaves, and then a read_committed consumer of another
// make counts what is on the topic. It holds nothing but tests, all behind the
// build tag kafka, and nobody imports it.
//
//	kill_test.go     kill −9, fifty times over, at every stage of a life
//	frozen_test.go   owners frozen in mid-transaction, that wake when others have their lanes
//	proxy_test.go    a network that loses, cuts and delays what goes to Kafka
//	brokers_test.go  brokers that move, restart and die under two workers
//	component_test.go  a platform's worker, killed while refresh tokens change; platform_test.go is its world
//	soak_test.go     workers that share many shops, and all that befalls them, for as long as you like
//	soak_events_test.go  what befalls them
//	stop_test.go     a planned stop, and the start after it
//	secrets_test.go  all that comes out of a process, searched for secrets
//	world_test.go    the API, its shops, and what is true of them
//	process_test.go  a process of the program
//	witness_test.go  the topics, read and compared with the truth
//
// What the layers below prove in bubbles (connector, internal/txn) is not
// repeated: here nothing is virtual, neither time nor signals nor the network.
//
// All that is left to chance follows from a seed, which every trial prints.
// The moments at which real processes are hit do not repeat exactly; the same
// seed gives the same shops, faults, settings and order of events.
//
//	TRIAL_SEED   the seed; another one for each run by default
//	TRIAL_KILLS  kills of TestKillMinusNine, 50 by default; orders grow with it
//	TRIAL_REFRESHES  kills of TestKillMinusNineOfAPlatform, 8 by default
//	TRIAL_ROUNDS rounds of TestFrozenProcessIsFenced and of the proxy, 6 by default
//	TRIAL_SOAK   seconds that TestSoak goes on, on three brokers, from 300 on with 200 shops; by default 40
//	             on one broker, with 40 shops
package trial
