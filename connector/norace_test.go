//go:build !race

package connector

// manyShops is how many shops have a fault at the same time.
const manyShops = 2000
