package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// load is what the API serves for one run.
type load struct {
	Orders  int
	Start   int64         // unix seconds
	Span    int64         // seconds
	Latency time.Duration // of a list call
}

// calls is what the API saw during one run.
type calls struct {
	First  int64 // unix nanoseconds of the first list call; 0 = none yet
	Last   int64
	Calls  int64
	Orders int64 // listed, repeats included
	Shops  int64 // that have been asked for a list
	Newest int64 // unix nanoseconds: when the last of them was asked first
}

// serving is a load and its counters.
type serving struct {
	*shop
	latency                    time.Duration
	first, last, calls, orders atomic.Int64
	asked                      sync.Map // access tokens
	shops, newest              atomic.Int64
}

// serveAPI serves the list API on a port of its own, which it prints, until
// standard input ends: a process that the benchmark cannot leave behind.
func serveAPI(ctx context.Context) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	context.AfterFunc(ctx, func() { l.Close() })
	fmt.Println(l.Addr())
	newAPI().accept(l)
	return nil
}

type api struct{ now atomic.Pointer[serving] }

func newAPI() *api {
	a := &api{}
	a.now.Store(&serving{shop: newShop(0, 0, 1)})
	return a
}

// accept serves until the listener is closed.
func (a *api) accept(l net.Listener) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		go a.serve(conn)
	}
}

// serve answers the requests of one connection. It does without http.Server,
// whose CPU would be taken from the programs that are measured.
func (a *api) serve(conn net.Conn) {
	defer conn.Close()
	in := bufio.NewReader(conn)
	var body, out []byte
	for {
		req, err := http.ReadRequest(in)
		if err != nil {
			return
		}
		text, err := io.ReadAll(req.Body)
		if err != nil {
			return
		}
		body = a.answer(body[:0], req.URL.Path, req.URL.RawQuery, text)
		out = append(out[:0], "HTTP/1.1 200 OK\r\nContent-Type: application/json; encoding=utf-8\r\nDate: "...)
		out = time.Now().UTC().AppendFormat(out, http.TimeFormat)
		out = append(out, "\r\nContent-Length: "...)
		out = strconv.AppendInt(out, int64(len(body)), 10)
		out = append(out, "\r\n\r\n"...)
		out = append(out, body...)
		if _, err := conn.Write(out); err != nil {
			return
		}
	}
}

// answer appends the answer to a call. A shop's access token is its app ID.
func (a *api) answer(b []byte, path, query string, text []byte) []byte {
	now := a.now.Load()
	switch path {
	case "/channels/ec/order/list/get":
		var q struct {
			Range struct {
				Start int64 `json:"start_time"`
				End   int64 `json:"end_time"`
			} `json:"create_time_range"`
			PageSize int    `json:"page_size"`
			NextKey  string `json:"next_key"`
		}
		if err := json.Unmarshal(text, &q); err != nil {
			return append(b, `{"errcode":47001,"errmsg":"data format error rid: 6566bde8-00000000-00000000"}`...)
		}
		began := time.Now().UnixNano()
		now.first.CompareAndSwap(0, began)
		now.last.Store(began)
		now.calls.Add(1)
		if _, known := now.asked.LoadOrStore(query, true); !known {
			now.newest.Store(began)
			now.shops.Add(1)
		}
		time.Sleep(now.latency)
		b, n := now.page(b, q.Range.Start, q.Range.End, q.PageSize, q.NextKey)
		now.orders.Add(int64(n))
		return b
	case "/cgi-bin/stable_token":
		var who struct {
			AppID string `json:"appid"`
		}
		_ = json.Unmarshal(text, &who) // an empty app ID matches no shop
		b = append(b, `{"access_token":"`...)
		b = append(b, who.AppID...)
		return append(b, `","expires_in":7200}`...)
	case "/cgi-bin/openapi/quota/get":
		return append(b, `{"errcode":0,"errmsg":"ok","quota":{"daily_limit":1000000000,"used":0,"remain":1000000000}}`...)
	case "/bench/load":
		var l load
		if err := json.Unmarshal(text, &l); err != nil {
			return append(b, err.Error()...)
		}
		a.now.Store(&serving{shop: newShop(l.Orders, l.Start, l.Span), latency: l.Latency})
		return append(b, "{}"...)
	case "/bench/calls":
		c := calls{First: now.first.Load(), Last: now.last.Load(), Calls: now.calls.Load(), Orders: now.orders.Load(), Shops: now.shops.Load(), Newest: now.newest.Load()}
		text, _ := json.Marshal(c) // numbers always encode
		return append(b, text...)
	default:
		return append(b, `{"errcode":40066,"errmsg":"invalid url rid: 6566bde8-00000000-00000000"}`...)
	}
}
