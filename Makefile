# make help lists the targets. What a target needs beyond Go it fetches itself:
# tools written in Go are pinned in tools/ and built into .cache, Kafka comes by
# Maven, and Debian packages are installed where apt-get may do that.

# The toolchain that go.mod names, whichever Go is installed and however it is
# set up; GOTOOLCHAIN=local in the environment keeps the installed one.
export GOTOOLCHAIN ?= auto
# Build tags that tests hide behind; none is ever negated, so lint sees all code at once.
TAGS := calls kafka connect chart image kubernetes
# How long each fuzz target runs, or how many executions it makes, as 200000x.
FUZZTIME ?= 20s
# How many random lives are played, and the seed of the first; without a seed
# other ones each time, with nothing but a seed that one. TIMES plays them again:
# the scheduler of goroutines is not part of a seed.
SEEDS ?= $(if $(SEED),1,500)
TIMES ?= 1
# How many seconds the soak goes on, and its seed; another one each time by default.
SOAK ?= 600
SEED ?=
# Passed on to the benchmark, such as BENCHFLAGS='-rounds 5 -markdown'.
BENCHFLAGS ?=
# How many shops and lanes the one worker of scale has.
SHOPS ?= 10000
LANES ?= 64
# Which fuzz targets run, as an extended regular expression; all by default.
FUZZ ?= .
# Name and engine of the image; the first engine that is there by default.
IMAGE ?= orderwalk:dev
ENGINE ?= $(firstword $(shell command -v docker podman buildah))

# Tests that need a real Kafka, and where they are; the others gain nothing from a
# second run. The package that takes longest begins first.
LONGEST := ./test/trial/
KAFKA_FILES = $(shell grep -rlE --exclude-dir=.cache --include='*_test.go' '^//go:build .*\bkafka\b' .)
KAFKA_PACKAGES = $(LONGEST) $(filter-out $(LONGEST),$(sort $(dir $(KAFKA_FILES))))
KAFKA_TESTS = $(shell sed -n 's/^func \(Test[A-Za-z0-9_]*\).*/\1/p' $(KAFKA_FILES) | sort -u | paste -sd '|')

# The image is as old as its commit, however late it is built: podman and buildah
# make the same digest of it again, docker with one more of the IMAGEFLAGS,
# --output type=docker,rewrite-timestamp=true.
EPOCH = $(shell git log -1 --format=%ct)
CHART := helm/orderwalk
CHART_TOOLS := $(CURDIR)/.cache/chart/bin
LINT_TOOLS := $(CURDIR)/.cache/lint/bin
SBOM_TOOLS := $(CURDIR)/.cache/sbom/bin
KUBERNETES := $(CURDIR)/.cache/kubernetes/bin
KUBERNETES_VERSION = $(shell cd tools/kubernetes && go list -m -f '{{.Version}}' k8s.io/kubernetes)
KUBERNETES_LDFLAGS = -X k8s.io/component-base/version.gitVersion=$(KUBERNETES_VERSION) -X k8s.io/component-base/version.gitMajor=1 -X k8s.io/component-base/version.gitMinor=$(word 2,$(subst ., ,$(KUBERNETES_VERSION)))

# Says what is going on, on a terminal only.
say = @$(if $(MAKE_TERMOUT),echo "— $(1)",:)
# Installs Debian packages ($(2)) unless all programs ($(1)) are there.
debian = @for program in $(1); do command -v $$program >/dev/null || missing="$$missing $$program"; done; \
	test -z "$$missing" || { apt-get update -qq && apt-get install -y -qq --no-install-recommends $(2); } >/dev/null 2>&1 || { \
		echo "missing:$$missing (Debian: apt-get install --no-install-recommends $(2))" >&2; exit 1; }

.DEFAULT_GOAL := help
.PHONY: help build test lint lint-chart docs-chart lives calls fuzz test-kafka test-connect soak test-chart test-rules test-kubernetes test-image \
	bench scale image release kubernetes clean need-java need-kcat need-python need-promtool need-buildah

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## the program, in bin/orderwalk
	$(call say,building bin/orderwalk)
	@CGO_ENABLED=0 go build -trimpath -o bin/orderwalk .

test: ## all tests that need nothing but Go, with the race detector
	$(call say,go test -race ./...)
	@go test -race ./...

