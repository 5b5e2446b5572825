// Package program tests the program as a user has it: built, run by its command
// line, killed, read by its output and its ports. The scripts of its commands are in
// testdata/script.
package program
