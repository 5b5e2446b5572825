package fleet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"orderwalk/connector"
	"orderwalk/internal/group"
)

const (
	// askTimeout is how long another worker may take to report its shops.
	askTimeout = 5 * time.Second
	// mostReport bounds a report: ten thousand shops take about 4 MB.
	mostReport = 256 << 20
	// ReportPath is where a worker serves its own reports, as a JSON array of Shop; with
	// shop=NAME that of one shop. An older version serves all.
	ReportPath = "/shops?scope=worker"
)

// Shops lists all shops by name, as the workers that walk them report. A shop whose worker
// does not answer, or that has none, is Unknown, with the reason.
func (f *Fleet) Shops(ctx context.Context) []Shop { return f.complete(ctx, f.all(), "") }

// complete asks other workers about shops of their lanes; about one shop if only is its
// name.
func (f *Fleet) complete(ctx context.Context, shops []Shop, only string) []Shop {
	at := make(map[string]int) // of those in other lanes
	lanes := make(map[int]bool)
	for i, s := range shops {
		if s.State == connector.StateElsewhere {
			at[s.Name], lanes[s.Lane] = i, true
		}
	}
	if len(at) == 0 {
		return shops
	}
	workers, err := f.conn.Workers(ctx)
	owner := make(map[int]group.Worker)
	var asking sync.WaitGroup
	var mu sync.Mutex
	failed := make(map[string]error) // by worker
	for _, w := range workers {
		for _, lane := range w.Lanes {
			owner[lane] = w
		}
		if w.Self || !slices.ContainsFunc(w.Lanes, func(lane int) bool { return lanes[lane] }) {
			continue
		}
		asking.Go(func() {
			err := f.ask(ctx, w, only, func(r Shop) {
				mu.Lock()
				defer mu.Unlock()
				// Its reports are of now, this worker's own of a moment ago: a lane may
				// have moved in between.
				if i, known := at[r.Name]; known && shops[i].State == connector.StateElsewhere {
					r.Topic, r.Target = shops[i].Topic, shops[i].Target
					shops[i] = r
				}
			})
			mu.Lock()
			defer mu.Unlock()
			failed[w.ID] = err
		})
	}
	asking.Wait()
	for i, s := range shops {
		if s.State != connector.StateElsewhere {
			continue
		}
		w, assigned := owner[s.Lane]
		shops[i].State, shops[i].Worker = Unknown, w.ID
		switch why, asked := failed[w.ID]; {
		case err != nil:
			shops[i].Worker, shops[i].Reason = "", err.Error()
		case !assigned:
			shops[i].Reason = fmt.Sprintf("no worker has lane %d", s.Lane)
		case why != nil:
			shops[i].Reason = why.Error()
		case asked:
			shops[i].Reason = fmt.Sprintf("worker %s has lane %d and does not walk the shop: it is about to, or its configuration does not list the shop", w.ID, s.Lane)
		default:
			shops[i].Reason = "lane " + fmt.Sprint(s.Lane) + " is being opened"
		}
	}
	return shops
}

// Shop returns one shop, as the worker that walks it reports, or an UnknownError.
func (f *Fleet) Shop(ctx context.Context, name string) (Shop, error) {
	s, err := f.Known(ctx, name)
	if err != nil {
		return Shop{}, err
	}
	return f.complete(ctx, []Shop{s}, s.Name)[0], nil
}

// Known returns one shop as this worker knows it, or an UnknownError: without its state and
// how far it has come, if another worker walks it. It waits for no other worker.
func (f *Fleet) Known(ctx context.Context, name string) (Shop, error) {
	shop, err := f.find(ctx, name)
	if err != nil {
		return Shop{}, err
	}
	idle := f.idles()
	if s, walked := f.conn.StatusOf(shop.Name); walked {
		return f.report(s, shop.Topic, time.Now()), nil
	}
	if i, known := idle[shop.Name]; known {
		return f.idle(i), nil
	}
	return Shop{}, &UnknownError{shop.Name}
}

// Latest is Known by the latest state, of which this worker may not have heard yet.
func (f *Fleet) Latest(ctx context.Context, name string) (Shop, error) {
	f.latest(ctx)
	return f.Known(ctx, name)
}

// errNoPage is a URL that no worker gives.
var errNoPage = errors.New("where it says that it serves HTTP is not the URL of a host and port")

// pageOf returns where a worker serves its reports. Another member of the group may give any
// text as its URL; it cannot choose the path of the call.
func pageOf(worker string) (string, error) {
	at, err := url.Parse(worker)
	if err != nil || at.Scheme != "http" && at.Scheme != "https" || at.Port() == "" || strings.TrimSuffix(worker, "/") != at.Scheme+"://"+at.Host {
		return "", errNoPage
	}
	return at.Scheme + "://" + at.Host + ReportPath, nil
}

// ask calls report with each of a worker's own reports, as they arrive; about one shop if
// only is its name.
func (f *Fleet) ask(ctx context.Context, w group.Worker, only string, report func(Shop)) error {
	if w.URL == "" {
		return fmt.Errorf("worker %s did not say where it serves HTTP", w.ID)
	}
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	page, err := pageOf(w.URL)
	if err != nil {
		return fmt.Errorf("ask worker %s: %w", w.ID, err)
	}
	if only != "" {
		page += "&shop=" + url.QueryEscape(only)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, page, nil)
	if err != nil {
		return fmt.Errorf("ask worker %s: %w", w.ID, err)
	}
	client := *f.cfg.Client
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	resp, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("ask worker %s: %w", w.ID, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("ask worker %s: it answered %s", w.ID, resp.Status)
	}
	in := json.NewDecoder(io.LimitReader(resp.Body, mostReport))
	_, err = in.Token() // [
	for err == nil && in.More() {
		var one Shop
		if err = in.Decode(&one); err == nil {
			report(one)
		}
	}
	if err == nil {
		_, err = in.Token() // ]
	}
	if err != nil {
		return errors.Join(fmt.Errorf("ask worker %s: %w", w.ID, err), ctx.Err())
	}
	return nil
}
