// Package window decides what of a shop's order list is read next, and what a page
// of it means. All of it is a pure function of the checkpoint, the time and the
// policy: no I/O, no clock, no lock. The walker (package connector) and the forecast
// of `orderwalk plan` both go by it.
//
//	next.go       which windows to open or to read again, or how long to wait
//	window.go     what can happen to a window: opened, halved, cut, finished, settled;
//	              how the length of the next ones follows from what it held
//	dedupe.go     which listed IDs are repeats
//	neighbours.go which windows list seconds twice
//	early.go      which windows are listed beyond their ends, up to now
//	secondpass.go which windows are read again, and which of them become one before
//	sweep.go      the second pass of several windows by update time
//	policy.go     what is configured
//
// # A window
//
// A window is a slice of a shop's time, [Start, End) in unix seconds. It is open
// while its pages are read, waiting from then until its second pass, and settled
// when nothing of it will be read again:
//
//	           last page              End + LOOKBACK            last page
//	open ─────────────────► waiting ─────────────────► open ─────────────► settled
//	 │ first pass                                      second pass           ▲
//	 └───────────────────────────────────────────────────────────────────────┘
//	    LOOKBACK is 0, or the window was older than LOOKBACK when it was opened
//
// Windows follow each other without a gap. The watermark is where the first one
// begins whose first pass is not over ([Finish]); it never goes back. New windows
// begin at the frontier, the end of the last one, and end at [Policy.LatestEnd] at
// the latest, which is SETTLE_DELAY before now.
//
// # Why no listed order is dropped, and none is published twice
//
//   - A window never changes while it is paged: its bounds, filters and page size
//     are stored with it. One that must shrink is replaced by two new ones, the first
//     of which keeps the IDs that were seen ([Halve], [Cut]).
//   - IDs seen are kept until neither the window nor a neighbour can be read again.
//     Of a row of settled windows only those at its ends have such a neighbour: what
//     is between them becomes one window without IDs (condense).
//   - The API's documentation does not say whether a range counts its first and its
//     last second in. A window is asked for from a second before Start to End, so
//     none of the four readings leaves an order out; what two windows list twice
//     drops out by its ID ([Dedupe]). Seconds are left to the window before only while
//     the API is known to count both ends in ([After]).
//   - An early list decides nothing about the seconds beyond the window's end: the next
//     window lists them again. Its IDs count for every window up to where it ended ([Early]).
//   - A sweep settles windows only without anything new in them ([Sweep]).
//
// TestEachListedIDIsPublishedOnce plays random interleavings of all of it, and
// TestEarlyListsPublishEachOrderOnce those of early lists.
package window
