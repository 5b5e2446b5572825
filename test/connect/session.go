package connect

import (
	"context"
	"fmt"
)

// Result is what a session has shown.
type Result struct {
	Calls int // that were answered
	// Differences are those from the recording that are not allowed, Allowed is the
	// number of the others.
	Differences []Difference
	Allowed     int
	// Unused are lines of allowed differences that did not happen.
	Unused []string
}

// Session plays a script against t and compares the answers with a recording. If the
// script cannot be played to its end, the result is that of the calls until then.
func Session(ctx context.Context, t *Target, script, recording string, allowed *Allowed) (Result, error) {
	calls, err := ParseScript(script)
	if err != nil {
		return Result{}, err
	}
	recorded, err := ParseRecording(recording)
	if err != nil {
		return Result{}, err
	}
	for i := range calls {
		if !allowed.waits(calls[i].Name) {
			calls[i].Until = nil
		}
	}
	answers, err := Play(ctx, t, calls)
	result := Result{Calls: len(answers)}
	for i, answer := range answers {
		want, found := recorded[calls[i].Name]
		if !found {
			return result, fmt.Errorf("call %q: no answer is recorded", calls[i].Name)
		}
		differences := Compare(calls[i].Name, want, answer)
		left := allowed.Except(differences)
		result.Differences = append(result.Differences, left...)
		result.Allowed += len(differences) - len(left)
	}
	result.Unused = allowed.Unused()
	return result, err
}
