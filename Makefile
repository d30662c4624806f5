# Every target does its own set-up in .venv; a machine needs Python 3.11 or newer with pip, and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
LMSYS_STORE_TOOLS ?= $(CURDIR)/.tools
export LMSYS_STORE_TOOLS

.PHONY: demo test test-tools test-report lint types bench stress labels migration clean

demo: $(VENV)/base ## the main job: stream, kill, go on, query offline, in stores of its own
	@./examples/demo.sh $(BIN)

test: $(VENV)/test ## all tests
	$(BIN)/python -m pytest -n 2 --dist loadfile $(ARGS)

test-tools: $(VENV)/test $(LMSYS_STORE_TOOLS)/installed ## exports read by the real tools (3 GB, kept in .tools or LMSYS_STORE_TOOLS)
	$(BIN)/python -m pytest -n 2 tests/tools $(ARGS)

test-report: $(VENV)/test ## the analysis' report in a real headless browser, which Debian's package brings where it is missing
	@command -v chromium >/dev/null || { apt-get update -qq && apt-get install -y -qq chromium; }
	$(BIN)/python -m pytest tests/analyze/test_page.py $(ARGS)

lint: $(VENV)/lint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/types
	$(BIN)/mypy

bench: $(VENV)/bench ## ratios against HF datasets and DuckDB, measured beside them; ARGS="--rows 20000 --rounds 3" for a short one
	$(BIN)/python -m tests.bench $(ARGS)

stress: $(VENV)/test ## random operations against a model; ARGS="--seconds 600 --seed 1"
	$(BIN)/python -m tests.stress.stress $(ARGS)

labels: $(VENV)/labels ## train the table of labels, its figures printed first; ARGS="--labels FOLDER" names the labelled sets
	$(BIN)/python -W ignore -m training $(ARGS)

migration: $(VENV)/base ## a new migration: make migration name="add a table"
	@test -n "$(name)" || { echo 'usage: make migration name="what it does"' >&2; exit 2; }
	@rm -f development.db*
	$(BIN)/alembic upgrade head
	$(BIN)/alembic revision --autogenerate -m "$(name)" \
		--rev-id $$($(BIN)/python -c "from lmsys_store.storage.schema import HEAD; print(f'{int(HEAD) + 1:04}')")
	@rm -f development.db*
	@echo "now set HEAD in lmsys_store/storage/schema.py to the new revision"

$(LMSYS_STORE_TOOLS)/installed: tests/tools/requirements.txt tests/tools/package.json
	@command -v npm >/dev/null || { echo "Node and npm are needed for promptfoo and TypeScript" >&2; exit 2; }
	@echo "installing the tools in $(LMSYS_STORE_TOOLS) (two minutes, 3 GB; once)"
	@mkdir -p $(LMSYS_STORE_TOOLS)/node
	@cp tests/tools/package.json $(LMSYS_STORE_TOOLS)/node/
	@cd $(LMSYS_STORE_TOOLS)/node && npm install --no-audit --no-fund --loglevel=error
	@test -x $(LMSYS_STORE_TOOLS)/venv/bin/python || $(PYTHON) -m venv $(LMSYS_STORE_TOOLS)/venv
	@set -e; for wanted in "deepeval>=4.3" "-r tests/tools/requirements.txt" "--no-deps evals>=3.0.1"; do \
		$(LMSYS_STORE_TOOLS)/venv/bin/python -m pip --disable-pip-version-check --quiet install $$wanted; done
	@touch $@

clean:
	rm -rf $(VENV) dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis

$(VENV)/base: pyproject.toml
	@echo "setting up $(VENV) (a minute the first time)"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; say make PYTHON=python3.x")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(PIP) install --upgrade "pip>=25.1"
	@$(PIP) install --editable .
	@touch $@

$(VENV)/test $(VENV)/lint $(VENV)/bench $(VENV)/labels: $(VENV)/%: $(VENV)/base
	@$(PIP) install --group $*
	@touch $@

$(VENV)/types: $(VENV)/test
	@$(PIP) install --group types
	@touch $@
