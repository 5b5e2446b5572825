// Package offsets defines the bytes of checkpoints: keys and values of the offsets
// topic, their versions, and the compact form of seen order IDs.
//
// A [Checkpoint] is what one source partition (a shop and a range kind) needs to resume
// exactly. It is stored as a few records in one Kafka partition (the shop's lane), in
// Kafka Connect's layout: the key is a JSON array of group and a flat map, the value a
// flat JSON object.
//
//	["g",{"shop":"wx1","range":"create_time"}]                          the shop: watermark, window length, the earliest open window
//	["g",{"shop":"wx1","range":"create_time","window":100}]             every other tracked window
//	["g",{"shop":"wx1","range":"create_time","window":100,"part":0}]    IDs listed for the window that starts at 100
//
// A tombstone means forgotten. Each transaction that publishes orders of a window adds
// one part. Parts are never changed, and are forgotten together with their window.
//
// Only the records are authoritative. [Stored.Update] turns a checkpoint into records,
// and [Loader] does the inverse. A record that cannot be understood fails its shop with
// an error that names the record; it never counts as "nothing stored yet".
//
// The package does not use Kafka's protocol, transactions or the API. The connector
// uses it to write and read its lanes.
package offsets
