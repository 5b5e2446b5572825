// Package budget divides the list calls that the vendor gives an app ID for a day,
// so that a backfill leaves the live walk its share. It asks the vendor what is left,
// counts calls down in between, and forecasts when they end; the connector asks it
// before each call.
//
//	day.go     a day's calls and what is left of them: pure
//	budget.go  those of one app ID, as one worker knows them
//	budgets.go those of all app IDs of a worker, and when the vendor is asked
package budget
