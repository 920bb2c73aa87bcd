# The one entry: `make demo` shows what tokenbook does, `make test` proves it. `make` alone lists the rest.
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
TARGET := $(shell cargo metadata --no-deps --format-version 1 2>/dev/null | sed -n 's/.*"target_directory":"\([^"]*\)".*/\1/p')

RUST := $(shell find crates bindings -name '*.rs' -o -name Cargo.toml -o -path '*/data/*' -type f) Cargo.toml Cargo.lock

.PHONY: help demo test test-rust test-python test-node test-cli test-consumers test-web web page lint types bench bench-count pack clean

help: ## list the commands
	@sed -n 's/^\([a-z-]*\):.*## /  \1\t/p' $(MAKEFILE_LIST) | expand -t 20

demo: target/.python target/.node target/.node-tools target/.release ## count, price, record and report the same calls from shell, Node and Python
	@PATH="$(TARGET)/release:$(CURDIR)/$(BIN):$$PATH" bash tests/demo/run.sh

test: test-rust test-python test-node test-cli test-consumers test-web ## run all suites of all languages

test-rust: ## run the Rust suites
	cargo test --workspace --locked

test-python: target/.python ## run the Python suites and check the stub against the module
	$(BIN)/python -m pytest --numprocesses auto --maxprocesses 4
	$(BIN)/python -m mypy.stubtest tokenbook._tokenbook

test-node: target/.node target/.node-tools ## run the Node suites
	node --test tests/node/*.test.mjs

test-cli: target/.release target/.python target/.node target/.node-tools ## run the vectors and the promises of the README through the built command line
	TOKENBOOK_BIN="$(TARGET)/release/tokenbook" node --test tests/cli/*.test.mjs

test-consumers: target/.pack target/.node-tools ## install the packed packages in empty projects and use them
	PYTHON="$(PYTHON)" node --test tests/consumers/*.test.mjs

test-web: target/.web target/.web-tools target/.release ## run the suites in a browser, as far as this machine has one
	TOKENBOOK_BIN="$(TARGET)/release/tokenbook" node --test tests/web/*.test.mjs

page: target/.page-tools ## bundle the page of `tokenbook serve` anew
	node crates/tokenbook-cli/page/build.mjs

web: ## build tokenbook/web, the core as WebAssembly
	node node/scripts/web.mjs

lint: target/.python target/.node-tools target/.page-tools ## check form, lints, types and that generated files are up to date
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	cargo clippy --package tokenbook-wire --no-default-features --locked -- -D warnings
	cargo xtask layers
	cargo xtask version --check
	cargo xtask types --check
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	node crates/tokenbook-cli/page/build.mjs --check

types: ## regenerate the types of TypeScript and Python
	cargo xtask types

bench: ## measure against the peers (installs them into bench/; takes a while)
	bash bench/run.sh

bench-count: ## compare counting alone with its peers
	bash bench/count/run.sh

pack: target/.pack ## build the wheel and the npm tarballs into dist/

clean: ## remove everything that was built
	rm -rf target $(VENV) dist tests/*/node_modules node/*.node python/tokenbook/*.so bench/*/target bench/*/peers

# Stamps: what is up to date is not built again. Nothing is installed outside the repository.
target/.python: $(RUST) pyproject.toml
	@mkdir -p target
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	rm -f python/tokenbook/*.so
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[test]'
	@touch $@

target/.node: target/.release node/triple.cjs node/scripts/build.mjs
	@mkdir -p target
	node node/scripts/build.mjs --built
	@touch $@

target/.node-tools: tests/node/package.json tests/node/package-lock.json
	@mkdir -p target
	cd tests/node && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@

# Without a toolchain for WebAssembly the suites say so and skip; .ci/run installs one.
target/.web: $(RUST) node/scripts/web.mjs node/errors.cjs node/json.cjs
	@mkdir -p target
	node node/scripts/web.mjs --if-possible
	@touch $@

target/.web-tools: tests/web/package.json tests/web/package-lock.json
	@mkdir -p target
	cd tests/web && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@

target/.page-tools: crates/tokenbook-cli/page/package.json crates/tokenbook-cli/page/package-lock.json
	@mkdir -p target
	cd crates/tokenbook-cli/page && npm ci --no-audit --no-fund --loglevel=error
	@touch $@

# Together: one by one each would have what they share compiled anew, for features that the other doesn't ask for.
target/.release: $(RUST) $(wildcard crates/tokenbook-cli/assets/*)
	@mkdir -p target
	cargo build --release --locked --package tokenbook-cli --package tokenbook-node
	@touch $@

target/.pack: target/.node $(shell find node/src -type f) $(wildcard node/*.*js node/*.*ts node/package.json python/tokenbook/*.py*) pyproject.toml
	@mkdir -p dist
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	rm -rf dist/*
	$(BIN)/pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir dist .
	node node/scripts/pack.mjs dist
	@mkdir -p dist/vocabularies
	$(BIN)/pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir dist/vocabularies ./vocabularies
	cd vocabularies && npm pack --silent --ignore-scripts --pack-destination ../dist/vocabularies
	@touch $@
