// Package record is an order as it stands on its topic: key, value, headers and
// partition, as the contract fixes them. It writes and reads bytes; it knows neither
// Kafka's protocol nor where orders come from.
//
//	record.go    an order, a page of them, and what a format has to do
//	json.go      the format json
//	partition.go where Java's default partitioner puts a key
//
// A format is a file of its own and a line in [Formats].
package record
