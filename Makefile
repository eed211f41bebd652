# Haiku's make targets; `make` alone lists them.
SHELL := /bin/bash
.DEFAULT_GOAL := help

# The packages that compile no C: their race tests are quick.
GO_SIDE := ./task/... ./cron/... ./member/... ./wire/... ./client/... ./worker/... ./transport/... ./config/... ./cmd/haiku/...
FUZZTIME ?= 10s
SCALE ?= 1
# What bench-peers measures; `bench/bin/peers -list` shows what there is.
PEERS ?= -haiku=default,claim64,bolt -nats=always,always-prefetch -rabbitmq=prefetch32 -reps=3

.PHONY: check-deploy help deps generate ui build run test test-ui screenshots check race chaos fuzz bench-quick bench-account bench-peers bench-web bench-store bench-flat bench-check clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

deps: ## install the libraries and tools that are missing (Debian), or say which ones are
	@scripts/deps.sh

generate: deps ## write the Go code of internal/pb/*.proto anew
	scripts/generate.sh

ui: ## bundle the dashboard's sources into web/ui/dist (Node 20)
	@scripts/uideps.sh
	cd web/ui && node build.mjs

build: deps ## build bin/haikud and bin/haiku
	go build -o bin/haikud ./cmd/haikud
	CGO_ENABLED=0 go build -o bin/haiku ./cmd/haiku

run: build ## three nodes do a real job, the leader is killed half-way, every result is checked
	go build -o bin/tools/run ./scripts/run
	bin/tools/run -bin bin

test: deps ## run all tests
	go test ./...

test-ui: build ## test the dashboard in Chromium against clusters of three nodes: two to four minutes
	@scripts/uideps.sh browser
	node --test --test-concurrency=1 web/ui/test/*.test.mjs

screenshots: build ## take the pictures of docs/screenshots anew
	@scripts/uideps.sh browser
	node web/ui/test/screenshots.mjs

check: deps ## formatting, vet, house rules, race tests of the Go side, generated code up to date
	@unformatted=$$(gofmt -l $$(git ls-files '*.go')); if [ -n "$$unformatted" ]; then echo "gofmt -w needed:"; echo "$$unformatted"; exit 1; fi
	go vet ./...
	scripts/check-generated.sh
	@scripts/uideps.sh
	scripts/check-ui.sh
	cd bench && go list -deps ./... >/dev/null
	go test ./internal/tidy/...
	go test -race $(GO_SIDE)
	$(MAKE) check-deploy

check-deploy: deps ## the dashboards and alert rules of deploy/ against the metrics of a working cluster
	cd deploy/check && go vet ./... && go test ./...

race: deps ## run all tests with the race detector
	go test -race ./...

chaos: deps ## damage files, crash stores, kill leaders, compare with the model, for up to an hour; HAIKU_CHAOS_SEED repeats damage
	HAIKU_CHAOS=1 go test -v -count=1 -timeout 60m -run '^Test(Damaged|Crash|MemoryStays|Model|StoreAgainstModel|Claims|Parent)' ./store ./cluster ./fsm
	HAIKU_CHAOS=1 go test -v -count=1 -timeout 60m -run '^Test(Damaged|Graph|RandomOutages)' ./internal/outage

fuzz: deps ## fuzz each decoder for FUZZTIME (10s)
	scripts/fuzz.sh $(FUZZTIME)

bench-quick: build ## in two minutes: how Haiku stands to a bare Raft on this machine
	cd bench && go build -o bin/quick ./quick
	bench/bin/quick -haikud bin/haikud

bench-account: build ## in two minutes: where a task's time goes, written into docs/benchmarks.md and docs/profiles
	cd bench && go build -o bin/account ./account
	bench/bin/account -haikud bin/haikud -pictures docs/profiles -write docs/benchmarks.md

bench-peers: build ## how Haiku stands to other task queues: installs and measures PEERS, half an hour
	bench/build.sh
	cd bench && bin/peers -haikud ../bin/haikud -out bin/results.jsonl -lock bin/lock $(PEERS)

bench-store: deps ## what the store costs: 10 M tasks, 10 minutes and 10 GB of disk; SCALE=0.01 for a trial
	go build -o bin/tools/storebench ./scripts/storebench
	bin/tools/storebench -scale $(SCALE)

bench-flat: deps ## in two minutes: what a task costs beside few and beside a million others; fails beyond 1.3
	go test -run '^$$' -bench Flat -benchtime 2000x -count 5 ./fsm | awk -f scripts/flat.awk

bench-web: deps ## what the dashboard asks for, with a million tasks of ten thousand pairs of queue and type: two minutes
	go test ./web -run '^$$' -bench Million -benchtime 2s -timeout 30m

bench-check: deps ## vet and test the benchmarks' module
	cd bench && go vet ./... && go test ./...

clean: ## remove what was built
	rm -rf bin bench/bin
