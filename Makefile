# Everything runs in .venv, made here from nothing but Python (>= 3.11) and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# A process of tests a core, at most four: each compiles for itself what no cache holds yet.
WORKERS ?= -n auto --maxprocesses 4 --dist worksteal
UV := VIRTUAL_ENV=$(CURDIR)/$(VENV) $(BIN)/uv
# Bytecode is kept, whatever the environment says: without it every process compiles again what it
# imports (some 2,400 modules in tests), for 10 to 20 seconds.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help install install-test quickstart lint test test-slow format bench clean

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

install: $(VENV)/.installed  ## make .venv and install ntkreg into it, without TensorFlow
install-test: $(VENV)/.installed-test  ## the same with what the tests need

# uv is bootstrapped by pip into the environment itself; its override in pyproject.toml is
# what leaves TensorFlow out.
$(VENV)/bin/uv:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet uv

$(VENV)/.installed: pyproject.toml | $(VENV)/bin/uv
	$(UV) pip install --quiet -e .
	@touch $@

$(VENV)/.installed-test: pyproject.toml | $(VENV)/bin/uv
	$(UV) pip install --quiet -e '.[test]'
	@touch $@ $(VENV)/.installed

quickstart: install  ## kernels, SVM and ridge on scikit-learn's digits: a table and a page, under 2 minutes
	$(BIN)/ntkreg quickstart --output results/quickstart

lint: install-test  ## ruff, mypy and the import contract
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: lint  ## lint, types, import contract, tests and doctests, warnings as errors
	$(BIN)/pytest -m "not slow" $(WORKERS)

test-slow: install-test  ## the checks too slow for every change
	$(BIN)/pytest -m slow $(WORKERS)

format: install-test  ## rewrite the code in the house style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: install-test  ## measure the speed claims on this machine; tables go to benchmarks/
	$(BIN)/python scripts/bench_kernels.py
	$(BIN)/python scripts/bench_empirical.py

clean:  ## remove the environment and the results
	rm -rf $(VENV) results
