// Package program tests the built program: its command line, output, ports, and
// behaviour when killed. The scripts of its commands are in testdata/script.
package program
