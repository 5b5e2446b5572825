//go:build race

package program

// The program looks for races where its tests do.
var buildFlags = []string{"-race"}
