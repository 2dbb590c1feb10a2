# Everything that people, hooks and CI run. `make` alone lists the targets.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
ARGS ?=
SEEDS ?= 2000
SEED ?=

help: ## List what can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

demo: $(VENV)/demo ## Set up, load real and simulated data, show a timeline and the alerts, serve (ARGS=--once ends)
	@$(BIN)/rapport demo $(ARGS)

setup: $(VENV)/dev ## Set up everything that developing and testing need

test: $(VENV)/dev ## Run the whole suite, with a real Kafka and a real PostgreSQL
	$(BIN)/pytest -n 3 --dist loadfile --no-loadscope-reorder $(ARGS)

bench: $(VENV)/dev ## Measure it beside the plainest thing that does the same work (ARGS="--only ingest --quick")
	@$(BIN)/python -W ignore -m tests.bench $(ARGS)

faults: $(VENV)/dev ## Break it in every way we know; and again without each guard, 47 min (ARGS="--only NAME --seed N")
	@$(BIN)/python -W ignore -m tests.faults $(ARGS)

simulation: $(VENV)/dev ## Simulate the whole under a virtual clock, with trouble everywhere (SEEDS=2000; SEED=123 replays one; ARGS=--guards)
	@$(BIN)/python -m tests.simulation $(if $(SEED),--seed $(SEED),--seeds $(SEEDS)) $(ARGS)

check: $(VENV)/dev ## Check format, lint, types and import contracts
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m shared.events.generate --check
	$(BIN)/python -m services.alerts.generate --check

format: $(VENV)/dev ## Format the code and mend what lint can mend
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

schemas: $(VENV)/dev ## Write the JSON Schemas of all events, and what can be set of each rule, again
	$(BIN)/python -m shared.events.generate
	$(BIN)/python -m services.alerts.generate

lock: ## Lock the dependencies again, with hashes and without addresses (needs uv)
	uv pip compile --quiet --upgrade --generate-hashes --no-emit-index-url --no-header --python-version 3.11 --extra build --extra demo pyproject.toml -o requirements.lock
	uv pip compile --quiet --generate-hashes --no-emit-index-url --no-header --python-version 3.11 --all-extras -c requirements.lock pyproject.toml -o requirements-dev.lock

clean: ## Remove what was set up and built
	rm -rf $(VENV) build .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis

$(VENV)/demo: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Rapport needs Python 3.11 or newer; this is $$($(PYTHON) --version). Name another with: make PYTHON=python3.12 …" >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Setting up (about half a minute) …" >&2
	@$(PIP) install --quiet --require-hashes --no-deps -r requirements.lock
	@$(PIP) install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/dev: $(VENV)/demo requirements-dev.lock
	@echo "Setting up for development …" >&2
	@$(PIP) install --quiet --require-hashes --no-deps -r requirements-dev.lock
	@touch $@

.PHONY: help demo setup test bench faults simulation check format schemas lock clean
