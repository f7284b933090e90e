# Stillopen. `make help` lists what can be made; each target sets up what it needs.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed
PEERS := .venv/.peers
POUCHDB := tests/bench/pouch/node_modules/.package-lock.json
SEEDS ?= 200
ONLY ?=
JSON ?=
PLOTS ?=

.PHONY: help
help: ## Say what can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  %-10s %s\n", $$1, $$2}'

.PHONY: install
install: $(INSTALLED) ## Set up .venv with everything, once

$(INSTALLED): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Stillopen needs Python 3.11 or newer; name it with make PYTHON=..." >&2; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || \
	  { echo "This Python cannot make virtual environments. Install the missing package first," >&2; \
	    echo "on Debian or Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	@echo "Setting up .venv (once, about a minute)"
	@$(PYTHON) -m venv .venv
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

.PHONY: protos
protos: $(INSTALLED) ## Generate the Python code of the contract again
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python tests/support/generate.py protos/gen

.PHONY: lint
lint: $(INSTALLED) ## Check style of code and contract
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	cd protos && ../$(BIN)/buf lint && ../$(BIN)/buf format -d --exit-code

.PHONY: types
types: $(INSTALLED) ## Check types with mypy and pyright, both strict
	$(BIN)/mypy
	$(BIN)/pyright --pythonpath $(BIN)/python

.PHONY: test
test: $(INSTALLED) ## Run the tests
	$(BIN)/pytest -n 2 --dist loadscope --no-loadscope-reorder

.PHONY: crashes
crashes: $(INSTALLED) ## Kill every place, and cut every stream, at every point of every script
	STILLOPEN_EVERY_POINT=1 $(BIN)/pytest -n 2 tests/processes/test_crash_everywhere.py \
	  tests/sim/test_cut_at_every_frame.py tests/sim/test_crashes.py tests/sim/test_carts.py

.PHONY: check
check: lint types test ## All of lint, types and test

.PHONY: demo
demo: $(INSTALLED) ## See a sale survive an outage
	$(BIN)/stillopen demo

.PHONY: serve
serve: $(INSTALLED) ## Start headquarters, a channel and a register under ./var
	$(BIN)/stillopen serve all --data var

$(PEERS): requirements-bench.lock | $(INSTALLED)
	@echo "Setting up the peers to measure against (once)"
	@if $(BIN)/pip install -qqq --disable-pip-version-check --require-hashes --retries 1 \
	  -r requirements-bench.lock; then touch $@; else \
	  echo "The peers cannot be had here; what is measured against them is skipped" >&2; fi

$(POUCHDB): tests/bench/pouch/package-lock.json
	@echo "Setting up PouchDB to measure against (once)"
	@if npm ci --prefix tests/bench/pouch --no-audit --no-fund --ignore-scripts --silent \
	  --fetch-retries=1; then touch $@; else \
	  echo "PouchDB cannot be had here; what is measured against it is skipped" >&2; fi

.PHONY: bench
bench: $(INSTALLED) $(PEERS) $(POUCHDB) ## Measure, as ratios: make bench [ONLY=name] [JSON=file] [PLOTS=folder]
	$(BIN)/python -m tests.bench $(if $(ONLY),--only $(ONLY)) $(if $(JSON),--json $(JSON)) \
	  $(if $(PLOTS),--plots $(PLOTS))

.PHONY: sim
sim: $(INSTALLED) ## Simulate the estate: make sim [SEEDS=200]
	$(BIN)/python -m tests.sim --seeds $(SEEDS)

.PHONY: mutants
mutants: $(INSTALLED) ## Put faults into the source and see the simulation find them: make mutants [ONLY=name]
	$(BIN)/python -m tests.mutants $(if $(ONLY),--only $(ONLY))

.PHONY: lock
lock: $(INSTALLED) ## Pin the dependencies again (needs uv)
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-header \
	  --all-extras --group dev pyproject.toml -o requirements.lock
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-header \
	  -c requirements.lock --group bench -o requirements-bench.lock

.PHONY: dist
dist: $(INSTALLED) ## Build wheel and sdist into ./dist
	$(BIN)/python -m hatchling build

.PHONY: clean
clean: ## Remove what was made, but not ./var
	rm -rf .venv dist .mypy_cache .ruff_cache .pytest_cache .hypothesis tests/bench/pouch/node_modules
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
