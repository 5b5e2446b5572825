package config_test

import (
	"testing"

	"orderwalk/internal/config"
)

// TestTimesAsPeopleWriteThem: a date is its midnight where the vendor's days are.
func TestTimesAsPeopleWriteThem(t *testing.T) {
	for text, want := range map[string]int64{
		"1793462400": 1793462400, "2026-11-01T00:00:00+08:00": 1793462400, "2026-10-31T16:00:00Z": 1793462400, "2026-11-01": 1793462400,
	} {
		if got, err := config.ParseTime(text); err != nil || got != want {
			t.Errorf("%s is %d, %v, want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "2026-11", "2026-11-31", "2026-11-01 00:00", "1793462400000", "-1", "1969-12-31", "9999-01-01"} {
		if got, err := config.ParseTime(text); err == nil {
			t.Errorf("%q is taken as %d", text, got)
		}
	}
}
