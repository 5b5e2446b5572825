package config

import "slices"

// fitWorker checks a shop against the settings of the worker.
func (c *Connectors) fitWorker(r *reading) {
	s, f := r.shop, &r.faults
	if s.Topic != "" && s.Topic == c.offsetsTopic {
		f.add(r.place("topic"), shown(s.Topic)+" is the offsets topic", "give another topic")
	}
	if s.AppID != "" && s.AppID == c.component.AppID {
		f.add("app_id", appID(s.AppID)+" is the app ID of the third-party platform", "give the shop's own")
	}
	switch {
	case s.Auth == authCloudOpen:
		var of faults
		of.openURL("auth", c.apiURL)
		for _, fault := range of {
			f.add("auth", "does not fit to the worker: "+fault.Where+" "+fault.Problem, "give another auth")
		}
	case s.Auth != authComponent:
	case c.component.AppID == "":
		f.add("auth", "is component, and the worker has no "+variable("COMPONENT_APP_ID"), "give another auth, or set that")
	case !c.stateKeys:
		f.add("auth", "is component, and the worker has no "+variable("STATE_KEY_FILE"), "give another auth, or set that")
	}
}

// fit checks the shop against others.
func (r *reading) fit(others []Shop) {
	all := slices.Clip(slices.Clone(others))
	roster := mergeRoster(append(all, r.shop))
	for i := range others {
		roster.add(i)
	}
	for _, c := range roster.of(len(others)) {
		r.faults.add(r.place(c.field), c.problem, c.allowed)
	}
}
