//go:build race

package connector

// The race detector does not carry the goroutines of 2,000 shops in one bubble.
const manyShops = 200
