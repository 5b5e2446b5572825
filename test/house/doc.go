// Package house has tests of how the source is laid out: which package stands
// above which, that each says what it is, and that only the command line and the
// configuration know variables of the environment. It holds nothing else.
package house
