package desired

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/segmentio/kafka-go"

	"orderwalk/internal/grouplog"
	"orderwalk/internal/loglevel"
)

// levelled is a worker whose levels are those of the group.
type levelled struct {
	*Levels
	log  *grouplog.Log
	said bytes.Buffer
	stop func()
}

func (f *fixture) levelled(name string) *levelled {
	f.Helper()
	w := &levelled{}
	ctx, cancel := context.WithCancel(context.Background())
	transport := &kafka.Transport{Dial: f.network.DialContext}
	w.log = grouplog.New(grouplog.Config{Group: "g", Topic: "offsets", Worker: name,
		Addr: kafka.TCP("localhost:9092"), Transport: transport, TransactionTimeout: 30 * time.Second})
	levels := loglevel.New(slog.LevelInfo, "orderwalk.txn")
	w.Levels = NewLevels(w.log, levels, slog.New(levels.Handler(slog.NewTextHandler(&w.said, nil))))
	if err := w.SetAll(ctx, "root", "DEBUG"); !errors.Is(err, grouplog.ErrNotYet) {
		f.Errorf("a worker that has not begun: %v", err)
	}
	w.log.At(0)
	if err := w.log.CatchUp(ctx); err != nil {
		f.Fatal(err)
	}
	w.Begin()
	var following sync.WaitGroup
	following.Go(func() { w.log.Follow(ctx) })
	synctest.Wait()
	w.stop = func() {
		cancel()
		following.Wait()
		transport.CloseIdleConnections()
	}
	return w
}

func (w *levelled) level(name string) string {
	level, _ := w.levels.Get(name)
	return level.Word
}

// A level is set in every worker that runs, and in none that starts later.
func TestALevelIsSetInAllWorkers(t *testing.T) {
	inBubble(t, func(f *fixture) {
		one, two, three := f.levelled("one"), f.levelled("two"), f.levelled("three")
		if err := two.SetAll(f.Context(), "orderwalk", "DEBUG"); err != nil {
			f.Fatal(err)
		}
		if got := two.level("orderwalk.txn"); got != "DEBUG" {
			f.Errorf("in the worker that was asked: %s", got)
		}
		if err := three.SetAll(f.Context(), "org.example", "OFF"); err != nil {
			f.Fatal(err)
		}
		if err := two.SetAll(f.Context(), "orderwalk.txn", "WARN"); err != nil {
			f.Fatal(err)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		late := f.levelled("late")
		for name, w := range map[string]*levelled{"one": one, "two": two, "three": three} {
			if got := w.level("orderwalk") + w.level("orderwalk.txn") + w.level("org.example") + w.level("root"); got != "DEBUGWARNOFFINFO" {
				f.Errorf("worker %s has %s", name, got)
			}
			if said := w.said.String(); strings.Count(said, "log level set") != 3 || !strings.Contains(said, "logger=org.example to=OFF scope=cluster") {
				f.Errorf("worker %s logged\n%s", name, said)
			}
		}
		if got := late.level("orderwalk") + late.level("org.example"); got != "INFO" || late.said.Len() > 0 {
			f.Errorf("a worker that starts later has %s, and logged %s", got, &late.said)
		}
		if err := late.SetAll(f.Context(), "root", "ERROR"); err != nil {
			f.Fatal(err)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if got := one.level("org.example") + late.level("orderwalk.txn"); got != "ERRORERROR" {
			f.Errorf("after root is set: %s", got)
		}
		for _, w := range []*levelled{one, two, three, late} {
			w.stop()
		}
	})
}

// What cannot be a level is refused where it is asked for, and does nothing where it is
// read.
func TestBadLevels(t *testing.T) {
	inBubble(t, func(f *fixture) {
		one, two := f.levelled("one"), f.levelled("two")
		if err := one.SetAll(f.Context(), "root", "LOUD"); !errors.Is(err, loglevel.ErrLevel) {
			f.Errorf("a level that is none: %v", err)
		}
		for i := 0; one.levels.Room("one.more", "INFO") == nil && i < 1e6; i++ {
			if _, err := one.levels.Set(fmt.Sprint("other", i), "INFO"); err != nil {
				f.Fatal(err)
			}
		}
		if err := one.SetAll(f.Context(), "one.more", "INFO"); !errors.Is(err, loglevel.ErrTooMany) {
			f.Errorf("a name too many: %v", err)
		}
		gone, cancel := context.WithCancel(f.Context())
		cancel()
		if err := one.SetAll(gone, "root", "OFF"); !errors.Is(err, context.Canceled) {
			f.Errorf("for a caller that has gone: %v", err)
		}
		for _, bad := range []string{`{"level":"LOUD"}`, `[]`, `{}`, `{"level":`, ``} {
			if err := one.log.Post(f.Context(), grouplog.Entry{Name: grouplog.Name{Logger: "root", Kind: kindLevel}, Value: []byte(bad)}); err != nil {
				f.Fatal(err)
			}
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if got := one.level("root") + two.level("root"); got != "INFOINFO" {
			f.Errorf("root is %s", got)
		}
		if said := two.said.String(); strings.Count(said, "cannot set a log level") != 5 {
			f.Errorf("the log: %s", said)
		}
		one.stop()
		two.stop()
	})
}

// Workers that set levels at the same time take turns, and end with the same.
func TestLevelsAtTheSameTime(t *testing.T) {
	inBubble(t, func(f *fixture) {
		workers := []*levelled{f.levelled("one"), f.levelled("two"), f.levelled("three")}
		var setting sync.WaitGroup
		for i, w := range workers {
			setting.Go(func() {
				level := []string{"DEBUG", "WARN", "ERROR"}[i]
				if err := w.SetAll(f.Context(), "root", level); err != nil && !errors.Is(err, ErrConflict) {
					f.Errorf("%s: %v", level, err)
				}
			})
		}
		setting.Wait()
		time.Sleep(time.Second)
		synctest.Wait()
		for _, w := range workers {
			if got := w.level("root"); got == "INFO" || got != workers[0].level("root") {
				f.Errorf("root is %s and %s", got, workers[0].level("root"))
			}
			w.stop()
		}
	})
}
