package deploy

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// The program links what dev and simulate need, a Kafka and the simulator, and
// nothing else that is there for tests. (The Dockerfile says why it has these.)
func TestTheProgramLinksNothingForTests(t *testing.T) {
	cmd := exec.Command("go", "list", "-deps", ".")
	cmd.Dir = root
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	linked := strings.Fields(string(out))
	for _, name := range []string{"orderwalk/simulator", "github.com/twmb/franz-go/pkg/kfake"} {
		if !slices.Contains(linked, name) {
			t.Errorf("%s is not linked: say so in the Dockerfile", name)
		}
	}
	for _, name := range linked {
		for _, unwanted := range []string{"testing", "net/http/httptest", "net/http/pprof", "orderwalk/test/kafkatest", "orderwalk/bench",
			"github.com/rogpeppe/go-internal", "github.com/twmb/franz-go/pkg/kadm", "golang.org/x/tools"} {
			if name == unwanted || strings.HasPrefix(name, unwanted+"/") {
				t.Errorf("%s is linked", name)
			}
		}
	}
}
