// Package kafkatest runs a real Apache Kafka for tests, benchmarks and make targets.
// It fetches the jars of Kafka 4, or of Kafka 3 for some tests, with Maven, starts one
// or three brokers on loopback, can put a faulty proxy in front of them, and reads
// topics with a client independent of the one under test. It also runs a Kafka Connect
// worker on these brokers.
//
// It is not a Kafka for production, nor the dev broker of `orderwalk dev` (that is
// kfake and needs no Java). Tests with the build tag kafka and bench use it; it is not
// linked into the shipped binary.
//
// Java 17 or newer and Maven must be installed. Everything else is in
// .cache/kafka-<version> under the module's root:
//
//	lib/   the jars, fetched once; the file connectors are in .cache/connect-<version>
//	log/   the brokers' output, one file each
//	run/   data of running clusters, removed when they stop
//
// A broker or worker never outlives the process that started it, however that ends: a shell
// waits on a pipe that only this process holds open, and kills it when the pipe
// closes (see watch in node.go).
package kafkatest
