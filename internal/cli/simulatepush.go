package cli

import (
	"context"
	"fmt"
	"net/url"
	"strings"

	"golang.org/x/sync/errgroup"

	"orderwalk/simulator"
)

// simulatedPush is the destination of pushes about simulated shops. Its token
// and key are generated and printed.
type simulatedPush struct {
	url           string // of the listener, without a path; "" = no pushes
	token, aesKey string
}

func (p simulatedPush) check() error {
	u, err := url.Parse(p.url)
	if err != nil || p.url != "" && (u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || strings.Trim(u.Path, "/") != "") {
		return &usageError{"--push-url: give http:// or https://, a host and a port"}
	}
	return nil
}

// pusher returns a pusher for the world's shops, or for their platform if it has
// one; nil if pushes are off.
func (p simulatedPush) pusher(api *simulator.Server, world simulator.Config) (*simulator.Pusher, error) {
	if p.url == "" {
		return nil, nil
	}
	base := strings.TrimRight(p.url, "/") + "/push/"
	cfg := simulator.PushConfig{Server: api}
	var appIDs []string
	for _, s := range world.Shops {
		appIDs = append(appIDs, s.AppID)
		cfg.Shops = append(cfg.Shops, simulator.PushShop{AppID: s.AppID, URL: base + s.AppID, Token: p.token, AESKey: p.aesKey})
	}
	if id := world.Platform.AppID; id != "" {
		cfg.Shops = nil
		cfg.Platforms = []simulator.PushPlatform{{AppID: id, Token: p.token, AESKey: p.aesKey, Shops: appIDs,
			AuthURL: base + "component/" + id, EventURL: base + "component/" + id + "/$APPID$"}}
	}
	pusher, err := simulator.NewPusher(cfg)
	if err != nil {
		return nil, &usageError{"--push-token, --push-aes-key: " + err.Error()}
	}
	return pusher, nil
}

// environment returns the variables that receive these pushes, as shell commands.
func (p simulatedPush) environment() string {
	if p.url == "" {
		return ""
	}
	u, _ := url.Parse(p.url) // checked
	return fmt.Sprintf("export ORDERWALK_PUSH_LISTEN=%s\nexport ORDERWALK_PUSH_TOKEN=%s\nexport ORDERWALK_PUSH_AES_KEY=%s\n", u.Host, p.token, p.aesKey)
}

// beside runs serve and, if not nil, the pusher in parallel.
func beside(ctx context.Context, pusher *simulator.Pusher, serve func(context.Context) error) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return serve(ctx) })
	if pusher != nil {
		group.Go(func() error { return pusher.Run(ctx) })
	}
	return group.Wait()
}
