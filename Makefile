# Every target does all of its own set-up: a fresh clone needs Python 3.10+ and a network, nothing else.
# Environments live in .venv; a stamp file per group of packages makes the second run start at once.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
CONSTRAINTS := requirements/constraints-test.txt
PIP := PIP_DISABLE_PIP_VERSION_CHECK=1 $(BIN)/python -m pip
INPUTS := pyproject.toml $(CONSTRAINTS)
# Tests run side by side; set JOBS=0 to see them one by one.
JOBS ?= 2
ARGS ?=

.PHONY: help demo test test-containers test-engines test-frameworks soak protos lint format docs docs-serve bench wheel clean

help:  ## Show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18

demo: $(VENV)/.stamp-demo  ## Train on iris, save, serve, send requests, print the answers
	@$(BIN)/python examples/iris/demo.py $(ARGS)

test: lint  ## Lint, then every test that is not opt-in
	@scripts/ensure_test_tools.sh
	$(BIN)/python -m pytest -n $(JOBS) --dist loadgroup $(ARGS)

test-containers: $(VENV)/.stamp-test  ## Build and run a real image (needs root on a Debian)
	@scripts/ensure_container_tools.sh
	$(BIN)/python -m pytest -m containers $(ARGS)

test-frameworks: $(VENV)/.stamp-test  ## Framework artifacts with the real packages (ARGS="jax spacy")
	$(BIN)/python scripts/test_frameworks.py $(ARGS)
	$(BIN)/python scripts/generate_reference.py

test-engines: $(VENV)/.stamp-venv  ## Offline runs on a real local Ray with two nodes, and on Spark (needs Java)
	PYTHON=$(BIN)/python scripts/test_engines.sh $(ARGS)

soak: $(VENV)/.stamp-test  ## The long tests: chaos, soak, full crash matrices
	@scripts/ensure_test_tools.sh
	$(BIN)/python -m pytest -m slow --timeout 3600 $(ARGS)

protos: $(VENV)/.stamp-test  ## Compile protos/ into what the package ships
	$(BIN)/python scripts/generate_protos.py

lint: $(VENV)/.stamp-test  ## ruff, mypy --strict, import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.stamp-test  ## Let ruff format and fix what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(VENV)/.stamp-docs  ## Build the documentation into site/
	$(BIN)/mkdocs build --strict $(ARGS)

docs-serve: $(VENV)/.stamp-docs  ## Show the documentation while it is written
	$(BIN)/mkdocs serve $(ARGS)

bench: $(VENV)/.stamp-bench  ## Compare serving throughput with other servers (ARGS="--help")
	$(BIN)/python -m benchmarks.serving $(ARGS)

wheel: $(VENV)/.stamp-test  ## Build the wheel and the source archive into dist/
	$(BIN)/python -m build --outdir dist .

clean:  ## Remove environments, caches and build results
	rm -rf $(VENV) .cache build dist site .mypy_cache .ruff_cache .pytest_cache .import_linter_cache

$(VENV)/.stamp-venv:
	@python=$$(scripts/find_python.sh "$(PYTHON)"); "$$python" -m venv $(VENV)
	$(PIP) install --quiet --upgrade pip
	@touch $@

$(VENV)/.stamp-%: $(VENV)/.stamp-venv $(INPUTS)
	$(PIP) install --quiet --retries 5 --constraint $(CONSTRAINTS) --editable ".[$*]"
	@touch $@
