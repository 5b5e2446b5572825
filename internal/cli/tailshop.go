package cli

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"orderwalk/internal/config"
	"orderwalk/internal/fleet"
)

// tailNames finds the shop that tail prints.
type tailNames struct {
	configured []config.Named
	// ask returns the shops that a worker knows. It is called only for a name that is not
	// configured here: tail needs no worker.
	ask func() ([]fleet.Shop, error)
}

// tailed is what tail prints only.
type tailed struct {
	appID, timeRange string // empty = all
	topic            string // of the shop; empty = that of the settings
	known            bool   // the shop is configured, or a worker knows it
	worker           error  // why no worker was asked successfully; nil = one was, or need not be
}

// topicOf is find with the topic to read: the one that was asked for, that of the shop, or
// the configured one, whose name may stand for the topics of several shops.
func (n tailNames) topicOf(shop, asked, configured string) (one tailed, topic string, err error) {
	if one, err = n.find(shop); err != nil {
		return tailed{}, "", err
	}
	topic = cmp.Or(asked, one.topic, configured)
	if config.IsTemplate(topic) && one.appID == "" {
		return tailed{}, "", &usageError{"each shop has a topic of its own, " + topic + ": give --shop or --topic"}
	}
	return one, config.TopicOf(topic, one.appID), nil
}

// find returns what to print for the value of --shop. An app ID need not be known: other
// groups may write to the topic.
func (n tailNames) find(shop string) (tailed, error) {
	if shop == "" {
		return tailed{}, nil
	}
	var names []string
	for _, s := range n.configured {
		if s.AppID == shop {
			return tailed{appID: shop, known: true}, nil
		}
	}
	for _, s := range n.configured {
		if s.Name == shop {
			return tailed{appID: s.AppID, timeRange: s.TimeRange, known: true}, nil
		}
		names = append(names, s.Name)
	}
	shops, err := n.ask()
	if found := among(shops, shop); found.known {
		return found, nil
	}
	for _, s := range shops {
		names = append(names, s.Name)
	}
	slices.Sort(names)
	names = slices.Compact(names)
	if len(names) == 0 || strings.HasPrefix(shop, "wx") {
		return tailed{appID: shop, worker: err}, nil
	}
	missing := &shopError{text: fmt.Sprintf("--shop: no shop has the name %q", shop), hint: "give one of " + firstTen(names) + ", or an app ID"}
	if near := config.Nearest(shop, names); near != "" {
		missing.hint = "did you mean " + near + "?"
	}
	if err != nil {
		missing.hint += namesOnly(err)
	}
	return tailed{}, missing
}

// among finds a shop by its app ID, or else by its name.
func among(shops []fleet.Shop, shop string) tailed {
	var ofID []fleet.Shop
	for _, s := range shops {
		if s.AppID == shop {
			ofID = append(ofID, s)
		}
	}
	if len(ofID) > 0 {
		found := tailed{appID: shop, topic: ofID[0].Topic, known: true}
		if slices.ContainsFunc(ofID, func(s fleet.Shop) bool { return s.Topic != found.topic }) {
			found.topic = "" // its ranges have their own
		}
		return found
	}
	for _, s := range shops {
		if s.Name == shop {
			return tailed{appID: s.AppID, timeRange: s.Range, topic: s.Topic, known: true}
		}
	}
	return tailed{}
}

func namesOnly(err error) string {
	return fmt.Sprintf("; only configured names are known here, not those of shops made over REST: %v", err)
}

// noOrders distinguishes a shop without orders, which is not a failure, from a
// shop that may not exist.
func (t tailed) noOrders(w io.Writer, shop, topic string) error {
	called := fmt.Sprintf("%q", shop)
	if shop != t.appID {
		called += " (" + t.appID + ")"
	}
	switch {
	case t.known:
		fmt.Fprintf(w, "no order of %s in topic %s yet\n", called, topic)
		return nil
	case strings.HasPrefix(shop, "wx"):
		return fmt.Errorf("no order of %s in topic %s; check the app ID", called, topic)
	}
	missing := &shopError{text: fmt.Sprintf("no order of %s in topic %s", called, topic),
		hint: "records hold the app ID, not the name: give the app ID, or name a worker with --worker"}
	if t.worker != nil {
		missing.text += fmt.Sprintf(", and no worker tells the names of shops (%v)", t.worker)
	}
	return missing
}
