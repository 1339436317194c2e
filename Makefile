# SPDX-License-Identifier: Apache-2.0
# What CI runs is `make test`; the other targets are its parts. See CONTRIBUTING.md.

GO            ?= go
GOLANGCI_LINT  = $(GO) run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
GOTESTSUM      = $(GO) run gotest.tools/gotestsum@v1.13.0
FUZZTIME      ?= 10s
TAGS          ?=
export SOCKADE_SEED

.PHONY: build test install unit race libseccomp cross lint fuzz mutants verify bench bench-start bench-guard guests golden

build: ## static binaries: ./sockade, ./sockade-bpf that loads BPF programs for it, ./sockade-bench
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '-s -w' -o ./ ./cmd/sockade ./cmd/sockade-bpf ./cmd/sockade-bench

test: ## everything that this machine can run
	bash .ci/test

install: ## as root: the Debian packages that the tests use
	bash .ci/install

unit:
	$(GOTESTSUM) --format pkgname-and-test-fails -- -count=1 -timeout 15m -tags '$(TAGS)' ./...

race:
	$(GOTESTSUM) --format pkgname-and-test-fails -- -race -count=1 -timeout 25m ./...

libseccomp: ## the second compiler; takes libseccomp-dev and gcc
	$(GO) vet -tags libseccomp ./...
	$(GOTESTSUM) --format pkgname-and-test-fails -- -tags libseccomp -count=1 -timeout 15m ./backends/... ./internal/bypass

cross: ## builds and vets for every supported architecture, and for another OS
	for arch in amd64 arm64 riscv64; do CGO_ENABLED=0 GOARCH=$$arch $(GO) build ./... && CGO_ENABLED=0 GOARCH=$$arch $(GO) vet ./... || exit 1; done
	CGO_ENABLED=0 GOOS=darwin $(GO) build ./engine/... ./backends/... ./selector/...

lint:
	$(GOLANGCI_LINT) run --build-tags '$(TAGS)' ./...

fuzz: ## every fuzz target for FUZZTIME each
	@set -e; for pkg in $$($(GO) list ./...); do \
	  for target in $$($(GO) test -tags '$(TAGS)' -list '^Fuzz' $$pkg | grep ^Fuzz || true); do \
	    echo "fuzz $$pkg $$target"; $(GO) test -tags '$(TAGS)' -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZTIME) $$pkg; \
	  done; done

mutants: ## shows that the conformance run catches a broken compiler
	$(GO) test -count=1 -v -run Mutants ./backends/seccomp

verify: build
	./sockade verify

bench: build ## what a sandbox costs here; ARGS are flags, see ./sockade-bench --help
	./sockade bench $(or $(ARGS),--quick)

bench-start: build ## start-up next to bubblewrap, firejail and go-landlock's launcher
	@dir=$$(mktemp -d) && trap 'rm -rf "$$dir"' EXIT && \
	{ GOBIN=$$dir CGO_ENABLED=0 $(GO) install -trimpath github.com/landlock-lsm/go-landlock/cmd/landlock-restrict@v0.11.0 2>/dev/null || true; } && \
	PATH=$$dir:$$PATH ./sockade-bench --full --scenario start

bench-guard: ## counts instructions in a guest, held to bench/budget.toml; ARGS are flags, see -h
	@dir=$$(mktemp -d) && trap 'rm -rf "$$dir"' EXIT && $(GO) build -o "$$dir/guard" ./internal/guest/guard && \
	{ "$$dir/guard" $(ARGS) || { s=$$?; [ $$s -eq 77 ] || exit $$s; }; }

guests: ## the tests on kernels from 5.10 to 7.3 and on ones with Landlock socket rules in QEMU; ARGS are its flags, see -h
	@dir=$$(mktemp -d) && trap 'rm -rf "$$dir"' EXIT && $(GO) build -o "$$dir/guests" ./internal/guest/guests && \
	{ "$$dir/guests" $(ARGS) || { s=$$?; [ $$s -eq 77 ] || exit $$s; }; }

golden: ## rewrites the golden files, docs/bypass.md and the version of the BPF programs
	$(GO) test ./backends/seccomp ./backends/bpflsm/loader ./internal/bypass ./internal/cbpf ./cmd/sockade-bench -run 'Golden|Docs|Version' -update