lint: $(LINT_TOOLS)/golangci-lint ## go mod tidy, and golangci-lint with all build tags
	@go mod tidy -diff || { echo "go.mod or go.sum is not tidy: run go mod tidy" >&2; exit 1; }
	@$< run --build-tags "$(TAGS)" ./...

lives: ## SEEDS random lives (500) with every fault there is; SEED repeats one; logs of those that fail in .cache/lives
	@mkdir -p .cache/lives
	@LIVES=$(SEEDS) LIVES_SEED=$(or $(SEED),$(shell date +%s)) go test $(RACE) -count=$(TIMES) $(if $(filter 1,$(SEEDS)),-v) -run '^TestLives$$' \
		-timeout $$(($(SEEDS) * $(TIMES) * 10 + 600))s -artifacts -outputdir "$(CURDIR)/.cache/lives" ./connector

calls: ## what a day of one shop costs in list calls, played against the simulator; CALLS picks rows by a part of their names
	@cd connector && CALLS="$(or $(CALLS),all)" go test -tags calls -count=1 -timeout 60m -run '^TestCalls$$'

fuzz: ## every fuzz target for FUZZTIME (20s), which may be a number of executions (200000x); FUZZ picks targets by a pattern
	@grep -rE --exclude-dir=.cache --include='*_test.go' '^func Fuzz[A-Za-z0-9_]+\(' . | \
	sed -E 's,^(.*)/[^/]*:func (Fuzz[A-Za-z0-9_]+)\(.*,\1 \2,' | grep -E '$(FUZZ)' | { \
		total=0; \
		while read -r dir target; do \
			out=$$(go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) "$$dir" 2>&1) || { echo "$$out"; exit 1; }; \
			execs=$$(echo "$$out" | sed -nE 's/.* execs: ([0-9]+).*/\1/p' | tail -n 1); \
			printf '%9d executions of %s in %s\n' "$$execs" "$$target" "$$dir"; \
			total=$$((total + execs)); \
		done; \
		printf '%9d executions\n' $$total; }

# RACE=-race adds the race detector, which finds next to nothing here that the
# stories in bubbles do not, and crashes now and then.
test-kafka: need-java need-kcat need-python ## tests against a real Apache Kafka, fetched by Maven
	$(call say,go test $(RACE) -tags kafka with a real Kafka)
	@go test $(RACE) -tags kafka -count=1 -p 2 -timeout 40m -run '^($(KAFKA_TESTS))$$' $(KAFKA_PACKAGES)

# The recordings are made of the same worker: go test -tags connect ./test/connect -run TestConnectWorker -update
test-connect: need-java need-python ## Kafka Connect's REST: what a real Connect worker answers, and the same calls and clients against orderwalk
	$(call say,go test -tags connect ./test/connect)
	@go test -tags connect -count=1 -timeout 10m -run '^(TestConnectWorker|TestOrderwalk)$$' ./test/connect

soak: need-java ## 200 shops, 3 workers and what befalls them, for SOAK seconds (600); SEED repeats one; logs in .cache/soak
	@mkdir -p .cache/soak
	@TRIAL_SOAK=$(SOAK) TRIAL_SEED=$(SEED) go test -tags kafka -count=1 -v -run '^TestSoak$$' \
		-timeout $$(($(SOAK) + 1800))s -artifacts -outputdir "$(CURDIR)/.cache/soak" ./test/trial

