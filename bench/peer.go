package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"
)

// peer is a program for comparison, optimised for speed without any guarantee: it
// fetches ahead, produces asynchronously with an idempotent producer, keeps no
// checkpoint and uses no transaction. After a kill it starts over.
type peer struct {
	url        string
	start, end int64
	windows    int
	http       *http.Client
	kafka      *kgo.Client

	once sync.Once
	err  error // the first record that was not accepted
}

// fetched is a page on its way from the API to Kafka.
type fetched struct {
	body       []byte
	start, end int64 // its window
	at         time.Time
}

func runPeer(ctx context.Context, args []string) error {
	var p peer
	var broker, topic string
	flags := flag.NewFlagSet("bench peer", flag.ContinueOnError)
	flags.StringVar(&broker, "broker", "", "")
	flags.StringVar(&topic, "topic", "", "")
	flags.StringVar(&p.url, "url", "", "")
	flags.Int64Var(&p.start, "start", 0, "")
	flags.Int64Var(&p.end, "end", 0, "")
	flags.IntVar(&p.windows, "windows", 1, "")
	if err := flags.Parse(args); err != nil {
		return err
	}
	var err error
	p.kafka, err = kgo.NewClient(
		kgo.SeedBrokers(broker),
		kgo.DefaultProduceTopic(topic),
		kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.ProducerBatchCompression(kgo.NoCompression()),
		kgo.ProducerLinger(time.Millisecond),
		kgo.MaxBufferedRecords(20_000),
		kgo.RecordPartitioner(kgo.StickyKeyPartitioner(nil)), // Java's, as every record has a key
	)
	if err != nil {
		return err
	}
	defer p.kafka.Close()
	p.http = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: p.windows}}
	return p.run(ctx)
}

// run reads [start, end] as so many windows at once, to the end.
func (p *peer) run(ctx context.Context) error {
	pages := make(chan fetched, 16)
	fetchers, fetching := errgroup.WithContext(ctx)
	length := (p.end - p.start + int64(p.windows)) / int64(p.windows)
	for start := p.start; start <= p.end; start += length {
		fetchers.Go(func() error { return p.fetch(fetching, pages, start, min(start+length-1, p.end)) })
	}
	produced := make(chan error, 1)
	go func() {
		for page := range pages {
			if err := p.produce(ctx, page); err != nil {
				produced <- err
				for range pages { // let the fetchers end
				}
				return
			}
		}
		produced <- nil
	}()
	err := fetchers.Wait()
	close(pages)
	return errors.Join(err, <-produced, p.kafka.Flush(ctx), p.err)
}

// fetch reads one window, page by page.
func (p *peer) fetch(ctx context.Context, pages chan<- fetched, start, end int64) error {
	url := p.url + "/channels/ec/order/list/get?access_token=bench"
	for key := []byte(nil); ; {
		body := fmt.Appendf(nil, `{"create_time_range":{"start_time":%d,"end_time":%d},"page_size":%d,"next_key":"%s"}`,
			start, end, pageSize, key)
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
		if err != nil {
			return err
		}
		resp, err := p.http.Do(req)
		if err != nil {
			return err
		}
		answer := make([]byte, max(0, resp.ContentLength))
		_, err = io.ReadFull(resp.Body, answer)
		resp.Body.Close()
		if err != nil {
			return err
		}
		if !bytes.HasPrefix(answer, []byte(`{"errcode":0,`)) {
			return fmt.Errorf("list orders: %s", answer)
		}
		select {
		case pages <- fetched{answer, start, end, time.Now()}:
		case <-ctx.Done():
			return ctx.Err()
		}
		_, rest, _ := bytes.Cut(answer, []byte(`"next_key":"`))
		key, rest, _ = bytes.Cut(rest, []byte(`"`))
		if bytes.HasSuffix(rest, []byte(`"has_more":false}`)) {
			return nil
		}
	}
}

// produce hands a page's orders to the producer, which blocks when it is full.
func (p *peer) produce(ctx context.Context, page fetched) error {
	_, list, _ := bytes.Cut(page.body, []byte(`"order_id_list":[`))
	list, _, _ = bytes.Cut(list, []byte(`]`))
	observed := page.at.UTC().Format("2006-01-02T15:04:05.000Z")
	headers := []kgo.RecordHeader{{Key: "shop", Value: []byte(shopID)}, {Key: "time_range", Value: []byte("create_time")}}
	records := make([]kgo.Record, 0, pageSize)
	values := make([]byte, 0, pageSize*200) // one allocation a page
	for len(list) > 0 {
		var id []byte
		id, list, _ = bytes.Cut(list, []byte(`,`))
		id = bytes.Trim(id, `"`)
		from := len(values)
		values = append(values, `{"order_id":"`...)
		values = append(values, id...)
		values = append(values, `","shop":"`+shopID+`","time_range":"create_time","window_start":`...)
		values = strconv.AppendInt(values, page.start, 10)
		values = append(values, `,"window_end":`...)
		values = strconv.AppendInt(values, page.end, 10)
		values = append(values, `,"observed_at":"`...)
		values = append(values, observed...)
		values = append(values, `"}`...)
		records = append(records, kgo.Record{Key: id, Value: values[from:len(values):len(values)], Headers: headers, Timestamp: page.at})
		p.kafka.Produce(ctx, &records[len(records)-1], p.done)
	}
	return nil
}

func (p *peer) done(_ *kgo.Record, err error) {
	if err != nil {
		p.once.Do(func() { p.err = err })
	}
}
