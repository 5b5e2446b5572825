package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"orderwalk/connector"
	"orderwalk/internal/config"
	"orderwalk/internal/forecast"
	"orderwalk/internal/platform"
	"orderwalk/internal/roster"
	"orderwalk/internal/wechat"
)

const planAbout = `
It estimates the work of run for the range from ORDERWALK_START_TIME to
ORDERWALK_END_TIME, or to now: orders, windows, list calls, their share of the
day's quota, and the time. It samples a few short windows spread over the range;
bursts between them are not counted.

It reads the configuration as run does, publishes nothing and stores nothing. It
needs Kafka only for the shops of a third-party platform, whose tokens run
stores there.
`

const planExamples = `
  orderwalk plan
  ORDERWALK_START_TIME=2026-01-01 ORDERWALK_END_TIME=2026-07-01 orderwalk plan
  orderwalk plan --calls 500     a closer estimate
`

const (
	// planHear bounds the wait for the first answer of the API, and planLimit the
	// sampling of one shop.
	planHear  = 20 * time.Second
	planLimit = 2 * time.Minute
	// planCalls is the default number of list calls to sample a shop with, and
	// planMost the limit if its orders come unevenly.
	planCalls, planMost = 20, 100
	// planAtOnce is the number of shops sampled in parallel.
	planAtOnce = 8
)

// planCommand estimates the work of run for a range.
func planCommand(streams Streams) *cobra.Command {
	cmd := &cobra.Command{
		Use: "plan", Short: "estimate the calls and the time of a range, without publishing",
		Long: planAbout, Example: planExamples, Args: noArguments,
	}
	calls := cmd.Flags().Int("calls", 0, fmt.Sprintf("`number` of list calls to sample each shop with (default %d, up to %d for uneven orders)", planCalls, planMost))
	asJSON := cmd.Flags().Bool("json", false, "print one JSON object instead of lines")
	data := dataFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		least, most := planCalls, planMost
		if cmd.Flags().Changed("calls") {
			least, most = *calls, *calls
		}
		defaults, err := data.settings(streams.Err, "ORDERWALK_KAFKA_BROKERS", "ORDERWALK_APP_ID", "ORDERWALK_SHOPS_FILE", "ORDERWALK_SHOPS")
		if err != nil {
			return err
		}
		if defaults == nil {
			// A placeholder, since Kafka may be unconfigured.
			defaults = map[string]string{"ORDERWALK_KAFKA_BROKERS": "localhost:9092"}
		}
		return runPlan(cmd.Context(), streams, defaults, least, most, *asJSON)
	}
	return cmd
}

func runPlan(ctx context.Context, c Streams, defaults map[string]string, least, most int, asJSON bool) error {
	if least < 8 || most > 10000 {
		return &usageError{"--calls: give a number from 8 to 10000"}
	}
	cfg, err := config.Load(defaults)
	if err != nil {
		return err
	}
	var stored platform.Known
	var unknown error // why no tokens are known
	if cfg.Authorized != nil || slices.ContainsFunc(cfg.Shops, func(s config.Shop) bool { return s.Auth == wechat.AuthComponent }) {
		stored, unknown = storedTokens(ctx, cfg)
	}
	if cfg.Authorized != nil && unknown != nil {
		return fmt.Errorf("read which shops have authorised the platform: %w", unknown)
	}
	cfg.Shops, _ = roster.Choose(cfg, stored.Members())
	if !begins(cfg.Shops) {
		return &usageError{"ORDERWALK_START_TIME is not set: run would begin at the time of its first start, so the range is empty"}
	}
	host := &wechat.Host{URL: cfg.APIURL}
	defer host.Close()
	book := &shopBook{host: host, metrics: connector.NewMetrics(prometheus.NewRegistry()), log: slog.New(slog.DiscardHandler), clients: map[string]known{}}
	p := planning{cfg: cfg, host: host, least: least, most: most, asking: newAsking(c, cfg.APIURL, len(cfg.Shops), "shops planned")}
	p.known, p.unknown = stored, unknown
	book.kept = p.known
	plan := p.run(ctx, book.shops(cfg))
	p.asking.end()
	if ctx.Err() != nil {
		return errInterrupted
	}
	if asJSON {
		err = plan.writeJSON(c.Out)
	} else {
		err = plan.writeText(c.Out)
	}
	if err != nil {
		return fmt.Errorf("write the plan: %w", err)
	}
	if failed := plan.failed(); failed > 0 {
		return fmt.Errorf("%d of %d shops cannot be planned", failed, len(plan.Shops))
	}
	return nil
}

// begins reports whether a shop has a start time.
func begins(shops []config.Shop) bool {
	for _, s := range shops {
		if s.Start > 0 {
			return true
		}
	}
	return false
}

// planning holds the inputs of a plan.
type planning struct {
	cfg  *config.Config
	host *wechat.Host
	// least and most bound the list calls with which a shop is sampled.
	least, most int
	asking      *asking
	// known holds the tokens that run has stored for a platform's shops; unknown
	// is the error of reading them.
	known   platform.Known
	unknown error
}

