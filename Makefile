# make demo shows the whole way of a notebook; make test checks everything.

# PYTHON     makes the environment; 3.11, 3.12 or 3.13
# NOTEBOOK   what `make demo` exports
# BASE_IMAGE what `make demo` and `byoc-kit build` build the image from; default: that of the Dockerfile
PYTHON := $(shell command -v python3.11 || echo python3)
NOTEBOOK := notebooks/green_tint.ipynb
export BASE_IMAGE ?=

BIN := .venv/bin
# Two processes share the files of tests; more would make each other late.
PYTEST := $(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder
# What runs in the container
COVERED := byoc_kit/core/*,byoc_kit/media/*,byoc_kit/server/*,byoc_kit/system/*,byoc_kit/trickle/*
# What checks the preview's JavaScript: package.json
NODE_MODULES := .venv/js/node_modules
IS_SUPPORTED := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))
IS_311 := import sys; sys.exit(sys.version_info[:2] != (3, 11))

.PHONY: help demo test quick coverage styles bench bench-memory bench-preview bench-preview-soak bench-soak bench-tools \
  lint lint-js docs dist lock clean

help: ## say this
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' Makefile | expand -t 27

demo: .venv/made ## export the example notebook, verify it, and build and verify its image where Docker is there
	@$(BIN)/byoc-kit demo $(NOTEBOOK)

test: lint ## lint, then every test; those without their Docker or Chromium are skipped, and said
	$(PYTEST)

quick: .venv/made ## the tests that need no other program and take no seconds each; three minutes
	$(PYTEST) -m "not slow and not docker and not browser and not styles"

coverage: .venv/made ## the lines and branches that the tests run, other processes included
	$(PYTEST) --cov --cov-report=term:skip-covered
	$(BIN)/coverage report --include=$(COVERED) --fail-under=92 --format=total

styles: .venv/made ## verify the notebooks of other styles, tests/styles; some three minutes
	$(BIN)/pytest -n 2 -m styles tests/styles

bench: .venv/made ## measure CPU, latency and memory beside stock pytrickle and ffmpeg; some ten minutes, at rest
	@$(BIN)/python -m benchmarks

bench-tools: .venv/made ## measure how long check, export, watch and --help take
	@$(BIN)/python -m benchmarks --tools

bench-preview: .venv/made ## measure the preview in JupyterLab and Chromium; a quarter of an hour, at rest
	@$(BIN)/python -m benchmarks --preview

bench-preview-soak: .venv/made ## let the preview play for an hour: neither kernel nor page may grow
	@$(BIN)/python -m benchmarks --preview --soak 60

bench-memory: .venv/made ## stream a hundred times, run a preview thirty times: neither memory nor threads may grow
	@$(BIN)/python -m benchmarks --memory

bench-soak: .venv/made ## stream for ten minutes through a slow process_frame: nothing may grow
	@$(BIN)/python -m benchmarks --soak

lint: .venv/made ## ruff, mypy and lint-imports
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy --strict
	$(BIN)/lint-imports --no-cache --no-logo

lint-js: .venv/js/made ## check the preview's JavaScript, and its types; needs npm
	$(NODE_MODULES)/.bin/tsc --project jsconfig.json
	NODE_PATH=$(NODE_MODULES) $(NODE_MODULES)/.bin/eslint --max-warnings 0 byoc_kit

docs: .venv/publish ## build the documentation as a site, reports/docs/index.html; a broken link fails it
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict
	@! grep -rlE '<(script|link|img|iframe)[^>]* (src|href)="?(https?:)?//' --include=*.html reports/docs \
	  || { echo "these pages load something from another host"; exit 1; }
	@echo "open reports/docs/index.html, or $(BIN)/mkdocs serve, which has the search too"

dist: .venv/publish ## build dist/, check it, and check a notebook with the wheel in an environment of its own
	rm -rf dist
	$(BIN)/python -m build --outdir dist
	$(BIN)/twine check --strict dist/*
	$(PYTHON) -m venv --clear .venv/dist
	.venv/dist/bin/pip install --quiet --disable-pip-version-check --constraint requirements-dev.lock "$$(echo dist/*.whl)[notebook]"
	.venv/dist/bin/byoc-kit --version
	.venv/dist/bin/byoc-kit check notebooks/green_tint.ipynb

lock: ## write requirements-dev.lock and requirements-publish.lock anew, from what pip chooses today
	@$(PYTHON) -c '$(IS_311)' || { echo "the lock is made with Python 3.11: make lock PYTHON=/path/to/python3.11"; exit 1; }
	$(PYTHON) -m venv --clear .venv/lock
	.venv/lock/bin/pip install --quiet -e '.[dev]'
	.venv/lock/bin/pip freeze --all --exclude-editable --exclude pip > .venv/lock/frozen
	{ sed -n '/^#/p' requirements-dev.lock; sed -E '/^nvidia-ml-py=/b; /^(nvidia-|cuda-|triton=)/d; s/[+].*//' .venv/lock/frozen; } > .venv/lock/new
	mv .venv/lock/new requirements-dev.lock
	.venv/lock/bin/pip install --quiet -e '.[docs,dist]'
	.venv/lock/bin/pip freeze --all --exclude-editable --exclude pip | grep -vxFf .venv/lock/frozen > .venv/lock/new
	{ sed -n '/^#/p' requirements-publish.lock; cat .venv/lock/new; } > .venv/lock/publish
	mv .venv/lock/publish requirements-publish.lock

clean: ## remove the environment, the reports and the collected wheels
	rm -rf .venv dist reports artifacts export/*/wheels .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage*

.venv/made: pyproject.toml requirements-dev.lock
	@$(PYTHON) -c '$(IS_SUPPORTED)' || { echo "byoc-kit needs Python 3.11, 3.12 or 3.13: make PYTHON=/path/to/python3.11"; exit 1; }
	@echo "installing the pinned packages into .venv; the first time takes some minutes"
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/pip install --quiet --disable-pip-version-check -r requirements-dev.lock
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps -e .
	@touch $@

.venv/js/made: package.json | .venv/made
	mkdir -p .venv/js && cp package.json .venv/js
	npm install --no-package-lock --no-audit --no-fund --loglevel=error --prefix .venv/js
	@touch $@

.venv/publish: .venv/made requirements-publish.lock
	@echo "installing what builds the documentation and the distribution into .venv"
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps -r requirements-publish.lock
	@touch $@
