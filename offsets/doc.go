// Package offsets knows the bytes of checkpoints: the keys and values of the
// offsets topic, their versions, and the compact form of seen order IDs.
//
// A [Checkpoint] is what one source partition (a shop and a range kind) needs
// to go on exactly where it stopped. On the topic it is a handful of records,
// all in one Kafka partition (the shop's lane), all in Kafka Connect's layout
// (key = JSON array of group and a flat map, value = flat JSON object):
//
//	["g",{"shop":"wx1","range":"create_time"}]                          the shop: watermark, window length, the earliest open window
//	["g",{"shop":"wx1","range":"create_time","window":100}]             every other window that is tracked
//	["g",{"shop":"wx1","range":"create_time","window":100,"part":0}]    IDs listed for the window that starts at 100
//
// A tombstone means forgotten. Parts are only ever added, one for each
// transaction that published orders of the window, and all of them are
// forgotten with their window.
//
// What is authoritative: the records alone. [Records] is a pure function of a
// checkpoint, and [Load] is its inverse; a record that cannot be understood
// fails its shop with an error that names the record, and never counts as
// "nothing stored yet".
//
// The package knows nothing of Kafka's protocol, of transactions or of the
// API. The connector uses it to write and read its lanes.
package offsets
