package window

import (
	"testing"
	"time"
)

// The pace is the configured interval, stretched within the bound that the operator has
// set, and beyond it only to make the day's calls last.
func TestPace(t *testing.T) {
	const configured, most = 10 * time.Second, time.Minute
	for name, c := range map[string]struct {
		most time.Duration
		load Load
		want Pace
	}{
		"nothing known":                  {most, Load{}, Pace{configured, ""}},
		"idle for a moment":              {most, Load{Idle: 39 * time.Second}, Pace{configured, ""}},
		"idle":                           {most, Load{Idle: 2 * time.Minute}, Pace{30 * time.Second, Idle}},
		"idle for long":                  {most, Load{Idle: 24 * time.Hour}, Pace{most, Idle}},
		"idle, no bound set":             {0, Load{Idle: 24 * time.Hour}, Pace{configured, ""}},
		"pushes":                         {most, Load{Pushed: true}, Pace{most, Pushed}},
		"pushes, no bound set":           {0, Load{Pushed: true}, Pace{configured, ""}},
		"few calls":                      {0, Load{Scarce: 1.21}, Pace{13 * time.Second, Saving}},
		"fewer than idleness leaves":     {most, Load{Idle: time.Hour, Scarce: 12}, Pace{2 * time.Minute, Saving}},
		"idle leaves enough":             {most, Load{Idle: time.Hour, Scarce: 4}, Pace{most, Idle}},
		"no call is left":                {0, Load{Scarce: 1e9}, Pace{time.Hour, Saving}},
		"as many calls as the day needs": {most, Load{Scarce: 1}, Pace{configured, ""}},
	} {
		if got := PaceOf(Policy{PollInterval: configured, PollIntervalMax: c.most}, c.load); got != c.want {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
}
