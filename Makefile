# What there is to do. CI does the same by the same targets.

FUZZTIME ?= 30s
IMAGE    ?= fairway/fairway:latest
VERSION  ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)

LDFLAGS := -s -w -funcalign=16 -X main.version=$(VERSION)
LINT    := go tool -modfile=tools.mod golangci-lint
# Packages that a request passes through.
REQUEST_PATH := ./router/... ./middlewares/... ./proxy/... $(if $(wildcard bench/*.go bench/*/*.go),./bench/...)

.DEFAULT_GOAL := help
.PHONY: help build run test lint fuzz bench bench-peers pgo generate image

help: ## Print this list.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## Build the static program bin/fairway.
	CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags '$(LDFLAGS)' -o bin/fairway ./cmd/fairway

run: build ## Build, and run the demonstration (no Docker needed).
	bin/fairway demo

test: ## Check and test everything, also against a real Docker engine.
	if [ -x test/setup.sh ]; then test/setup.sh; fi
	go vet -tags e2e ./...
	go test -race -tags e2e -timeout 20m ./...
	go test ./bench/... ./middlewares/jwt ./telemetry/accesslog # they count allocations, to which the race detector adds

lint: ## Look for mistakes and bad form.
	$(LINT) run

fuzz: ## Feed every fuzz target for FUZZTIME (30s, or a number of inputs as 20000x) each.
	@failed=; for file in $$(grep -rl --include='*_test.go' '^func Fuzz' . | sort); do \
		for target in $$(sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\)(.*/\1/p' "$$file"); do \
			echo "$$(dirname "$$file") $$target"; \
			go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) "$$(dirname "$$file")" </dev/null || failed="$$failed $$target"; \
		done; \
	done; \
	if [ -n "$$failed" ]; then echo "these have found something:$$failed" >&2; exit 1; fi

bench: ## Measure the way of a request.
	go test -run '^$$' -bench . -benchmem $(REQUEST_PATH)

bench-peers: build ## Measure beside nginx and HAProxy, in one run (nginx libnginx-mod-http-lua haproxy wrk nghttp2-client are needed).
	go run ./bench/peers -csv dist/peers.csv

pgo: ## Measure anew what the compiler is guided by, cmd/fairway/default.pgo.
	CGO_ENABLED=0 go build -trimpath -buildvcs=false -pgo=off -o bin/fairway ./cmd/fairway
	go run ./bench/peers -profile cmd/fairway/default.pgo

generate: ## Print docs/reference anew from the sources.
	go run ./internal/docgen

image: build ## Make the container image; pulls nothing.
	docker build --tag $(IMAGE) .
