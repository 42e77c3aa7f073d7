# The commands of a checkout. `make install PYTHON=python3.12` picks the interpreter,
# `make test JOBS=8` the number of test processes.

PYTHON ?= python3
JOBS ?= 2
BIN := .venv/bin

.PHONY: help install demo test lint unit browser mim docs clean

help:  ## this list
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1\t/' | expand -t 18

install:  ## bring .venv to the tested set of packages; does nothing when it is
	@$(PYTHON) requirements/install.py

demo: install  ## train for some minutes, super-resolve photographs, write a page
	@$(BIN)/python demo/run.py

test: lint unit  ## lint, then every test

lint: install  ## style, types and spelling
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/codespell

# One thread a process: with more, the processes wait for each other.
unit: install browser  ## every test, without lint
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(JOBS) --dist loadfile

browser:  ## Chromium, in which the page of the verb serve is tested; Debian's, if there is none
	@tests/support/browser.sh

mim: install  ## the built wheel, used through openmim and through onedl-mim
	tests/packaging/mim.sh

docs: install  ## the site, into docs/_build/html
	$(BIN)/python -m sphinx -W -b html docs docs/_build/html

clean:  ## remove what builds and tests left; keeps .venv, data and work_dirs
	rm -rf build dist docs/_build docs/projects .pytest_cache .ruff_cache .mypy_cache
	find . -path ./.venv -prune -o -name __pycache__ -print0 | xargs -0 rm -rf