// run plans the shops, several in parallel, and adds up the totals.
func (p *planning) run(ctx context.Context, shops []connector.Shop) plan {
	sharing := make(map[string]int) // shops of an app ID
	for _, s := range shops {
		sharing[s.AppID]++
	}
	out := plan{Shops: make([]shopPlan, len(shops)), liveShare: p.cfg.QuotaLiveShare, now: time.Now()}
	var group errgroup.Group
	group.SetLimit(planAtOnce)
	for i, shop := range shops {
		group.Go(func() error {
			out.Shops[i] = p.shop(ctx, shop, p.cfg.Shops[i], sharing[shop.AppID])
			p.asking.one(out.Shops[i].Error != "")
			return nil
		})
	}
	_ = group.Wait() // no function above fails
	out.divide()
	return out
}

// shop plans one shop. sharing is the number of shops that share its app ID's rate.
func (p *planning) shop(ctx context.Context, shop connector.Shop, s config.Shop, sharing int) shopPlan {
	out := shopPlan{Shop: s.Name, AppID: s.AppID, TimeRange: s.TimeRange, Concurrency: p.cfg.Concurrency}
	limit := planHear
	fail := func(err error) shopPlan {
		out.Start, out.End, out.Open = 0, 0, false // set from the API's time, which may be unknown
		out.Error, out.Do = explained(err, p.cfg.APIURL, limit)
		return out
	}
	access, problem, code := p.known.Shop(s.AppID)
	switch {
	case s.Auth != wechat.AuthComponent, access != "":
	case p.unknown != nil:
		out.Error, out.Do = fmt.Sprintf("read the token that run has stored: %v", p.unknown), []string{"check ORDERWALK_KAFKA_BROKERS with orderwalk check"}
		return out
	case problem != "":
		out.Error = fmt.Sprintf("errcode %d %s", code, problem)
		return out
	default:
		out.Error, out.Do = "run has stored no token for this shop", []string{"start run with this shop in its shops file, or plan it with its own access token (auth static, access_token_file or access_token_url)"}
		return out
	}
	if s.Start == 0 {
		out.Note = "no start time: run begins at the time of its first start, so the range is empty"
		return out
	}
	if p.asking.silent.Load() {
		out.Error = silence
		return out
	}
	defer p.asking.watch(shop.Client, limit)()
	ctx, cancel := context.WithTimeout(ctx, planLimit)
	defer cancel()
	ctx, stop := whileCalls(ctx, shop.Client)
	defer stop()
	began := time.Now()
	hearing, heard := context.WithTimeout(ctx, planHear)
	err := shop.Client.Hear(hearing)
	heard()
	if err != nil {
		p.asking.waited(p.host, began, err)
		return fail(errors.Join(context.Cause(ctx), err))
	}
	limit = planLimit
	now, _ := p.host.Now()
	policy := shop.Policy
	if end := policy.Horizon(now); policy.End == 0 || policy.End > end {
		policy.End, out.Open = end, true
	}
	out.Start, out.End = policy.Start, policy.End
	if policy.End <= policy.Start {
		out.Note = "the range is still empty"
		return out
	}
	out.limits(ctx, shop.Client, s, sharing)
	if out.Quota != nil && out.Quota.Remaining == 0 {
		return fail(&wechat.Error{Op: wechat.ListOp, Code: 45009, Class: wechat.Quota, Message: "the day's calls are used up", Hint: "plan again after 00:00 Asia/Shanghai"})
	}
	most := p.most
	if out.Quota != nil { // leave most of them to a running walk
		most = max(1, int(min(int64(most), out.Quota.Remaining/10)))
	}
	sample, err := forecast.Measure(ctx, shop.Client, policy, p.least, most)
	if err != nil {
		return fail(errors.Join(context.Cause(ctx), err))
	}
	out.learn(policy, sample, now, s.End > policy.End || s.End == 0)
	return out
}

// whileCalls ends ctx when the day's calls are used up: what a walk waits
// for a day for.
func whileCalls(ctx context.Context, client *wechat.Client) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		ticker := time.NewTicker(200 * time.Millisecond)
		defer ticker.Stop()
		for {
			if state, _, why := client.State(); state == wechat.StateQuotaExhausted {
				cancel(why)
			}
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
			}
		}
	}()
	return ctx, func() {
		cancel(nil)
		<-watched
	}
}

// explained returns the text of an API error and what to do about it. limit is the
// time that the call was allowed.
func explained(err error, url string, limit time.Duration) (text string, do []string) {
	var apiErr *wechat.Error
	var waited *wechat.Interrupted
	if errors.As(err, &apiErr); apiErr == nil && errors.As(err, &waited) {
		apiErr = waited.Last
	}
	late := errors.Is(err, context.DeadlineExceeded)
	text, hint := err.Error(), ""
	if apiErr != nil {
		bare := *apiErr
		bare.Hint = ""
		text, hint = bare.Error(), apiErr.Hint
	}
	switch {
	case late && apiErr == nil && waited != nil:
		text = fmt.Sprintf("no answer within %s: %s", limit, waited.Op)
	case late:
		text = fmt.Sprintf("no success within %s: %s", limit, text)
	}
	if hint == "" && (late || apiErr != nil) {
		hint = wayHint(url, apiErr)
	}
	if hint != "" {
		do = []string{hint}
	}
	return text, do
}
