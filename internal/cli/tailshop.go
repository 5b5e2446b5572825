package cli

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"orderwalk/internal/config"
)

// only makes the printer print one shop, by its name or app ID among the
// configured ones. An app ID need not be configured: other groups may write to
// the topic.
func (p *printer) only(shop string, shops []config.Named) error {
	p.shop, p.timeRange = shop, ""
	if shop == "" || slices.ContainsFunc(shops, func(s config.Named) bool { return s.AppID == shop }) {
		return nil
	}
	var names []string
	for _, s := range shops {
		if s.Name == shop {
			p.shop, p.timeRange = s.AppID, s.TimeRange
			return nil
		}
		names = append(names, s.Name)
	}
	if len(shops) == 0 || strings.HasPrefix(shop, "wx") {
		return nil
	}
	text := fmt.Sprintf("--shop: no shop has the name %q", shop)
	if near := config.Nearest(shop, names); near != "" {
		return &usageError{text + "; did you mean " + near + "?"}
	}
	const most = 10
	more := ""
	if len(names) > most {
		names, more = names[:most], ", …"
	}
	return &usageError{text + "; give one of " + strings.Join(names, ", ") + more + ", or an app ID"}
}

// noOrders distinguishes a shop without orders, which is not a failure, from a
// shop that may not exist.
func noOrders(w io.Writer, shop, appID, topic string, shops []config.Named) error {
	called := fmt.Sprintf("%q", shop)
	if shop != appID {
		called += " (" + appID + ")"
	}
	known := slices.ContainsFunc(shops, func(s config.Named) bool { return s.AppID == appID })
	switch {
	case known:
		fmt.Fprintf(w, "no order of %s in topic %s yet\n", called, topic)
		return nil
	case strings.HasPrefix(shop, "wx"):
		return fmt.Errorf("no order of %s in topic %s; check the app ID", called, topic)
	}
	return fmt.Errorf("no order of %s in topic %s: records hold the app ID, not the name; give the app ID, or set ORDERWALK_SHOPS_FILE", called, topic)
}
