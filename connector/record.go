package connector

import (
	"encoding/json"
	"strconv"
	"time"

	"orderwalk/connector/window"
	"orderwalk/internal/wechat"
)

// appendOrder appends an order record's value, as the contract has it:
//
//	{"order_id":"3704612354559743232","shop":"wx…","time_range":"create_time",
//	 "window_start":1658505600,"window_end":1658509200,"observed_at":"2026-11-23T10:00:00.123Z"}
//
// Written by hand, and in two parts, because it is done once for each order
// and all but the ID is the same for a page.
func appendOrder(b []byte, id string, rest []byte) []byte {
	b = append(b, `{"order_id":`...)
	b = appendText(b, id)
	return append(b, rest...)
}

// appendRest appends what follows the ID in the values of a page's orders.
func appendRest(b []byte, shop string, kind wechat.Range, s window.Span, observed time.Time) []byte {
	b = append(b, `,"shop":`...)
	b = appendText(b, shop)
	b = append(b, `,"time_range":"`...)
	b = append(b, kind...)
	b = append(b, `","window_start":`...)
	b = strconv.AppendInt(b, s.Start, 10)
	b = append(b, `,"window_end":`...)
	b = strconv.AppendInt(b, s.End, 10)
	b = append(b, `,"observed_at":"`...)
	b = observed.UTC().AppendFormat(b, "2006-01-02T15:04:05.000Z")
	return append(b, `"}`...)
}

func appendText(b []byte, s string) []byte {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c < 0x20 || c >= 0x7f || c == '"' || c == '\\' {
			text, _ := json.Marshal(s) // a string always encodes
			return append(b, text...)
		}
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}

// partitionOf is where Java's default partitioner puts a key, so that Kafka
// Streams and Flink jobs find our records beside their own.
func partitionOf(key []byte, partitions int) int32 {
	return int32((murmur2(key) & 0x7fffffff) % uint32(partitions))
}

// murmur2 is the 32-bit MurmurHash2 of Kafka's Java client
// (org.apache.kafka.common.utils.Utils.murmur2).
func murmur2(data []byte) uint32 {
	const (
		seed uint32 = 0x9747b28c
		m    uint32 = 0x5bd1e995
	)
	h := seed ^ uint32(len(data))
	for ; len(data) >= 4; data = data[4:] {
		k := uint32(data[0]) | uint32(data[1])<<8 | uint32(data[2])<<16 | uint32(data[3])<<24
		k *= m
		k ^= k >> 24
		k *= m
		h *= m
		h ^= k
	}
	switch len(data) {
	case 3:
		h ^= uint32(data[2]) << 16
		fallthrough
	case 2:
		h ^= uint32(data[1]) << 8
		fallthrough
	case 1:
		h ^= uint32(data[0])
		h *= m
	}
	h ^= h >> 13
	h *= m
	return h ^ h>>15
}
