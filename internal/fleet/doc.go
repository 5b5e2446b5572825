// Package fleet is all shops of a group as an operator sees and steers them, through any
// worker. Package control serves it over HTTP.
//
//	fleet.go    a worker's view: its shops, and what is wanted of them
//	shop.go     what is known of one shop, as workers report it to each other
//	workers.go  asks the other workers for what only they know
//	offsets.go  what is committed of a shop, and how it is altered
//	steer.go    pauses, stops, resumes and restarts shops
//	errors.go   why a call cannot be answered
//
// # Who knows what
//
// Every worker knows the configuration of all shops, and what is wanted of them: it follows
// the group's log (internal/desired). How far a shop has come only the worker knows that
// walks it. So a call about states asks the workers that the group's coordinator lists, at
// the URLs that they gave it, for their own shops. A worker that does not answer leaves its
// shops without a state (Unknown); all others are still answered for.
//
// A change needs no particular worker: see internal/desired.
package fleet
