// Package trial tests the built program, as processes, on a real Apache Kafka. The
// program is killed, frozen, disconnected and stopped while it reads from a simulated
// API with faults. Then an independent read_committed consumer compares the topic with
// the API's orders. The package contains only tests, behind the build tag kafka.
//
//	kill_test.go        kill −9, fifty times, at every stage of a process
//	frozen_test.go      owners frozen in mid-transaction, that resume when others have their lanes
//	proxy_test.go       a network that loses, cuts and delays requests to Kafka
//	brokers_test.go     brokers that move, restart and fail under two workers
//	steered_test.go     a fleet that is steered over HTTP while its workers are killed and frozen
//	created_test.go     a fleet whose shops are created and deleted over HTTP meanwhile
//	steering_test.go    calls to the workers of that fleet
//	sentback_test.go    shops that are stopped and sent back while their worker is frozen
//	component_test.go   a platform's worker, killed while refresh tokens change; fixture in platform_test.go
//	authorized_test.go  shops that authorise a platform and withdraw that, while workers are killed
//	soak_test.go        workers that share many shops, with random failures, for any length of time
//	soak_events_test.go the failures of the soak
//	many_test.go        very many shops: all steered at once, and what all suffer at once
//	stop_test.go        a planned stop, and the next start
//	secrets_test.go     a search for secrets in all output
//	fixture_test.go     the API, its shops and their actual orders
//	process_test.go     a process of the program
//	fate_test.go        what became of lost orders
//	witness_test.go     reading the topics and comparing them with the actual orders
//
// Tests of connector and internal/txn in bubbles are not repeated here: time, signals
// and network are real.
//
// All random choices follow from a seed, which every trial prints. The moments at
// which real processes are hit do not repeat exactly; the same seed gives the same
// shops, faults, settings and order of events.
//
//	TRIAL_SEED       the seed; another one for each run by default
//	TRIAL_KILLS      kills of TestKillMinusNine, 50 by default; the number of orders grows with it
//	TRIAL_REFRESHES  kills of TestKillMinusNineOfAPlatform, 8 by default
//	TRIAL_AUTHORIZATIONS  changes of TestAuthorizedShopsComeAndGo, 100 by default
//	TRIAL_SHOPS      shops of TestManyShops…, 300 by default
//	TRIAL_OUTAGE     seconds of each outage of TestManyShopsFailTogether, 20 by default; a line a minute shows from 65 on
//	TRIAL_ROUNDS     rounds of TestFrozenProcessIsFenced and of the proxy, 6 by default
//	TRIAL_CALLS      changes of TestAcknowledgedChangesStay, 120 by default; the number of orders grows with it
//	TRIAL_CREATIONS  changes of TestAcknowledgedCreationsStay, 120 by default
//	TRIAL_SOAK       seconds of TestSoak, on three brokers, from 300 on with 200 shops; by default 40
//	                 on one broker, with 40 shops
package trial
