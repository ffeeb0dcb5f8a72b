# Two commands set everything up: `make demo` and `make test`. Both make .venv when it is missing.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
DEMO ?= demo
export HF_HUB_DISABLE_TELEMETRY = 1

.PHONY: demo test test-slow lint types tables mini figures speed clean help

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/'

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip

$(VENV)/.installed: setup.cfg pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet -e .
	@touch $@

$(VENV)/.installed-test: setup.cfg pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet -e '.[test]'
	@touch $@ $(VENV)/.installed

demo: $(VENV)/.installed  ## open the embedded dataset, evaluate a small network and ideal masks, write a report
	$(BIN)/python -m benchmarks.demo --out $(DEMO)

test: $(VENV)/.installed-test lint types  ## run the linters, the type checker and the tests
	$(BIN)/python -m pytest -n 2 --dist loadfile

test-slow: $(VENV)/.installed-test  ## run the tests that take long
	$(BIN)/python -m pytest -m slow

lint: $(VENV)/.installed-test  ## check style
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.installed-test  ## check types, strictly
	$(BIN)/mypy

mini: $(VENV)/.installed  ## make the embedded dataset again, bit for bit
	$(BIN)/python -m hive.maintenance.make_mini

figures: $(VENV)/.installed  ## draw the pictures of the documentation again
	for script in docs/figure_*.py; do $(BIN)/python $$script || exit 1; done

speed: $(VENV)/.installed-test  ## measure rendering, metrics, training and separation against the plain way
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.speed.rendering
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.speed.chunking
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.speed.metrics
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.speed.perceptual
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.speed.streaming
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.speed.planning --clips 100000 --num 100k
	$(BIN)/python -m benchmarks.speed.train --preset mini --batch 4
	$(BIN)/python -m benchmarks.speed.separation --preset mini --long 30
	$(BIN)/python -m benchmarks.speed.flowsep --preset mini

clean:  ## remove what the other targets made
	rm -rf $(VENV) $(DEMO) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache
