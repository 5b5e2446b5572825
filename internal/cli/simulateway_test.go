package cli

import (
	"encoding/base64"
	"os"
	"strings"
	"testing"

	"orderwalk/internal/config"
	"orderwalk/simulator"
)

// What simulate prints for each way is a configuration of that way.
func TestPrintedEnvironmentIsAConfiguration(t *testing.T) {
	for _, auth := range config.Ways() {
		for _, shops := range []int{1, 3} {
			way := simulatedWay{auth: auth}
			if auth == "cloud_file" || auth == "component" {
				way.file = "kept"
			}
			if err := way.check(shops); err != nil {
				if shops == 1 || !way.cloud() {
					t.Errorf("%s, %d shops: %v", auth, shops, err)
				}
				continue
			}
			t.Run(auth, func(t *testing.T) {
				var world simulator.Config
				for i := range shops {
					world.Shops = append(world.Shops, simulatedShop(i, 1, 1, 2, 0))
				}
				way.prepare(&world)
				var out strings.Builder
				writeEnvironment(&out, "http://127.0.0.1:8084", world, way, 1_790_000_000)
				t.Chdir(t.TempDir())
				for _, pair := range os.Environ() {
					if name, _, _ := strings.Cut(pair, "="); strings.HasPrefix(name, "ORDERWALK_") {
						t.Setenv(name, "")
					}
				}
				t.Setenv("ORDERWALK_KAFKA_BROKERS", "b:9092")
				for line := range strings.Lines(out.String()) {
					if pair, ok := strings.CutPrefix(strings.TrimSpace(line), "export "); ok {
						name, value, _ := strings.Cut(pair, "=")
						t.Setenv(name, value)
					}
				}
				if _, rest, ok := strings.Cut(out.String(), "cat > shops.yaml <<'END'\n"); ok {
					text, _, _ := strings.Cut(rest, "END\n")
					if err := os.WriteFile("shops.yaml", []byte(text), 0o600); err != nil {
						t.Fatal(err)
					}
				}
				if strings.Contains(out.String(), "openssl rand -base64 32 > state.key") {
					if err := os.WriteFile("state.key", []byte(base64.StdEncoding.EncodeToString(make([]byte, 32))), 0o600); err != nil {
						t.Fatal(err)
					}
				}
				cfg, err := config.Load(nil)
				if err != nil {
					t.Fatalf("%v\n%s", err, out.String())
				}
				if len(cfg.Shops) != shops || cfg.APIURL != "http://127.0.0.1:8084" {
					t.Errorf("config %v", cfg)
				}
				for _, s := range cfg.Shops {
					if s.Auth != auth || (s.RefreshToken != nil) != (auth == "component") {
						t.Errorf("shop %+v", s)
					}
				}
				if auth == "component" && (cfg.Component.AppID != simulatedPlatform.AppID || cfg.Component.VerifyTicket == nil || cfg.StateKeys == nil) {
					t.Errorf("platform %+v", cfg.Component)
				}
			})
		}
	}
}

func TestWaysThatCannotBeSimulated(t *testing.T) {
	for args, want := range map[string]string{
		"--auth oauth":                             "--auth: give one of stable_token, token, static, cloud_file, cloud_open, component",
		"--auth cloud_open --shops 2":              "--auth cloud_open: the vendor's hosting calls for one shop",
		"--auth cloud_file":                        "--auth cloud_file: give --token-file",
		"--token-file x":                           "--token-file: goes with --auth cloud_file or component",
		"--auth cloud_file --token-file /none/x/y": "write /none/x/y",
		"--push-url 127.0.0.1:8085":                "--push-url: give http:// or https://, a host and a port",
		"--push-url http://127.0.0.1:8085/push":    "--push-url: give http:// or https://, a host and a port",
		"--push-url http://h:1 --push-aes-key x":   "--push-token, --push-aes-key: ",
	} {
		var out, errs strings.Builder
		code := Main(t.Context(), append([]string{"simulate", "--listen", "127.0.0.1:0"}, strings.Fields(args)...), Streams{Out: &out, Err: &errs})
		if code == 0 || !strings.Contains(errs.String(), want) {
			t.Errorf("simulate %s = %d\n%s", args, code, errs.String())
		}
	}
}
