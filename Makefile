# make help says what there is. Everything it needs beyond Go is named there.

# Build tags that tests hide behind; lint looks at the code under each of them.
TAGS := kafka
# How long each fuzz target runs.
FUZZTIME ?= 20s
# How many seconds the soak goes on, and its seed; another one each time by default.
SOAK ?= 600
SEED ?=
# Passed on to the benchmark, such as BENCHFLAGS='-rounds 5 -markdown'.
BENCHFLAGS ?=

STATICCHECK := go tool -modfile=tools/go.mod staticcheck
# Packages with tests that need a real Kafka; the others gain nothing from a second run.
KAFKA_PACKAGES = $(sort $(dir $(shell grep -rlE --include='*_test.go' '^//go:build .*\bkafka\b' .)))

# Says what is going on, but only to somebody who watches.
say = @$(if $(MAKE_TERMOUT),echo "— $(1)",:)

.DEFAULT_GOAL := help
.PHONY: help build test lint test-kafka soak fuzz bench clean need-java

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## the program, in bin/orderwalk
	$(call say,building bin/orderwalk)
	@CGO_ENABLED=0 go build -trimpath -o bin/orderwalk .

test: ## all tests that need nothing but Go, with the race detector
	$(call say,go test -race ./...)
	@go test -race ./...

lint: ## gofmt, go vet and staticcheck, under every build tag
	$(call say,gofmt)
	@unformatted="$$(gofmt -l .)"; \
	if [ -n "$$unformatted" ]; then echo "not formatted, run gofmt -w on:"; echo "$$unformatted"; exit 1; fi
	@for tag in "" $(TAGS); do \
		$(if $(MAKE_TERMOUT),echo "— go vet and staticcheck with -tags '$$tag'";) \
		go vet -tags "$$tag" ./... || exit 1; \
		$(STATICCHECK) -tags "$$tag" ./... || exit 1; \
	done

test-kafka: need-java ## tests against a real Apache Kafka, fetched by Maven (needs JDK 17+, Maven)
	$(call say,go test -race -tags kafka with a real Kafka)
	@go test -race -tags kafka -count=1 -p 2 -timeout 14m $(KAFKA_PACKAGES)

soak: need-java ## 200 shops, 3 workers and what befalls them, for SOAK seconds (600); SEED repeats one; logs in .cache/soak
	@mkdir -p .cache/soak
	@TRIAL_SOAK=$(SOAK) TRIAL_SEED=$(SEED) go test -tags kafka -count=1 -v -run '^TestSoak$$' \
		-timeout $$(($(SOAK) + 1800))s -artifacts -outputdir "$(CURDIR)/.cache/soak" ./internal/trial

fuzz: ## every fuzz target for FUZZTIME (20s)
	@grep -rE --include='*_test.go' '^func Fuzz[A-Za-z0-9_]+\(' . | \
	sed -E 's,^(.*)/[^/]*:func (Fuzz[A-Za-z0-9_]+)\(.*,\1 \2,' | \
	while read -r dir target; do \
		go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) "$$dir" || exit 1; \
	done

bench: need-java build ## orders a second, CPU and memory beside a bare client (needs JDK 17+, Maven; BENCHFLAGS)
	@go run ./bench -binary bin/orderwalk $(BENCHFLAGS)

clean: ## removes what was built and fetched
	@rm -rf bin .cache

need-java:
	@for program in java mvn; do \
		command -v $$program >/dev/null || { \
			echo "$$program is missing: install JDK 17+ and Maven (Debian: apt-get install openjdk-17-jre-headless maven)" >&2; \
			exit 1; \
		}; \
	done
