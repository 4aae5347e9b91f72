# make demo   the whole story on real data, in a throwaway repository        make test   everything that must hold
# Both set up what they need. Other targets: lint, test-heavy, fuzz, bench, man, requirements, clean.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules

PYTHON ?=
DIR ?= $(CURDIR)/demo
# Tests wait for programs that they start, and for the disk: three at a time keep two processors busy.
JOBS ?= 3
HEAVY_JOBS ?= 3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PEERS := .venv-peers/.ready
SERVING_PEERS := .venv-serving-peers/.ready
CORE := .venv-core/.ready
# Rooms whose tests must pass where no extra is installed; tests of what an extra brings are left out by name.
CORE_ROOMS := authoring checks cli contracts doctor repo runs
# Tests make thousands of small commits; what a power cut would leave is no test's subject, so none waits for the disk.
HASTE = $(shell command -v eatmydata)

# What the test runner compiles, it compiles once.
export PYTHONDONTWRITEBYTECODE :=
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: help setup peers serving-peers tools bytecode demo test suite test-fast test-core test-heavy fuzz lint bench man requirements clean

help:
	@sed -n 's/^# //p' Makefile | head -n 2

setup: $(READY)

peers: $(PEERS)

# What services are measured beside, 0.8 GB: `python -m benchmarks.serving`, and the row serving of `make bench`.
serving-peers: $(SERVING_PEERS)

$(READY): pyproject.toml requirements/dev.txt requirements/bootstrap.txt scripts/setup.sh scripts/system-tools.sh
	@PYTHON="$(PYTHON)" scripts/system-tools.sh
	@PYTHON="$(PYTHON)" scripts/setup.sh $(VENV) requirements/dev.txt --editable
	@touch $@

$(PEERS): requirements/peers.txt requirements/bootstrap.txt scripts/setup.sh
	@PYTHON="$(PYTHON)" scripts/setup.sh .venv-peers requirements/peers.txt
	@touch $@

$(SERVING_PEERS): requirements/serving-peers.txt requirements/bootstrap.txt scripts/setup.sh
	@PYTHON="$(PYTHON)" scripts/setup.sh .venv-serving-peers requirements/serving-peers.txt
	@touch $@

$(CORE): pyproject.toml requirements/core.txt requirements/bootstrap.txt scripts/setup.sh
	@PYTHON="$(PYTHON)" scripts/setup.sh .venv-core requirements/core.txt --editable
	@touch $@

# What only the heavy tests need: a newer git, what comes from npm, a browser, PostgreSQL, R, PyTorch, container engines.
tools:
	@scripts/newer-git.sh
	@scripts/node-tools.sh
	@scripts/browser.sh
	@scripts/postgres.sh
	@scripts/r.sh
	@scripts/torch.sh
	@PYTHON="$(PYTHON)" scripts/containers.sh

# Processes that tests start write no bytecode and would compile everything anew.
bytecode: setup
	@python -m compileall -q strata_git tests benchmarks

demo: setup
	@PYTHON="$(CURDIR)/$(BIN)/python" bash examples/breast_cancer/demo.sh "$(DIR)"

lint: setup
	ruff format --check .
	ruff check .
	git ls-files -z --cached --others --exclude-standard | xargs -0 codespell
	lint-imports
	mypy strata_git tests/support tests/conftest.py tests/test_frame.py scripts/man.py scripts/rules.py scripts/schemas.py scripts/shapes.py

# Linters and tests side by side: one of them is of one processor for a minute, the others wait for what they started.
test: setup peers bytecode
	@$(MAKE) --no-print-directory --jobs 2 lint suite

suite: setup
	coverage erase
	$(HASTE) coverage run -m pytest -n $(JOBS) --dist worksteal
	coverage combine --quiet
	coverage report --fail-under=95

# The quick round while working: no linters, no coverage. ARGS="tests/checks -k csv"
test-fast: setup
	$(HASTE) pytest -q -n $(JOBS) $(ARGS)

# The core without any extra, in an environment of its own.
test-core: $(CORE)
	$(HASTE) .venv-core/bin/python -m pytest -q -n $(JOBS) -p tests.support.core_alone $(CORE_ROOMS:%=tests/%)

# What is only fetched and unpacked comes while the core's own tests run. An empty selection (pytest's exit code 5) is no failure.
test-heavy: setup peers bytecode
	@$(MAKE) --no-print-directory --jobs 2 tools test-core
	$(HASTE) pytest -m heavy -n $(HEAVY_JOBS) --dist loadfile --no-loadscope-reorder --durations=25 || [ $$? -eq 5 ]

# A million inputs for each grammar, guided by coverage; an hour. What is found lies in .fuzz/. ARGS="yaml --seconds 60"
fuzz: setup
	python -m tests.fuzz $(ARGS)

bench: setup peers serving-peers
	python -m benchmarks

man: setup
	python scripts/man.py
	python scripts/rules.py
	python scripts/schemas.py
	python scripts/shapes.py

requirements: setup
	compile() { uv pip compile --quiet --upgrade --no-config --universal --python-version 3.11 --generate-hashes \
	  --no-emit-index-url --no-emit-find-links --no-header --no-annotate "$$@"; }; \
	compile pyproject.toml --extra all --extra dev -o requirements/dev.txt; \
	compile pyproject.toml requirements/core.in -c requirements/dev.txt -o requirements/core.txt; \
	compile pyproject.toml --extra serve --extra onnx --extra sklearn -c requirements/dev.txt -o requirements/service.txt; \
	compile requirements/peers.in -o requirements/peers.txt; \
	compile requirements/serving-peers.in -o requirements/serving-peers.txt; \
	compile requirements/bootstrap.in -o requirements/bootstrap.txt

clean:
	rm -rf $(VENV) .venv-peers .venv-serving-peers .venv-core .tools build dist htmlcov .coverage .coverage.* .pytest_cache .mypy_cache .ruff_cache \
	  .import_linter_cache .hypothesis .fuzz
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
