// Package incident joins the log lines about what many shops suffer together. An API
// that is down fails the calls of every shop; the log has one line when that begins, one
// a minute while it lasts, and one when it is over, with the number of shops.
//
//	Source.Begin   first of a Kind   WARN, at once
//	               further ones      counted in the next line
//	               each minute       WARN: how many, three names, a reason, since when
//	Source.End     the last one      INFO: how many it were, and how long it lasted
//	Source.Happened                  one line at once, then one a minute for those since
//
// A Kind names its cause, so a fault of one shop is not counted with another that most
// shops have: it has lines of its own. A Kind that ends and begins again within a minute
// has two further lines if it was calm between them for a second, and none after those
// until that minute is over.
//
// The package only writes. What each shop waits for is part of its status, not of what
// is kept here.
package incident
