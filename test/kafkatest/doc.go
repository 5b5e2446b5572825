// Package kafkatest runs a real Apache Kafka for tests, benchmarks and make
// targets: it has Maven fetch the jars, of Kafka 4 or of Kafka 3 where a test asks
// for that, starts one or three brokers on loopback, can put a misbehaving proxy
// in front of them, and reads topics back with a client that is not the one under
// test.
//
// It is not a Kafka for production, nor the dev broker of `orderwalk dev`
// (that one is kfake and needs no Java). Nothing of it is linked into the
// shipped binary; its users are tests with the build tag kafka, and bench.
//
// Java 17 or newer and Maven have to be installed. Everything else lands in
// .cache/kafka-<version> under the module's root:
//
//	lib/   the jars, fetched once
//	log/   what the brokers said, a file for each
//	run/   data of running clusters, removed when they stop
//
// A broker never outlives the process that started it, however that ends: a
// shell waits on a pipe that only this process holds open, and kills the broker
// when the pipe closes (see watch in node.go).
package kafkatest
