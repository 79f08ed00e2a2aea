# `make demo` and `make test` set up all they need in .venv, then run. Nothing outside this folder is changed.
#
#   make demo            data, training, rollout, scores and pictures in the folder demo
#   make test            lint, formatting, types, tests
#   make test-scatter    the tests that compare with torch-scatter, which is built first (minutes)
#   make format          rewrite the sources in the house format
#   make clean           remove all that these commands made
#
# Another interpreter: make test PYTHON=python3.13

PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python -m
READY := $(VENV)/ready
# Python compiles what is imported, when it is: compiling all at once takes longer than the download. Containers often set
# this variable, by which each of the tests' many processes would compile it all again.
unexport PYTHONDONTWRITEBYTECODE
INSTALL := $(RUN) pip install --no-compile --constraint constraints.txt

# Tests run in parallel processes: one thread each.
PYTEST := OMP_NUM_THREADS=1 $(RUN) pytest

.PHONY: demo test lint format test-scatter clean

# One thread: for a mesh of this size a second one gains little, and waits long on a busy machine.
demo: $(READY)-movie
	OMP_NUM_THREADS=1 $(VENV)/bin/python examples/demo.py

test: lint
	$(PYTEST) --numprocesses=logical --maxprocesses=8

lint: $(READY)-dev
	$(RUN) ruff check .
	$(RUN) ruff format --check .
	$(RUN) mypy

format: $(READY)-dev
	$(RUN) ruff check --fix .
	$(RUN) ruff format .

# Its build imports torch, so it must see the torch installed here.
test-scatter: $(READY)-dev
	$(INSTALL) --no-build-isolation torch-scatter==2.1.2
	$(PYTEST) -m scatter

clean:
	rm -rf $(VENV) demo build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis .coverage

# $(READY)-movie and $(READY)-dev: the package with the extra of that name.
$(READY)-%: pyproject.toml setup.py $(wildcard physgt/ops/*.cpp physgt/ops/*.h) constraints.txt tools/create_venv.sh
	tools/create_venv.sh "$(PYTHON)" $(VENV)
	$(INSTALL) --upgrade pip
	$(INSTALL) --editable '.[$*]'
	touch $@
