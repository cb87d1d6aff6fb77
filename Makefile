# Every target sets itself up: all it needs is Python >= 3.11 and make.
PYTHON ?= python3
VENV ?= .venv
DEMO_VENV ?= .venv-demo
BIN := $(VENV)/bin
DEMO := $(DEMO_VENV)/bin

.PHONY: help demo install lint test test-all docs gallery clean

help:
	@echo "make demo      compile a sample model for an NPU, run it, compare it with the unsplit model"
	@echo "make test      lint, types, layers and tests (under 15 minutes)"
	@echo "make test-all  the slow tests too"
	@echo "make docs      write again what the guide has from programs, and build it as a site"
	@echo "make gallery   write the reports of the sample models again, with pictures"
	@echo "make clean     remove environments and caches"

$(DEMO_VENV)/.installed: pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed, this is " + sys.version)'
	$(PYTHON) -m venv $(DEMO_VENV)
	$(DEMO)/python -m pip install --quiet --disable-pip-version-check --upgrade pip
	$(DEMO)/python -m pip install --quiet --disable-pip-version-check --editable '.[qnn]' 2>$(DEMO_VENV)/pip.log \
	  || $(DEMO)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

demo: $(DEMO_VENV)/.installed
	@$(DEMO)/python sample_models/demo.py

$(VENV)/.installed: pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed, this is " + sys.version)'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade pip
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev,qnn]' 2>$(VENV)/pip.log \
	  || $(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

install: $(VENV)/.installed

lint: $(VENV)/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: lint
	$(BIN)/python -m pytest -q -n auto

test-all: lint
	$(BIN)/python -m pytest -q -m "slow or not slow"

docs: $(VENV)/.installed
	$(BIN)/python -m dovetail.targets.pages docs/targets
	$(BIN)/python -m dovetail.cli.code_pages docs/codes
	$(BIN)/python -m dovetail.report.json_schema docs/schemas
	DOVETAIL_REWRITE_GOLDEN=1 $(BIN)/python -m pytest -q tests/docs/test_examples.py
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo "the guide: site/index.html"

gallery: $(VENV)/.installed
	$(BIN)/python sample_models/gallery.py docs/gallery

clean:
	rm -rf $(VENV) $(DEMO_VENV) build dist site .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
