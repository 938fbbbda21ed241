.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: help
help: ## List every command
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sort | awk -F':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

$(VENV)/.installed: pyproject.toml requirements.lock
	$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed: make PYTHON=python3.12 ...")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --editable .
	touch $@

.PHONY: setup
setup: $(VENV)/.installed ## Make .venv with everything the product and its tests need

.PHONY: up
up: setup ## Start the embedded stack, the API and a worker on this machine
	$(BIN)/swissbrain up

.PHONY: demo
demo: setup ## Watch a real run lose its worker half way and finish, with its report and its bill
	$(BIN)/python -m client.demo

.PHONY: lint
lint: setup ## Style, imports, types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/mypy

.PHONY: unit
unit: setup ## Tests without sockets
	$(BIN)/pytest tests/unit -q

.PHONY: integration
integration: setup ## Tests on the real embedded services
	$(BIN)/pytest tests/integration -q

.PHONY: replay
replay: setup ## Recorded histories and frozen keys
	$(BIN)/pytest tests/replay -q

.PHONY: chaos
chaos: setup ## Killed processes, races, dead dependencies
	$(BIN)/pytest tests/chaos -q

.PHONY: test
test: setup ## All tests; what CI runs after `lint`
	$(BIN)/pytest -n 2 --dist loadgroup -q -m "not extended"

.PHONY: check
check: lint test ## Everything that CI runs

.PHONY: bench
bench: setup ## Measure: events per step, steps per second, creations per second, recovery
	$(BIN)/python -m tests.load.bench

.PHONY: histories
histories: setup ## Record the histories that tests/replay replays
	$(BIN)/python -m tests.replay.record

.PHONY: lock
lock: setup ## Resolve requirements.lock anew from pyproject.toml
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --no-emit-index-url --no-annotate --no-header \
		--extra vectors --group dev pyproject.toml --output-file requirements.lock

.PHONY: clean
clean: ## Remove what the commands above made, but no data directory
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
