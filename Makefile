.DEFAULT_GOAL := help
.PHONY: help build run test lint bench load fuzz mutate openapi schemathesis gateways examples clients alerts browser chaos planted fresh raise growth distance k6 kubernetes release vulnerabilities clean

FUZZTIME ?= 10s
CHAOS ?= 2m
SOAK ?= 30m
PLATFORMS ?= linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64
READS ?= 1000000
DISTANCES ?= 0 2 10
WAITING ?= 1000000
SIZES ?= 1000 100000 1000:1000000
MUTATE ?= 15m
PACKAGE ?= pkg/store
FILES ?= .
BENCH ?= .
# The race detector, but not inside three packages that spend most of the time and whose goroutines are not ours: SQLite as
# Go, the C library below it, and Argon2. That makes the tests of a store three times as fast, those of log-ins twice.
RACE := -race $(foreach package,modernc.org/sqlite/lib modernc.org/libc golang.org/x/crypto/argon2,-gcflags=$(package)=-race=false)
LOAD ?=
SCREENSHOTS ?= $(CURDIR)/bin/screenshots

help: ## print this
	@awk -F ':.*## ' '/^[a-z0-9]+:.*## / {printf "make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## build the programs into bin/
	go build -trimpath -o bin/ ./cmd/...

run: ## serve everything on 127.0.0.1:3000, data under data/; needs nothing else
	go run ./cmd/eventio

# Looking for mongod first puts a missing one into one clear message instead of many red tests.
test: browser ## all tests under the race detector, against a real MongoDB, a real NATS server and a real browser
	@[ -n "$$MONGODB_URI" ] || scripts/mongod.sh >/dev/null
	go test $(RACE) -timeout 40m ./...
	go test -run '^TestImport|Plan' ./cmd/eventio
	go -C tools test ./...

# staticcheck is a tool of go.mod, so its version and checksums are pinned like those of the
# libraries and an update is a commit. The price is five indirect modules; no program links them.
#
# golangci-lint brings two hundred modules, so it has a go.mod of its own, which pins it likewise
# and which no build reads. Its linters, and why each: .golangci.yml. govulncheck is not here: it
# asks a database on the network, and the lint must say the same on every machine and every day.
lint: ## gofmt, go vet, staticcheck, golangci-lint
	@unformatted=$$(gofmt -l .); [ -z "$$unformatted" ] || { echo "run gofmt -w on:"; echo "$$unformatted"; exit 1; } >&2
	go vet ./...
	go tool staticcheck ./...
	go tool -modfile=tools/go.mod golangci-lint run ./...
	go -C tools vet ./...

bench: ## all benchmarks; BENCH=regexp for some
	@[ -n "$$MONGODB_URI" ] || scripts/mongod.sh >/dev/null
	go test -run '^$$' -bench '$(BENCH)' -benchmem -timeout 60m ./...

load: ## measure S1 to S18 against the baselines into docs/benchmarks/, half an hour; LOAD="--scenario S1,S3" for some
	go run ./loadtest/bench --out docs/benchmarks $(LOAD)

