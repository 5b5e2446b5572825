package main

import (
	"net"
	"strconv"
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"

	"orderwalk/test/kafkatest"
)

// The bare client publishes every order of the API once, by one window and by
// several: the numbers of a peer that skips work would be worth nothing.
func TestPeerPublishesEveryOrderOnce(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	a := newAPI()
	go a.accept(l)
	for _, windows := range []int{1, 8} {
		cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(orderPartitions, "orders"))
		if err != nil {
			t.Fatal(err)
		}
		defer cluster.Close()
		s := newShop(3050, 1_700_000_000, 1001)
		a.now.Store(&serving{shop: s})
		err = runPeer(t.Context(), []string{
			"-broker", cluster.ListenAddrs()[0], "-topic", "orders", "-url", "http://" + l.Addr().String(),
			"-start", strconv.FormatInt(s.start, 10), "-end", strconv.FormatInt(s.end(), 10),
			"-windows", strconv.Itoa(windows),
		})
		if err != nil {
			t.Fatal(err)
		}
		records, err := kafkatest.ReadCommitted(t.Context(), cluster.ListenAddrs(), "orders")
		if err != nil {
			t.Fatal(err)
		}
		seen := tally{shop: s}
		for _, r := range records {
			seen.add(r.Key)
		}
		if err := seen.check(); err != nil {
			t.Errorf("%d windows: %v", windows, err)
		}
		if got := a.now.Load().orders.Load(); got != int64(s.orders) {
			t.Errorf("%d windows: the API listed %d orders, want %d", windows, got, s.orders)
		}
	}
}

func TestPeerReportsARefusal(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go newAPI().accept(l)
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(orderPartitions, "orders"))
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	err = runPeer(t.Context(), []string{
		"-broker", cluster.ListenAddrs()[0], "-topic", "orders", "-url", "http://" + l.Addr().String(),
		"-start", "0", "-end", "10000000", // more than seven days
	})
	if err == nil {
		t.Error("a refused list call is no error")
	}
}
