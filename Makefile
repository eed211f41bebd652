# Haiku's make targets; `make` alone lists them.
SHELL := /bin/bash
.DEFAULT_GOAL := help

# The packages that compile no C: their race tests are quick.
GO_SIDE := ./task/... ./member/... ./wire/... ./client/... ./worker/... ./transport/... ./config/... ./cmd/haiku/...
FUZZTIME ?= 10s

.PHONY: help deps generate build run test check race fuzz clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

deps: ## install the libraries and tools that are missing (Debian), or say which ones are
	@scripts/deps.sh

generate: deps ## write the Go code of internal/pb/*.proto anew
	scripts/generate.sh

build: deps ## build bin/haikud and bin/haiku
	go build -o bin/haikud ./cmd/haikud
	CGO_ENABLED=0 go build -o bin/haiku ./cmd/haiku

run: build ## three nodes do a real job, the leader is killed half-way, every result is checked
	go build -o bin/tools/run ./scripts/run
	bin/tools/run -bin bin

test: deps ## run all tests
	go test ./...

check: deps ## formatting, vet, house rules, race tests of the Go side, generated code up to date
	@unformatted=$$(gofmt -l $$(git ls-files '*.go')); if [ -n "$$unformatted" ]; then echo "gofmt -w needed:"; echo "$$unformatted"; exit 1; fi
	go vet ./...
	scripts/check-generated.sh
	go test ./internal/tidy/...
	go test -race $(GO_SIDE)

race: deps ## run all tests with the race detector
	go test -race ./...

fuzz: deps ## fuzz each decoder for FUZZTIME (10s)
	scripts/fuzz.sh $(FUZZTIME)

clean: ## remove what was built
	rm -rf bin