lint-chart: $(CHART_TOOLS)/helm ## helm lint of the chart with every example of values, and its README
	@for values in $(CHART)/ci/*.yaml; do \
		out="$$($(CHART_TOOLS)/helm lint --strict --quiet --values "$$values" $(CHART))" || { echo "$$values: $$out"; exit 1; }; \
	done
	@$(CHART_TOOLS)/helm-docs --chart-search-root $(CHART) --sort-values-order file --log-level error --dry-run | diff -u $(CHART)/README.md - || \
		{ echo "$(CHART)/README.md is not what its template and values.yaml make: run make docs-chart" >&2; exit 1; }

docs-chart: $(CHART_TOOLS)/helm ## writes the chart's README from its template and values.yaml
	@$(CHART_TOOLS)/helm-docs --chart-search-root $(CHART) --sort-values-order file --log-level error

test-chart: $(CHART_TOOLS)/helm ## the chart: its unit tests, Kubernetes' schemas, the program's own opinion of its environment
	$(call say,go test -tags chart ./test/deploy)
	@go test -count=1 -tags chart ./test/deploy

test-rules: need-promtool ## the chart's alerts: their unit tests
	@promtool check rules $(CHART)/files/rules.yaml
	@cd $(CHART)/tests/rules && promtool test rules *.yaml

test-kubernetes: kubernetes $(CHART_TOOLS)/helm ## the chart on a real control plane
	$(call say,go test -tags kubernetes ./test/deploy)
	@go test -count=1 -tags kubernetes -run '^TestCluster' -timeout 20m -v ./test/deploy

test-image: need-java need-buildah ## the image: built twice, then killed and restarted on a real Kafka (needs root)
	$(call say,go test -tags image ./test/deploy)
	@go test -count=1 -tags image -run '^TestImage' -timeout 20m -v ./test/deploy

bench: need-java build ## orders a second, CPU and memory beside a bare client (BENCHFLAGS)
	@go run ./bench -binary bin/orderwalk $(BENCHFLAGS)

scale: need-java build ## what SHOPS shops (10000) in LANES lanes (64) cost one worker, or with WORKERS a group of them; their settings in BENCHFLAGS, such as '-set POLL_INTERVAL=60s'
	@go run ./bench -binary bin/orderwalk -only '^kafka/$(if $(WORKERS),group,scale)$$' -rounds 1 -orders 1000 -shops $(SHOPS) -lanes $(LANES) $(if $(WORKERS),-workers $(WORKERS)) $(BENCHFLAGS)

image: ## the image, as IMAGE (orderwalk:dev), by docker, podman or buildah; more for it in IMAGEFLAGS
	@test -n "$(ENGINE)" || { echo "docker, podman or buildah is missing" >&2; exit 1; }
	@$(ENGINE) build --tag "$(IMAGE)" $(IMAGEFLAGS) $(if $(filter %docker,$(ENGINE)),--build-arg SOURCE_DATE_EPOCH=$(EPOCH),--timestamp $(EPOCH)) \
		--build-arg VERSION="$$(git describe --tags --always --dirty)" --build-arg REVISION="$$(git rev-parse HEAD)" \
		--build-arg CREATED="$$(TZ=UTC git log -1 --date=iso-strict-local --format=%cd)" .

release: $(SBOM_TOOLS)/cyclonedx-gomod ## archives for linux and darwin, amd64 and arm64, with checksums and SBOM, in bin/release
	@EPOCH=$(EPOCH) SBOM=$< tools/release.sh

kubernetes: $(KUBERNETES)/kwok ## the programs of a Kubernetes control plane; building them takes 12 minutes once

clean: ## removes what was built and fetched
	@rm -rf bin .cache

$(LINT_TOOLS)/golangci-lint: tools/lint/go.mod tools/lint/go.sum
	$(call say,building golangci-lint)
	@cd tools/lint && CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -o $(LINT_TOOLS)/ tool
	@touch $@

$(CHART_TOOLS)/helm: tools/chart/go.mod tools/chart/go.sum
	$(call say,building Helm and its companions)
	@mkdir -p $(CHART_TOOLS)
	@cd tools/chart && CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -o $(CHART_TOOLS)/ tool
	@touch $@

$(SBOM_TOOLS)/cyclonedx-gomod: tools/sbom/go.mod tools/sbom/go.sum
	$(call say,building cyclonedx-gomod)
	@cd tools/sbom && CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -o $(SBOM_TOOLS)/ tool
	@touch $@

$(KUBERNETES)/kwok: tools/kubernetes/go.mod tools/kubernetes/go.sum
	$(call say,building a control plane)
	@mkdir -p $(KUBERNETES)
	@cd tools/kubernetes && CGO_ENABLED=0 go build -trimpath -ldflags '-s -w $(KUBERNETES_LDFLAGS)' -o $(KUBERNETES)/ tool
	@touch $@

need-java:
	$(call debian,java mvn,openjdk-17-jre-headless maven)

need-python:
	@python3 -c 'import ensurepip' 2>/dev/null || { apt-get update -qq && apt-get install -y -qq --no-install-recommends python3-venv; } >/dev/null 2>&1 || { \
		echo "missing: python3 with venv (Debian: apt-get install --no-install-recommends python3-venv)" >&2; exit 1; }

need-kcat:
	$(call debian,kcat,kcat)

need-promtool:
	$(call debian,promtool,prometheus)

need-buildah:
	$(call debian,buildah podman runc busybox,buildah podman runc catatonit busybox-static)