# go test fuzzes one target at a time.
fuzz: ## every fuzz target for a short while; FUZZTIME=10m for longer
	@grep -rl --include='*_test.go' '^func Fuzz' . | xargs -r -n 1 dirname | sort -u | while read -r package; do \
		for target in $$(grep -ho '^func Fuzz[A-Za-z0-9_]*' $$package/*_test.go | cut -d ' ' -f 2); do \
			echo "$$package $$target"; \
			go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) $$package </dev/null || exit 1; \
		done; \
	done

# A mutant is built and tested in a few seconds, so a whole package takes from ten minutes to two
# hours: a run stops at its limit and says what it has not tried. Explained: docs/mutations.md.
mutate: ## what tests do not look at: PACKAGE=pkg/store (or pkg/messages, worker, ...), MUTATE=1h for longer, FILES=presence for some
	@[ -n "$$MONGODB_URI" ] || scripts/mongod.sh >/dev/null
	go run -C tools ./mutate -limit $(MUTATE) -files '$(FILES)' $(PACKAGE)

openapi: ## write docs/openapi.json anew from the code; fails when that breaks clients
	go test ./api -run TestOpenAPI -update

fresh: ## register at one process and read at another, READS=1000000 times on each store; nobody may see a past
	EVENTIO_READS=$(READS) go test ./api -run TestNobodyReadsAPast -count=1 -v -timeout 0

raise: ## raise the capacity of an event for which WAITING=1000000 people wait, on each store
	EVENTIO_WAITING=$(WAITING) go test ./pkg/store/mongostore ./pkg/store/sqlitestore -p 1 -run 'TestConformance/a_larger_capacity' -count=1 -v -timeout 0

growth: ## what each operation and each process costs with SIZES="1000 100000 1000:1000000" events and people, on both stores, as tables
	EVENTIO_GROWTH="$(SIZES)" go test ./pkg/store/mongostore ./pkg/store/sqlitestore ./e2e -p 1 -run '^$$' -bench Growth -benchtime 1x -timeout 0

distance: ## one hot event on three nodes of MongoDB with DISTANCES="0 2 10" milliseconds between them, as a table
	@scripts/mongod.sh >/dev/null
	EVENTIO_DISTANCES="$(DISTANCES)" go test ./worker -run '^$$' -bench Distance -benchtime 1x -timeout 0

# The soak and the fuzzing are half an hour each; SOAK=1m FUZZTIME=1s for who has not so long.
chaos: ## people come and go while all around them is frozen, killed and restarted, CHAOS=10m for longer, EVENTIO_SEED repeats one; then SOAK=30m at half load, and fuzzing
	EVENTIO_SIMULATION=$(CHAOS) go test ./internal/simulation -count=1 -v -timeout 0
	EVENTIO_CHAOS=$(CHAOS) EVENTIO_KILLS=50 EVENTIO_AWAY=150s EVENTIO_HERD=15000 go test ./e2e -run 'Chaos|KilledAgainAndAgain|KilledInABatch|NATSIsAway|Herd' -count=1 -v -timeout 0
	EVENTIO_SOAK=$(SOAK) go test ./e2e -run TestSoak -count=1 -v -timeout 0
	$(MAKE) fuzz FUZZTIME=$(if $(filter command line,$(origin FUZZTIME)),$(FUZZTIME),60s)

planted: ## known faults are put into the product, one at a time, and each must be found
	@[ -n "$$MONGODB_URI" ] || scripts/mongod.sh >/dev/null
	go test -tags planted ./internal/planted -count=1 -v -timeout 0

schemathesis: ## what others make of the OpenAPI document: a linter, generated clients in Python and Go, a fuzzer; needs Python 3 and node
	go test -tags schemathesis -run "TestSchemathesis|TestGenerated|TestRedocly" -count 1 -timeout 20m ./e2e

gateways: ## nginx, HAProxy, Caddy and Apache before eventio, fetched from Debian where they are missing; an opening through nginx with people proven in four ways
	@for gateway in nginx haproxy caddy apache2; do sh scripts/gateways.sh $$gateway >/dev/null || exit 1; done
	go test -tags gateways -run 'TestGateways|TestLiveThroughGateways|TestOpening|TestThroughNginx' -count 1 -timeout 10m ./e2e ./loadtest/bench

# Not part of CI, which has a restart behind nginx in TestOpening: these kill and freeze too, and were seen to fail once of five beside other work.
examples: ## deploy/gateway: those four, Envoy and Traefik before api processes that are restarted, killed and frozen
	@for gateway in nginx haproxy caddy apache2 envoy traefik; do sh scripts/gateways.sh $$gateway >/dev/null || exit 1; done
	go test -tags gateways -run 'TestDeployedGateways|TestDefaultRetries' -count 1 -timeout 20m ./e2e

clients: ## the HTTP clients of people's programs, from PyPI and npm, against both stores; needs Python 3, node 20, curl and a JDK 17
	sh scripts/clients.sh >/dev/null
	go test -tags clients -run TestClients -count 1 -timeout 5m ./e2e

alerts: ## the alerts in a real Prometheus, which is fetched from Debian where it is missing
	@for program in prometheus promtool; do scripts/prometheus.sh $$program >/dev/null || exit 1; done
	go test -tags alerts -run 'TestAlerts|TestPromtool' -count 1 -timeout 5m ./internal/deploy ./e2e

# Fetching a browser first keeps its download out of the test's time. It comes before the other tests
# of `make test`, alone: what it measures is a person's time.
browser: ## the pages in a real Chromium, which is fetched when there is none; leaves pictures in SCREENSHOTS, bin/screenshots
	CHROMIUM=$$(scripts/chromium.sh) && AXE=$$(scripts/axe.sh) && export CHROMIUM AXE && \
		SCREENSHOTS='$(SCREENSHOTS)' go test -tags browser -count 1 -timeout 20m ./web

# -parallel: these tests mostly wait.
k6: ## every k6 script with a small load, against systems that are right and ones that lie
	@[ -n "$$MONGODB_URI" ] || scripts/mongod.sh >/dev/null
	go test -tags k6 -count 1 -parallel 4 -timeout 15m ./loadtest/k6

# The schemas say nothing of KEDA's objects, which the tests in tools/kubernetes look at.
kubernetes: ## deploy/kubernetes against the schemas of Kubernetes; needs Python 3
	@validate=$$(sh scripts/kubernetes.sh) && rendered=$$(mktemp --suffix .yaml) && trap 'rm -f '"$$rendered" EXIT && \
		go run -C tools ./kubernetes ../deploy/kubernetes/example >$$rendered && $$validate --strict $$rendered

# VERSION=v1.2.3 wants that section in CHANGELOG.md; REPRODUCE=1 compares with a second build.
release: ## what a release is, into bin/release: the programs for PLATFORMS, five by default, lists of their modules, checksums
	PLATFORMS='$(PLATFORMS)' scripts/release.sh

# The database is on the network. Where it cannot be reached nothing is known, which is said and is no failure:
# the check must not turn red because a network is closed.
vulnerabilities: ## known holes in our modules that our code reaches (govulncheck), where its database can be reached
	@if curl -fsS -m 10 -o /dev/null https://vuln.go.dev/index/db.json; then \
		go tool -modfile=tools/go.mod govulncheck ./...; \
	else echo "vulnerabilities: the database cannot be reached from here, so NOTHING was checked" >&2; fi

clean: ## remove what the other targets made, but not data/
	rm -rf bin coverage.*
