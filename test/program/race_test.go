//go:build race

package program

// The program is built with the race detector if the tests are.
var buildFlags = []string{"-race"}
