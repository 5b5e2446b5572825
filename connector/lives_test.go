package connector

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestLives plays random lives. One or several workers read shops while the API, the
// broker, the network and the workers fail in all the ways that can be switched on, and
// while the configuration changes. After the trouble and the end of the life, the
// topics are compared with the simulator's data. See life for what is drawn, stage for
// how it is played, and claim for what must be true.
//
// LIVES is the number of lives, LIVES_SEED the first one's seed: `make lives`.
func TestLives(t *testing.T) {
	lives, err := strconv.Atoi(or(os.Getenv("LIVES"), "4"))
	if err != nil {
		t.Fatal(err)
	}
	seed, err := strconv.ParseUint(or(os.Getenv("LIVES_SEED"), "1"), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	for i := range uint64(lives) {
		t.Run(fmt.Sprint(seed+i), func(t *testing.T) {
			inBubble(t, func(a *testbed) { live(t, a, seed+i, lives == 1) })
		})
	}
}

func or(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}

func live(t *testing.T, a *testbed, seed uint64, alone bool) {
	l := newLife(seed, time.Now().Unix())
	s := &stage{testbed: a, life: l}
	began := time.Now()
	defer s.leave()
	defer func() {
		if alone || t.Failed() {
			t.Logf("%v\nwhat happened:\n%s\nplay it again with `make lives SEED=%d`", l, strings.Join(s.journal, "\n"), seed)
		}
		if !t.Failed() {
			return
		}
		for i, p := range a.processes {
			if path := filepath.Join(t.ArtifactDir(), fmt.Sprintf("process-%d.log", i)); os.WriteFile(path, []byte(p.logged()), 0o600) == nil {
				t.Log("log: " + path)
			}
		}
	}()
	calm := s.play()
	s.finish(calm, rand.New(rand.NewPCG(seed, 11)))
	s.check(calm)
	t.Logf("%d list calls, %v of virtual time", len(a.listed()), time.Since(began).Round(time.Second))
}
