// Package budget divides the list calls that an app ID has per day, so that a backfill
// leaves the live walk its share. It asks the vendor how many are left, counts calls
// down in between, and forecasts when they run out. The connector asks it before each
// call.
//
//	day.go     one day's calls and what is left of them: pure
//	budget.go  the budget of one app ID, as one worker knows it
//	budgets.go the budgets of all app IDs of a worker, and when the vendor is asked
package budget
