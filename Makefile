# Terraweave. `make demo` and `make test` install what is missing and say so; `make help` lists all.
SHELL := /bin/bash
.DEFAULT_GOAL := help

WORKER := .venv/worker/bin/python
HOST := .venv/host/bin/python

# QGIS runs without a screen, and in a profile of its own: never in the user's.
export QT_QPA_PLATFORM := offscreen
export XDG_RUNTIME_DIR := $(CURDIR)/.cache/runtime
export QGIS_CUSTOM_CONFIG_PATH := $(CURDIR)/.cache/profile
export TERRAWEAVE_PYTHON := $(CURDIR)/$(WORKER)
unexport PYTHONPATH PYTHONHOME

.PHONY: help demo test test-all test-matrix bench package lock lint qgis worker worker-tests host

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' Makefile | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 12

demo: qgis worker ## train on a small made-up scene through qgis_process and map it
	@$$(cat .cache/qgis-python) tools/demo.py

test: lint test-core test-host ## lint, then the fast tests in both Pythons

test-all: lint ## all tests, the slow ones too
	@$(MAKE) --no-print-directory test-core test-host test-qt6 MARKS=

lint: worker-tests host ## ruff, mypy on core, flake8-qgis on the host side
	@echo "terraweave: ruff, mypy and flake8-qgis read the sources."
	@$(WORKER) -m ruff check .
	@$(WORKER) -m ruff format --check .
	@$(WORKER) -m mypy
	@$(HOST) -m flake8 $(wildcard plugin ui) __init__.py

MARKS := -m "not slow"

.PHONY: test-core test-host
test-core: worker-tests
	@echo "terraweave: the tests of the core, without QGIS."
	@OMP_NUM_THREADS=1 $(WORKER) -m pytest tests/core $(MARKS)

test-host: worker host
	@echo "terraweave: the tests of the host, inside QGIS's Python."
	@$(HOST) -m pytest $(wildcard tests/plugin tests/ui tests/qt tests/e2e) $(MARKS)

test-matrix: worker ## the host's tests on QGIS 3.44 of Debian forky, and the widgets on PyQt6 (root)
	@tools/test_matrix.sh

.PHONY: test-qt6
test-qt6: qgis
	@tools/provision_environment.sh qt6 tests/requirements-qt6.txt
	@echo "terraweave: the pure-Qt widgets on PyQt6, which QGIS 4 brings."
	@.venv/qt6/bin/python -m pytest tests/qt $(MARKS)

bench: worker-tests ## tables and plots into benchmarks/results/
	@$(WORKER) -m benchmarks

package: qgis worker ## the zip for the plugin site, scanned as the site scans it, and tried
	@tools/provision_environment.sh package tools/requirements-package.txt
	@$$(cat .cache/qgis-python) tools/package.py
	@echo "terraweave: the demo, from that package in an empty profile."
	@$$(cat .cache/qgis-python) tools/demo.py --zip "$$(ls -t build/terraweave-*.zip | head -n 1)"

# WHEELS: folders with wheels that no public index has, such as CPU builds of torch for Linux.
lock: ## choose the worker's wheels anew after a change of core/requirements.txt (needs a network)
	@tools/provision_environment.sh package tools/requirements-package.txt
	@.venv/package/bin/python tools/make_lock.py $(WHEELS)

qgis:
	@tools/provision_qgis.sh

# The worker needs a Python with venv, which comes with QGIS on a bare Debian.
worker: qgis
	@tools/provision_environment.sh worker core/requirements.txt

worker-tests: qgis
	@tools/provision_environment.sh worker core/requirements.txt tests/requirements-worker.txt

host: qgis
	@tools/provision_environment.sh host tests/requirements-host.txt
