package fleet

import (
	"context"
	"iter"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"orderwalk/connector"
	"orderwalk/connector/window"
	"orderwalk/internal/backoff"
	"orderwalk/internal/desired"
	"orderwalk/internal/roster"
	"orderwalk/internal/wechat"
)

// Config is what a worker's view needs.
type Config struct {
	Connector *connector.Connector
	Desired   *desired.Store
	Roster    *roster.Roster
	// Worker is this worker's ID, and Client calls the other workers.
	Worker string
	Client *http.Client
	// Log gets workers that do not answer.
	Log *slog.Logger
}

// Fleet is one worker's view. Several goroutines may use it.
type Fleet struct {
	cfg     Config
	conn    *connector.Connector
	desired *desired.Store

	steering sync.Mutex // an older state must not be passed on after a newer one
}

// New returns a view; CatchUp and Follow keep the connector to what is wanted.
func New(cfg Config) *Fleet { return &Fleet{cfg: cfg, conn: cfg.Connector, desired: cfg.Desired} }

// retry is the pause after shops that were created or deleted could not be taken over.
const retry = 2 * time.Second

// Prepare reads what is wanted of the shops, which were created, and which have authorised
// the platform, before the first of them is walked.
func (f *Fleet) Prepare(ctx context.Context) error {
	if err := f.CatchUp(ctx); err != nil {
		return err
	}
	if err := f.Update(ctx); err != nil && ctx.Err() == nil {
		f.cfg.Log.Warn("cannot take over the shops that the group has yet; retrying", "reason", err)
	}
	return nil
}

// CatchUp reads what is wanted of the shops so far, and passes it on to the connector.
func (f *Fleet) CatchUp(ctx context.Context) error {
	if err := f.desired.CatchUp(ctx); err != nil {
		return err
	}
	f.steer()
	return nil
}

// Follow passes what is wanted of the shops on to the connector, until ctx ends.
func (f *Fleet) Follow(ctx context.Context) {
	var updating sync.WaitGroup
	defer updating.Wait()
	updating.Go(func() { f.followRoster(ctx) })
	for {
		news := f.desired.News()
		f.steer()
		select {
		case <-news:
		case <-ctx.Done():
			return
		}
	}
}

// followRoster takes over shops that were created or deleted, have authorised the platform
// or withdrawn that. It may wait for Kafka, which a pause
// must not.
func (f *Fleet) followRoster(ctx context.Context) {
	said := ""
	for {
		news, members := f.desired.News(), f.cfg.Roster.News()
		var again <-chan time.Time
		began := time.Now()
		err := f.Update(ctx)
		// Many shops that are created one by one are taken over together: an update takes
		// the time of all shops that there are.
		_ = backoff.Sleep(ctx, time.Since(began))
		if err == nil {
			said = ""
		} else if ctx.Err() == nil {
			again = time.After(retry)
			if text := err.Error(); text != said {
				said = text
				f.cfg.Log.Warn("cannot take over the changed list of shops yet; retrying", "reason", err)
			}
		}
		select {
		case <-news:
		case <-members:
		case <-again:
		case <-ctx.Done():
			return
		}
	}
}

// Update walks the shops that the roster has now. What is wanted of a created shop is
// known before it is walked, and a deleted one is stopped before what was wanted of it is
// forgotten.
func (f *Fleet) Update(ctx context.Context) error {
	f.steer()
	err := f.cfg.Roster.Update(ctx)
	if err == nil {
		f.steer()
	}
	return err
}

func (f *Fleet) steer() {
	f.steering.Lock()
	defer f.steering.Unlock()
	leaving := f.cfg.Roster.Leaving()
	all := f.desired.All()
	wanted := make(map[string]connector.Wanted, len(all))
	for name, s := range all {
		wanted[name] = connector.Wanted{Paused: s.Target == desired.Paused, Stopped: s.Target == desired.Stopped,
			Restarts: s.Restarts, IfFailed: s.IfFailed}
	}
	for name := range leaving {
		wanted[name] = connector.Wanted{Stopped: true}
	}
	f.conn.Steer(wanted)
}

// Names lists all shops, sorted.
func (f *Fleet) Names() []string {
	names := []string{} // not nil: clients want an array
	for s := range f.shops() {
		names = append(names, s.Name)
	}
	slices.Sort(names)
	return names
}

// Config returns a shop's configuration as that of a connector.
func (f *Fleet) Config(name string) map[string]string {
	sent, _ := f.cfg.Roster.Config(name)
	return sent
}

// shops yields all shops: those that are walked, by any worker, and created and authorised
// ones that are not.
func (f *Fleet) shops() iter.Seq[connector.Shop] {
	return func(yield func(connector.Shop) bool) {
		idle, leaving := f.idles(), f.cfg.Roster.Leaving()
		for _, s := range f.conn.Shops() {
			delete(idle, s.Name)
			if !leaving[s.Name] && !yield(s) {
				return
			}
		}
		for _, i := range idle {
			s := i.Shop
			if !yield(connector.Shop{Name: s.Name, AppID: s.AppID, Topic: s.Topic, Policy: window.Policy{Range: wechat.Range(s.TimeRange)}}) {
				return
			}
		}
	}
}

// idles are the created and authorised shops that are not walked, by name. They are read
// before the connector's shops, and those that it has been given meanwhile left out: so none
// is missing or there twice while a list is taken over.
func (f *Fleet) idles() map[string]roster.Idle {
	all := f.cfg.Roster.Idle()
	idle := make(map[string]roster.Idle, len(all))
	for _, i := range all {
		idle[i.Shop.Name] = i
	}
	return idle
}

// Own lists this worker's reports: those of the shops of its lanes, by name; of one shop
// if only is its name.
func (f *Fleet) Own(only string) []Shop {
	return slices.DeleteFunc(f.all(), func(s Shop) bool {
		return s.State == connector.StateElsewhere || s.Lane < 0 || only != "" && s.Name != only
	})
}

// all lists this worker's reports of all shops, by name; of those in other lanes it knows
// little.
func (f *Fleet) all() []Shop {
	now := time.Now()
	idle := f.idles()
	listed, status := f.conn.Shops(), f.conn.Status()
	topics := make(map[string]string, len(listed))
	for _, s := range listed {
		topics[s.Name] = s.Topic
	}
	leaving := f.cfg.Roster.Leaving()
	out := make([]Shop, 0, len(status)+len(idle)) // not nil: clients want an array
	for _, s := range status {
		delete(idle, s.Name)
		if !leaving[s.Name] {
			out = append(out, f.report(s, topics[s.Name], now))
		}
	}
	for _, i := range idle {
		out = append(out, f.idle(i))
	}
	slices.SortFunc(out, func(a, b Shop) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// idle reports about a created or authorised shop that no worker walks.
func (f *Fleet) idle(idle roster.Idle) Shop {
	wanted := f.desired.Of(idle.Shop.Name)
	s := Shop{Name: idle.Shop.Name, AppID: idle.Shop.AppID, Range: idle.Shop.TimeRange, Topic: idle.Shop.Topic,
		Worker: f.cfg.Worker, Lane: -1, State: connector.StateStarting, Since: wanted.At, Target: wanted.Target}
	switch {
	case wanted.Target == desired.Stopped:
		s.State = connector.StateStopped
	case idle.Reason != "":
		s.State, s.Reason = connector.StateFailed, idle.Reason
	}
	return s
}
