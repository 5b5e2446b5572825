package connector

// shopFamily is one metric of each shop.
type shopFamily struct {
	name, kind, help string
	labels           []string
	write            func(out *samples, s *shopRow)
}

// one is a metric with one sample for each shop.
func one(name, kind, help string, of func(s *shopRow) float64) shopFamily {
	return shopFamily{"orderwalk_" + name, kind, help, []string{"shop"}, func(out *samples, s *shopRow) { out.shop(s, of(s)) }}
}

// truth is 1 or 0.
func truth(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}

// shopFamilies are the metrics of each shop, in the order in which they are written.
var shopFamilies = []shopFamily{
	{"orderwalk_shop_info", "gauge", "1 for each shop that this worker walks: joins a shop's name to the app ID and the time range in the records.",
		[]string{"shop", "app_id", "name", "time_range"}, func(out *samples, s *shopRow) {
			out.shop(s, 1, "app_id", escape(s.AppID), "name", s.label, "time_range", escape(s.Range))
		}},
	{"orderwalk_shop_state", "gauge", "1 for the state a shop is in: starting, backfill, live, waiting, exhausted, paused, stopped, done or failed.",
		[]string{"shop", "state"}, func(out *samples, s *shopRow) {
			if s.State != StateElsewhere {
				out.shop(s, 1, "state", string(s.State))
			}
		}},
	one("orders_published_total", "counter", "Orders committed to the orders topic.", func(s *shopRow) float64 { return float64(s.Published) }),
	one("pages_total", "counter", "Pages of the order list read.", func(s *shopRow) float64 { return float64(s.Pages) }),
	one("late_orders_total", "counter", "Orders first listed in a window's second pass.", func(s *shopRow) float64 { return float64(s.Late) }),
	one("repeats_dropped_total", "counter", "Listed IDs that had been listed before.", func(s *shopRow) float64 { return float64(s.Repeats) }),
	one("window_seconds", "gauge", "Length of the window opened last.", func(s *shopRow) float64 { return float64(s.Length) }),
	{"orderwalk_watermark_timestamp_seconds", "gauge", "Unix time before which every window has been read and committed; absent while it is not known.",
		[]string{"shop"}, func(out *samples, s *shopRow) {
			if s.Watermark != 0 {
				out.shop(s, float64(s.Watermark))
			}
		}},
	one("lag_seconds", "gauge", "Now less the watermark, or less the start of a shop that has none yet.", func(s *shopRow) float64 { return s.lag }),
	one("backfill_progress_ratio", "gauge", "Share of the range that has been read: 1 when live or done.", func(s *shopRow) float64 { return s.Progress() }),
	one("poll_interval_seconds", "gauge", "How often a live shop is polled now; 0 if it has not caught up.", func(s *shopRow) float64 { return s.Poll.Seconds() }),
	one("quota_remaining", "gauge", "List calls left of the app ID's day; absent while it is not known.", func(s *shopRow) float64 { return s.CallsLeft }),
	one("quota_paused", "gauge", "1 while the day's list calls are used up (45009), until 00:00 Asia/Shanghai.", func(s *shopRow) float64 { return truth(s.State == StateExhausted) }),
	one("quota_exhausted_timestamp_seconds", "gauge", "Unix time at which the day's list calls end at the rate of the last minutes; 0 when they last until midnight.", func(s *shopRow) float64 { return s.CallsEnd }),
	one("quota_backfill_held", "gauge", "1 while a backfill has used up its part of the day's list calls and leaves the rest to the live walk.", func(s *shopRow) float64 { return truth(s.Held) }),
	results("api_calls_total", "List calls by result: ok, an errcode, or what went wrong.", func(m *Metrics) *tallies { return &m.calls }),
	results("token_refreshes_total", "Access token calls by result.", func(m *Metrics) *tallies { return &m.refreshes }),

	{"kafka_connect_connector_status", "gauge", "1 for the status of a shop as a connector of Kafka Connect.",
		[]string{"connector", "status"}, func(out *samples, s *shopRow) {
			status, _ := asConnector(s.State)
			out.connector(s, 1, "status", status)
		}},
	{"kafka_connect_connector_task_status", "gauge", "1 for the status of a shop's one task.",
		[]string{"connector", "task", "status"}, func(out *samples, s *shopRow) {
			_, status := asConnector(s.State)
			out.connector(s, 1, "task", "0", "status", status)
		}},
	constant("connector_class", "orderwalk.WeChatOrderSource"),
	constant("connector_type", "source"),
	{"kafka_connect_connector_connector_version", "gauge", "1 for the connector's connector_version.",
		[]string{"connector", "connector_version"}, func(out *samples, s *shopRow) {
			out.connector(s, 1, "connector_version", s.metrics.version)
		}},
	tasks("running"), tasks("paused"), tasks("failed"), tasks("unassigned"), tasks("destroyed"),
	{"kafka_connect_task_error_total_record_failures", "counter", "List calls of the shop that failed.",
		[]string{"connector", "task"}, func(out *samples, s *shopRow) {
			out.connector(s, float64(s.metrics.calls.failed(s.Name)), "task", "0")
		}},
}

// results is a counter by result.
func results(name, help string, of func(*Metrics) *tallies) shopFamily {
	return shopFamily{"orderwalk_" + name, "counter", help, []string{"shop", "result"}, func(out *samples, s *shopRow) {
		for _, t := range of(s.metrics).of(s.Name) {
			out.shop(s, float64(t.N), "result", escape(t.Result))
		}
	}}
}

// constant is 1 with a label that is the same for all connectors.
func constant(label, value string) shopFamily {
	return shopFamily{"kafka_connect_connector_" + label, "gauge", "1 for the connector's " + label + ".",
		[]string{"connector", label}, func(out *samples, s *shopRow) { out.connector(s, 1, label, value) }}
}

// tasks is how many of a connector's tasks have a status: 0 or 1.
func tasks(status string) shopFamily {
	return shopFamily{"kafka_connect_worker_connector_" + status + "_task_count", "gauge", "Tasks of the connector that are " + status + ".",
		[]string{"connector"}, func(out *samples, s *shopRow) {
			_, is := asConnector(s.State)
			out.connector(s, truth(is == status))
		}}
}

// asConnector returns the status of a shop as Kafka Connect's metrics have it, of the
// connector and of its task. As over REST, a shop that failed or waits for an act at the
// vendor's side is a connector that runs and a task that failed.
func asConnector(s State) (connector, task string) {
	switch s {
	case StatePaused:
		return "paused", "paused"
	case StateStopped:
		return "stopped", "destroyed"
	case StateFailed, StateWaiting:
		return "running", "failed"
	case StateStarting, StateElsewhere:
		return "unassigned", "unassigned"
	}
	return "running", "running"
}
