# What a newcomer types, and what CI runs. `make` lists the targets.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

BIN := $(CURDIR)/bin
LOCALKUBE := $(BIN)/localkube
# Modules with tests and lint; bench is measured by `make bench`, and its smoke test runs with the others.
MODULES := $(patsubst %/go.mod,%,$(wildcard ./go.mod cmd/kubesdk/go.mod devserver/go.mod cluster/go.mod bench/go.mod))
# The cluster module links Kubernetes: always built in the same way, it is compiled once for all targets, and without the
# commit it stays the same file from one commit to the next.
CLUSTER := GOWORK=off CGO_ENABLED=0 GOFLAGS="$(GOFLAGS) -trimpath -buildvcs=false"
NODE_PACKAGES := containerd runc containernetworking-plugins nftables iproute2 busybox-static debootstrap

export LOCALKUBE

.PHONY: help build demo test lint bench clean node-deps fmt generate image FORCE

help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

build: $(LOCALKUBE) $(BIN)/kubesdk $(BIN)/devserver-operator $(BIN)/devserver-agent ## Build the commands into bin/ (the first time compiles Kubernetes: about 11 minutes on 2 cores)

$(LOCALKUBE): FORCE
	@mkdir -p $(BIN)
	@test -e $@ || echo "building localkube: the first time this compiles Kubernetes, about 11 minutes on 2 cores"
	cd cluster && $(CLUSTER) go build -ldflags "-s -w" -o $@.new ./cmd/localkube
	@cmp -s $@.new $@ && rm $@.new || mv $@.new $@ # a running cluster keeps its binary, and make its timestamps

$(BIN)/kubesdk: FORCE
	@mkdir -p $(BIN)
	cd cmd/kubesdk && go build -trimpath -ldflags "-s -w" -o $@ .

$(BIN)/devserver-%: FORCE
	@mkdir -p $(BIN)
	cd devserver && CGO_ENABLED=0 go build -trimpath -ldflags "-s -w" -o $@ ./cmd/$(@F)

demo: $(LOCALKUBE) ## Start a real Kubernetes, run every example against it, and stop it
	go run ./internal/demo

test: $(LOCALKUBE) $(BIN)/gotestsum node-deps ## Run all tests, with the race detector, on a real Kubernetes; what was skipped is listed
# One package at a time, since they share clusters and cores; those that break connections have clusters of their own.
	@trap 'for n in $$($(LOCALKUBE) status | grep -o "^kubetest[^ ]*"); do $(LOCALKUBE) down --name $$n >/dev/null 2>&1 || true; done' EXIT; \
	for m in $(MODULES); do echo "== go test $$m"; (cd $$m && $(BIN)/gotestsum --format-hide-empty-pkg -- -race -p 1 -timeout 30m ./...) || failed="$${failed:-} $$m"; done; \
	if [ -n "$${failed:-}" ]; then echo "failed:$$failed"; exit 1; fi

lint: $(BIN)/golangci-lint ## Check format, vet and lint of all modules, and that generated files are up to date
	@for m in $(MODULES) devserver/deploy/render; do echo "== lint $$m"; \
	  (case $$m in cluster) export $(CLUSTER);; */render) export GOWORK=off;; esac; cd $$m && $(BIN)/golangci-lint run --config $(CURDIR)/.golangci.yml ./...) || failed="$${failed:-} $$m"; done; \
	if [ -n "$${failed:-}" ]; then echo "lint failed:$$failed"; exit 1; fi

$(BIN)/golangci-lint $(BIN)/gotestsum: internal/tools/go.mod
	@mkdir -p $(BIN)
	cd internal/tools && GOWORK=off go build -trimpath -o $@ $$(GOWORK=off go list tool | grep '/$(@F)$$')
	@touch $@

fmt: $(BIN)/golangci-lint ## Format all modules
	@for m in $(MODULES); do (cd $$m && $(BIN)/golangci-lint fmt --config $(CURDIR)/.golangci.yml ./...); done

generate: ## Make all generated files anew
	go generate ./...
	cd devserver && go generate ./...

image: ## Build the image of devserver's operator and agent as bin/devserver.tar, without Docker
	@mkdir -p $(BIN)
	cd devserver && go run ./deploy/image -o $(BIN)/devserver.tar

bench: $(LOCALKUBE) ## Measure beside client-go and controller-runtime, write bench/RESULTS.md (QUICK=1: less work, under 5 minutes)
	cd bench && go run ./cmd/bench $(if $(QUICK),-quick)

node-deps: ## Install what a node needs (Debian, as root); does nothing elsewhere or when it is there
	@if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  missing=$$(for p in $(NODE_PACKAGES); do dpkg -s $$p >/dev/null 2>&1 || echo $$p; done); \
	  if [ -n "$$missing" ]; then echo "installing" $$missing; apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing >/dev/null; fi; \
	else echo "node tests need root and $(NODE_PACKAGES): without them they are skipped"; fi

clean: ## Stop the test clusters and remove bin/
	@if [ -x $(LOCALKUBE) ]; then for n in $$($(LOCALKUBE) status | grep -o "^kubetest[^ ]*"); do $(LOCALKUBE) down --name $$n; done; fi
	rm -rf $(BIN)

FORCE:
