// Package txn speaks Kafka's transaction protocol on kafka-go, both halves: a
// [Writer] whose commits happen exactly once, and a [Reader] that sees committed
// records only.
package txn
