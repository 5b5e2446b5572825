package main

// noSecret fails if a text shows a secret that is in use.
func (p *process) noSecret(where, text string) {
	p.t.Helper()
	if found := p.leaks.FindSimulated(text); found != "" {
		p.t.Errorf("%s shows %s", where, found)
	}
}

// searched looks for secrets in all pages of a worker.
func (p *process) searched(page string) {
	p.t.Helper()
	for _, path := range []string{"/metrics", "/", "/readyz", "/livez", "/health", "/connectors"} {
		code, body := get(p.t, page+path)
		if code == 0 {
			p.t.Errorf("%s: %s", path, body)
		}
		p.noSecret(path, body)
	}
}
