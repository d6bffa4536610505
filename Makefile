# Tekton Budget: the words to work with. `make run` and `make test` install what they need first.
#
# PYTHON  the interpreter to build .venv from (3.11 or later)
# ARGS    passed on: make run ARGS="--port 9000", make test ARGS="tests/domain -k money"

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
# What is compiled once is not compiled again: tests start a hundred processes.
export PYTHONDONTWRITEBYTECODE :=
MAKEFLAGS += --no-print-directory

AT_LEAST := import sys; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(shell for name in python3 python3.13 python3.12 python3.11; do \
	if $$name -c '$(AT_LEAST)' 2>/dev/null; then echo $$name; break; fi; done)
BIN := .venv/bin
JOBS ?= 3
ARGS ?=

# uv is quick; pip does the same where only pip knows the way to a package index.
INSTALL = $(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes $(1) \
	|| $(BIN)/python -m pip install --quiet --require-hashes $(1)

.PHONY: help
help: ## this list
	@sed -nE 's/^([a-z-]+):.*## (.*)/  \1\t\2/p' Makefile | expand -t 12

# --- install ----------------------------------------------------------------------------------
# A stamp file says that the step after it was done, so that the second time costs nothing.

$(BIN)/.tools: requirements/build.txt
	@if [ -z "$(PYTHON)" ]; then echo "Python 3.11 or later is needed; name it: make PYTHON=/path/to/python3.11" >&2; exit 1; fi
	@echo "installing into .venv with $$($(PYTHON) --version)"
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/build.txt
	@touch $@

$(BIN)/.runtime: $(BIN)/.tools requirements/runtime.txt pyproject.toml
	@$(call INSTALL,-r requirements/runtime.txt)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

$(BIN)/.dev: $(BIN)/.runtime requirements/dev.txt
	@$(call INSTALL,-r requirements/dev.txt)
	@touch $@

.PHONY: install
install: $(BIN)/.dev ## everything to work on the project, into .venv

# --- use --------------------------------------------------------------------------------------

.PHONY: run
run: $(BIN)/.runtime ## the service on 127.0.0.1:8013, over a SQLite file of your own
	@$(BIN)/tekton-budget serve $(ARGS)

.PHONY: proof
proof: $(BIN)/.dev ## a few minutes of proof that never a cent too much is granted
	@$(BIN)/tekton-budget proof $(ARGS)

.PHONY: bench
bench: $(BIN)/.dev ## the numbers of the design, as ratios
	@$(BIN)/python -m benchmarks $(ARGS)

# --- work -------------------------------------------------------------------------------------

.PHONY: test
test: $(BIN)/.dev ## every test, PostgreSQL included (ARGS: some of them, in one process)
ifeq ($(strip $(ARGS)),)
	@$(BIN)/pytest --numprocesses $(JOBS)
else
	@$(BIN)/pytest $(ARGS)
endif

.PHONY: test-tools
test-tools: $(BIN)/.dev ## real programs and SDKs from npm and PyPI, installed once, under a cap; needs node (ARGS: -k codex)
	@$(BIN)/pytest -m registry -p no:randomly tests/tools $(ARGS)

.PHONY: cover
cover: $(BIN)/.dev ## the same with coverage, in twice the time; of rules and verbs every branch must be taken
	@$(BIN)/pytest --numprocesses $(JOBS) --cov --cov-report=term:skip-covered
	@$(BIN)/coverage report --include='src/tekton_budget/domain/*,src/tekton_budget/service/*' --fail-under=100

.PHONY: check
check: $(BIN)/.dev ## format, lint, layers, types, docs
	@$(BIN)/ruff format --check --quiet . || { $(BIN)/ruff format --check .; exit 1; }
	@$(BIN)/ruff check --quiet .
	@$(BIN)/lint-imports --no-cache
	@$(BIN)/mypy
	@$(BIN)/python scripts/docs.py --check

.PHONY: fix
fix: $(BIN)/.dev ## format, and what lint can mend by itself
	@$(BIN)/ruff check --quiet --fix-only .
	@$(BIN)/ruff format .

.PHONY: docs
docs: $(BIN)/.dev ## write the API's examples and docs/reference from the source, and check every link
	@$(BIN)/python scripts/api_examples.py
	@$(BIN)/python scripts/docs.py

.PHONY: lock
lock: $(BIN)/.tools ## requirements/*.txt from pyproject.toml (ARGS=--upgrade: newest versions)
	@scripts/lock.sh $(ARGS)

.PHONY: clean
clean: ## what can be made again, except .venv
	@rm -rf build dist .coverage .coverage.* .mypy_cache .pytest_cache .ruff_cache .hypothesis
	@find src tests -name __pycache__ -type d -prune -exec rm -rf {} +
