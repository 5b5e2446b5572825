package cli

import (
	"context"
	"fmt"
	"log/slog"
	"slices"

	"github.com/segmentio/kafka-go"

	"orderwalk/internal/config"
	"orderwalk/internal/grouplog"
	"orderwalk/internal/kafkaconn"
	"orderwalk/internal/platform"
	"orderwalk/internal/record"
	"orderwalk/internal/roster"
	"orderwalk/internal/wechat"
)

// tenants is the state of a platform's shops that check reads. Fetching a
// shop's token would replace its refresh token, which run stores. So check
// calls with the token that run has stored, or only reports whether the shop
// has authorised the platform.
type tenants struct {
	platform   string // app ID
	known      platform.Known
	authorised map[string]bool
	listed     []wechat.Authorizer
}

// authorized adds the shops that are walked because they have authorised the platform to
// those of the configuration.
func (k *checkup) authorized(cfg *config.Config, t *tenants) {
	if cfg.Authorized == nil || t == nil {
		return
	}
	members := t.known.Members()
	if len(members) == 0 { // run has not read the list yet
		slices.SortStableFunc(t.listed, func(a, b wechat.Authorizer) int { return a.AuthorizedAt.Compare(b.AuthorizedAt) })
		for _, a := range t.listed {
			members = append(members, a.AppID)
		}
	}
	all, n := roster.Choose(cfg, members)
	cfg.Shops = all
	cfg.OrdersTopics = topicsOf(all)
	f := finding{Check: "authorised shops", OK: true, Detail: fmt.Sprintf("%d of %d are walked, excluded: %d", n.Walked, n.Walked+n.Unfit+n.Beyond, n.Excluded)}
	if n.Unfit > 0 {
		f.Do = append(f.Do, fmt.Sprintf("not walked because of another shop: %d; see the log of run", n.Unfit))
	}
	if n.Beyond > 0 {
		f.Do = append(f.Do, fmt.Sprintf("the limit is %d: raise limit in the shops file, or exclude shops there", cfg.Authorized.Limit))
	}
	k.add(f)
}

// topicsOf lists the topics of shops, each once.
func topicsOf(shops []config.Shop) (topics []string) {
	seen := make(map[string]bool)
	for _, s := range shops {
		if !seen[s.Topic] {
			seen[s.Topic] = true
			topics = append(topics, s.Topic)
		}
	}
	return topics
}

// platform checks the token of the third-party platform; nil if no platform is
// configured or its token cannot be fetched.
func (k *checkup) platform(ctx context.Context, cfg *config.Config, host *wechat.Host) *tenants {
	if cfg.Component.AppID == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, checkLimit)
	defer cancel()
	check := "platform " + cfg.Component.AppID
	all := &tenants{platform: cfg.Component.AppID, authorised: make(map[string]bool)}
	all.known, _ = storedTokens(ctx, cfg) // the checks of Kafka report its errors
	p := wechat.Platform{Host: host, AppID: cfg.Component.AppID, Secret: cfg.Component.AppSecret}
	f := finding{Check: check, OK: true, Detail: "by the token that the group has stored"}
	token := all.known.Token
	if token == "" {
		ticket := now(cfg.Component.VerifyTicket)
		f.Detail = "by the verify ticket of ORDERWALK_COMPONENT_VERIFY_TICKET_FILE"
		if all.known.Ticket != "" {
			ticket, f.Detail = all.known.Ticket, "by the verify ticket that the group has stored"
		}
		if ticket == "" {
			k.failed(check, "no verify ticket has arrived", "start run with ORDERWALK_PUSH_LISTEN: the vendor pushes a ticket to /push/component/"+
				cfg.Component.AppID+" every 10 minutes; or give one by ORDERWALK_COMPONENT_VERIFY_TICKET_FILE or over HTTP (docs/CALLS.md)")
			return nil
		}
		got, err := p.ComponentToken(ctx, ticket)
		if err != nil {
			k.add(apiFinding(check, err, cfg.APIURL))
			return nil
		}
		token = got.Value
	}
	listed, err := p.Authorizers(ctx, token)
	if err != nil {
		k.add(apiFinding(check, err, cfg.APIURL))
		return nil
	}
	all.listed = listed
	for _, a := range listed {
		all.authorised[a.AppID] = true
	}
	f.Detail += fmt.Sprintf("; authorised by %s", count(len(listed), "shop"))
	k.add(f)
	return all
}

// keptToken returns the access token that run has stored.
func keptToken(access string) func(context.Context, string) (string, error) {
	return func(_ context.Context, refused string) (string, error) {
		if refused != "" {
			return "", &wechat.Error{Op: "get access token", Class: wechat.Wait, Message: "the API refused the token that run has stored",
				Hint: "run fetches a new token: check again in a minute"}
		}
		return access, nil
	}
}

// storedTokens reads the tokens that run has stored on the group's log, if it
// exists.
func storedTokens(ctx context.Context, cfg *config.Config) (platform.Known, error) {
	quiet := slog.New(slog.DiscardHandler)
	brokers := kafkaconn.New(kafkaConfig(cfg.Kafka, "orderwalk", quiet))
	defer brokers.Close()
	ctx, cancel := context.WithTimeout(ctx, checkLimit/4)
	defer cancel()
	client := kafka.Client{Addr: brokers.Addr, Transport: brokers.Transport}
	answer, err := client.Metadata(ctx, &kafka.MetadataRequest{Topics: []string{cfg.OffsetsTopic}})
	if err != nil {
		return platform.Known{}, fmt.Errorf("describe topic %s: %w", cfg.OffsetsTopic, err)
	}
	if len(answer.Topics) != 1 || answer.Topics[0].Error != nil {
		return platform.Known{}, nil // the topic does not exist yet
	}
	lane := int(record.Partition(grouplog.Key(cfg.Group), len(answer.Topics[0].Partitions)))
	return platform.New(platform.Config{Keys: platform.Keys(cfg.StateKeys), Component: cfg.Component.AppID, Logger: quiet, Log: grouplog.New(grouplog.Config{
		Group: cfg.Group, Topic: cfg.OffsetsTopic, Addr: brokers.Addr, Transport: brokers.Transport, Log: quiet})}).Look(ctx, lane)
}

// shop returns the findings of a shop that need no list call, and the access
// token if a list call is possible.
func (t *tenants) shop(s config.Shop) (found []finding, access string) {
	check := "token of " + s.Name
	access, problem, code := t.known.Shop(s.AppID)
	switch {
	case access != "":
		return nil, access
	case problem != "":
		return []finding{{Check: check, Detail: fmt.Sprintf("errcode %d %s", code, problem)}}, ""
	case !t.authorised[s.AppID]:
		return []finding{{Check: check, Detail: "the shop has not authorised the platform",
			Do: []string{"ask its owner to authorise platform " + t.platform + ", with permission set 131"}}}, ""
	}
	return []finding{
		{Check: check, OK: true, Detail: "the shop has authorised the platform; run fetches its token"},
		{Check: "list call of " + s.Name, OK: true, Detail: "not checked: only run may fetch its token; check again when run is up"},
	}, ""
}
