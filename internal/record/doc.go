// Package record encodes an order as a record of its topic: key, value, headers and
// partition, as the contract fixes them. It reads and writes bytes; it does not use
// Kafka's protocol or the API.
//
//	record.go    an order, a page of orders, and the interface of a format
//	json.go      the format json
//	partition.go the partition of a key, by Java's default partitioner
//
// A new format is one file and one line in [Formats], and out of [Planned];
// TestEveryFormatIsReadAsWritten then covers it. The variable's text, its faults and
// the README follow (go test ./internal/config -update); the chart has the names in
// values.schema.json, which test/deploy compares.
package record
