package cli

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"orderwalk/connector"
	"orderwalk/connector/window"
	"orderwalk/internal/config"
	"orderwalk/internal/kafkaconn"
	"orderwalk/internal/wechat"
)

// misses reports whether a walk of the shop misses orders that reach the filtered
// status late. By creation time, a window older than LOOKBACK is not read again,
// so an order that reaches the status later is never listed. A range that ended
// more than LOOKBACK ago is read once in its current state, as intended.
func misses(s config.Shop, lookback time.Duration, now time.Time) bool {
	over := s.End > 0 && time.Unix(s.End, 0).Add(lookback).Before(now)
	return s.Status != 0 && s.TimeRange == string(wechat.CreateTime) && !over
}

const useUpdateTime = "set ORDERWALK_TIME_RANGE (time_range in the shops file) to update_time: then an order is published when it reaches the status"

// filtered returns the names of the shops for which misses is true.
func filtered(cfg *config.Config) (names []string) {
	for _, s := range cfg.Shops {
		if misses(s, cfg.Lookback, time.Now()) {
			names = append(names, s.Name)
		}
	}
	return names
}

// some lists the first few names and the number of the others.
func some(names []string) string {
	const few = 5
	if len(names) <= few {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:few], ", "), len(names)-few)
}

// untold returns the names that are not in told, and adds them.
func untold(told *map[string]bool, names []string) (news []string) {
	for _, name := range names {
		if (*told)[name] {
			continue
		}
		if *told == nil {
			*told = make(map[string]bool)
		}
		(*told)[name] = true
		news = append(news, name)
	}
	return news
}

// warnOfFilters warns once for each shop whose filter misses orders. The caller
// holds mu.
func (b *shopBook) warnOfFilters(cfg *config.Config) {
	news := untold(&b.warned, filtered(cfg))
	if len(news) == 0 {
		return
	}
	b.log.Warn("orders that reach the status later are not published: with create_time and a status, an order is published only if it has the status within LOOKBACK of its creation",
		"shops", some(news), "lookback", cfg.Lookback.String(), "do", useUpdateTime)
}

// filters adds the same warning as a finding.
func (k *checkup) filters(cfg *config.Config) {
	if names := filtered(cfg); len(names) > 0 {
		k.add(finding{Check: "status", OK: true, Do: []string{useUpdateTime},
			Detail: fmt.Sprintf("%s: an order is published only if it reaches the status within %s of its creation (ORDERWALK_LOOKBACK)", some(names), cfg.Lookback)})
	}
}

// startLater returns the names of the shops whose start time is to come, and the
// earliest of these times. More often than not its year is wrong.
func startLater(cfg *config.Config, now time.Time) (names []string, earliest time.Time) {
	for _, s := range cfg.Shops {
		at := time.Unix(s.Start, 0)
		if s.Start == 0 || !at.After(now.Add(time.Minute)) {
			continue
		}
		if names = append(names, s.Name); earliest.IsZero() || at.Before(earliest) {
			earliest = at
		}
	}
	return names, earliest
}

// warnOfStarts warns once for each shop that starts later. The caller holds mu.
func (b *shopBook) warnOfStarts(cfg *config.Config) {
	names, earliest := startLater(cfg, time.Now())
	news := untold(&b.later, names)
	if len(news) == 0 {
		return
	}
	b.log.Warn("the start time is in the future: no earlier order is published", "shops", some(news), "start", earliest.UTC().Format(time.RFC3339))
}

// laterStarts adds the same warning as a finding.
func (k *checkup) laterStarts(cfg *config.Config) {
	if names, earliest := startLater(cfg, time.Now()); len(names) > 0 {
		k.add(finding{Check: "start", OK: true, Do: []string{"check the year of ORDERWALK_START_TIME (start_time in the shops file)"},
			Detail: fmt.Sprintf("%s: the start time %s is in the future; no earlier order is published", some(names), earliest.UTC().Format(time.RFC3339))})
	}
}

// starts finds shops whose start time is earlier than the beginning of their walk.
func (k *checkup) starts(ctx context.Context, cfg *config.Config, brokers *kafkaconn.Kafka, partitions int) {
	if partitions == 0 {
		return // no walk has begun
	}
	var shops []connector.Shop
	for _, s := range cfg.Shops {
		if s.Start > 0 {
			shops = append(shops, connector.Shop{Name: s.Name, AppID: s.AppID, Policy: window.Policy{Range: wechat.Range(s.TimeRange), Start: s.Start}})
		}
	}
	if len(shops) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, checkLimit)
	defer cancel()
	const check = "start times"
	found, err := connector.Unread(ctx, connector.Checkpoints{Group: cfg.Group, Topic: cfg.OffsetsTopic, Partitions: partitions,
		Addr: brokers.Addr, Transport: brokers.Transport, Log: slog.New(slog.DiscardHandler)}, shops)
	switch {
	case err != nil:
		k.ok(check, "unknown: "+err.Error())
	case len(found) == 0:
		k.ok(check, "no walk began later")
	}
	appIDs := make(map[string]string, len(shops))
	for _, s := range shops {
		appIDs[s.Name] = s.AppID
	}
	for _, e := range found {
		k.add(finding{Check: check + " of " + e.Shop, Shop: e.Shop, AppID: appIDs[e.Shop], Detail: e.Error(), Do: []string{hintFor(e)}})
	}
}
