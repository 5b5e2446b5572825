package control

import (
	"io"
	"net/http"
	"strings"

	"github.com/klauspost/compress/gzip"
	"github.com/prometheus/common/expfmt"
)

// scrapes returns the handler of GET /metrics. Series of shops go straight to the
// client: gathered, those of ten thousand shops would take a hundred MB.
func (s *Server) scrapes() http.Handler {
	slots := make(chan struct{}, maxScrapes)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case slots <- struct{}{}:
			defer func() { <-slots }()
		default:
			manyScrapes(w, r)
			return
		}
		s.scrape(w, r)
	})
}

func manyScrapes(w http.ResponseWriter, _ *http.Request) {
	writeError(w, http.StatusServiceUnavailable, "too many scrapes at once, try again later")
}

func (s *Server) scrape(w http.ResponseWriter, r *http.Request) {
	families, err := s.Metrics.Gather()
	if err != nil {
		s.log().Error("cannot gather the metrics", "reason", err)
		writeError(w, http.StatusInternalServerError, err.Error())
		return
	}
	var out io.Writer = w
	w.Header().Set("Content-Type", string(expfmt.NewFormat(expfmt.TypeTextPlain)))
	w.Header().Add("Vary", "Accept-Encoding")
	if takesGzip(r) {
		w.Header().Set("Content-Encoding", "gzip")
		z, _ := gzip.NewWriterLevel(w, gzip.BestSpeed) // a valid level
		defer z.Close()
		out = z
	}
	encoder := expfmt.NewEncoder(out, expfmt.NewFormat(expfmt.TypeTextPlain))
	for _, family := range families {
		if encoder.Encode(family) != nil {
			return // the client has gone
		}
	}
	if s.ShopMetrics != nil {
		_ = s.ShopMetrics(out) // fails only where the client has gone
	}
}

// takesGzip reports whether the client accepts gzip.
func takesGzip(r *http.Request) bool {
	for coding := range strings.SplitSeq(r.Header.Get("Accept-Encoding"), ",") {
		name, quality, _ := strings.Cut(strings.TrimSpace(coding), ";")
		if strings.EqualFold(strings.TrimSpace(name), "gzip") {
			_, q, _ := strings.Cut(quality, "=")
			return strings.Trim(q, "0. ") != "" || q == ""
		}
	}
	return false
}
