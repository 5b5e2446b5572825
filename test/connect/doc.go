// Package connect compares an implementation of Kafka Connect's REST API with a real
// Kafka Connect worker: it plays scripts of HTTP calls and compares the answers with
// recorded ones.
//
//	script.go   the format of a script: one call a block, in the form of .http files
//	target.go   what a script's {{variables}} mean for one implementation
//	play.go     sending the calls
//	answer.go   answers without what varies: ports, times, IDs
//	record.go   the format of a recording
//	compare.go  differences between a recording and an implementation, and those allowed
//	session.go  all of this for one script
//	clients.go  other programs' clients, which drive the API through clients/
//	play/       a command that plays scripts against any address
//
// testdata has the scripts (*.http), what the real worker answers to them
// (*.recording), the variables of an implementation (*.vars) and the differences
// allowed (*.allowed), each with its reason. With the build tag connect, a test plays all
// scripts against a real worker and compares its answers with the recordings, so that
// these stay true, and another one plays them against orderwalk;
// `go test -tags connect ./test/connect -run TestConnectWorker -update` writes them.
//
// The package is for tests; it is not linked into the shipped binary.
package connect
