.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
MODEL ?= qwen2.5-coder-1.5b

# Where it is set, every process that a test starts would compile all its code anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help
help: ## List every command
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sort | awk -F':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

$(VENV)/.installed: pyproject.toml requirements.lock
	$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed: make PYTHON=python3.12 ...")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip uv
	@# Twice as fast as pip; where it does not reach the index that pip is configured with, pip does it.
	$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python --requirement requirements.lock || \
		$(BIN)/python -m pip install --quiet --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --editable .
	touch $@

# What the tests of audio and video hear with: 100 MB. Without them those tests are skipped, and say so.
$(VENV)/.models: $(VENV)/.installed infra/local_model/catalogue.toml
	$(BIN)/swissbrain model get whisper-tiny.en > /dev/null && $(BIN)/swissbrain model get voices-campplus > /dev/null \
		&& touch $@ || echo "the models of speech could not be fetched: their tests will be skipped" >&2

.PHONY: setup
setup: $(VENV)/.installed $(VENV)/.models ## Make .venv with everything the product and its tests need

.PHONY: up
up: setup ## Start the embedded stack, the API and a worker on this machine
	$(BIN)/swissbrain up

.PHONY: local-model
local-model: setup ## The same with a language model that runs here (first time: compiles, fetches 1.1 GB)
	@# Not for this very processor: virtual machines name instructions that they then refuse.
	$(BIN)/python -c 'import llama_cpp, sse_starlette' 2>/dev/null || \
		CMAKE_ARGS=-DGGML_NATIVE=OFF $(BIN)/python -m pip install --quiet --editable '.[local-llm]'
	$(BIN)/swissbrain model get $(MODEL)
	$(BIN)/swissbrain up --local-model $(MODEL)

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
	$(BIN)/pytest tests/chaos tests/integration/test_money_model.py tests/integration/test_run_states.py -q

.PHONY: backup-test
backup-test: setup ## A backup under load, restored beside its origin (minutes; not part of CI)
	$(BIN)/pytest tests/chaos/test_backup.py -q -s

.PHONY: security
security: setup ## The long integration tests: bombs, planted secrets, keys rotated under load (minutes; not part of CI)
	$(BIN)/pytest tests/integration -m extended -q -s

.PHONY: media-test
media-test: setup ## The long tests of audio and video: a five-minute video, an hour in portions, fuzzed files (not part of CI)
	$(BIN)/swissbrain model get whisper-base > /dev/null
	$(BIN)/pytest tests/integration/media -m extended -q -s

.PHONY: office-test
office-test: setup ## The long tests of exports: thirty decks measured, files opened in LibreOffice (minutes; not part of CI)
	$(BIN)/pytest tests/unit/deliverables -m extended -q

.PHONY: test
test: setup ## All tests; what CI runs after `lint`
	$(BIN)/pytest -n 3 --dist loadgroup --no-loadscope-reorder -q -m "not extended"

.PHONY: check
check: lint test ## Everything that CI runs

PART ?= all
SPLIT ?= blind
SEED ?= 1
QUESTIONS ?= 4

.PHONY: eval
eval: setup ## Measure the quality of the research: PART=planted, real, data, model ... SPLIT=develop, SEED=2
	$(BIN)/python -m tests.eval --part $(PART) --split $(SPLIT) --seed $(SEED) --questions $(QUESTIONS)

.PHONY: bench
bench: setup ## Measure: events per step, steps per second, creations per second, recovery, hostile files, exports, ten agents
	$(BIN)/python -m tests.load.bench
	$(BIN)/python -m tests.load.bombs
	$(BIN)/python -m tests.load.deck
	$(BIN)/python -m tests.load.paper
	$(BIN)/python -m tests.load.latency

.PHONY: bench-bombs
bench-bombs: setup ## Measure the sandbox alone: attacks by level, time until each hostile file is refused
	$(BIN)/python -m tests.load.bombs

.PHONY: bench-media
bench-media: setup ## Measure transcripts: words, times and speakers of two voices, speed; a video; hostile files
	$(BIN)/swissbrain model get whisper-base > /dev/null
	$(BIN)/python -m tests.load.media

.PHONY: bench-data
bench-data: setup ## Measure the analysis of a million rows, in the sandbox, and against pandas
	$(BIN)/python -m pip install --quiet --group bench
	$(BIN)/python -m tests.load.data
	$(BIN)/python -m tests.load.files

MODULE ?=
SAMPLE ?=

.PHONY: mutants
mutants: setup ## Change the code of the money, the states and the rules, and see that tests notice: MODULE=schema/money.py
	$(BIN)/python -m pip install --quiet --group mutation
	nice -n 10 $(BIN)/python -m tests.mutation $(MODULE) $(if $(SAMPLE),--sample $(SAMPLE))

EXAMPLES ?= 200
CREDENTIALS ?= key session

PATHS ?=

.PHONY: fuzz
fuzz: setup ## Schemathesis against the API on real servers: EXAMPLES=200, SEED=1, CREDENTIALS="key session", PATHS=/files
	$(BIN)/python -m tests.outside.fuzz --examples $(EXAMPLES) --seed $(SEED) --as $(CREDENTIALS) --paths '$(PATHS)'

.PHONY: histories
histories: setup ## Record the histories that tests/replay replays
	$(BIN)/python -m tests.replay.record

.PHONY: lock
lock: setup ## Resolve requirements.lock anew from pyproject.toml
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --no-emit-index-url --no-annotate --no-header \
		--extra vectors --extra media --extra ocr --group dev pyproject.toml --output-file requirements.lock

.PHONY: clean
clean: ## Remove what the commands above made, but no data directory
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
