# The commands of the project; `make help` lists them. Needs Python 3.11 or later, and make.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
LOCKED := --no-deps --require-hashes --only-binary :all:

# A suite of many processes compiles everything again and again where this is set.
unexport PYTHONDONTWRITEBYTECODE
# Tests make and remove thousands of small files: in memory, where the machine has room for them there.
export PYTEST_DEBUG_TEMPROOT := $(shell df -Pk /dev/shm 2>/dev/null | awk '$$6 == "/dev/shm" && $$4 > 2000000 {print $$6}')

.DEFAULT_GOAL := help
.PHONY: help run backtest test check lint style types pages faults bench algorithms campaign docs lock clean

help: ## list the commands
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

run: $(VENV)/.run ## work sample orders on a local exchange, with a board in the browser, until Ctrl-C
	@$(BIN)/executor demo

backtest: $(VENV)/.backtest ## install what recorded data and backtests need beside the daemon (numpy, pyarrow, numba, plotly)

test: $(VENV)/.dev ## run the whole test suite: first what computes, then what mostly waits (processes, faults)
	$(BIN)/pytest -n 3 -m "not process"
	$(BIN)/pytest -n 8 --dist worksteal -m process

check: lint ## lint, and the house rules
	$(BIN)/pytest tests/house -n 2

lint: $(VENV)/.dev ## format, lint, types, import contracts, generated pages
	@$(MAKE) --no-print-directory --jobs 2 --output-sync=target types style pages

style: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports

types: $(VENV)/.dev
	$(BIN)/mypy

pages: $(VENV)/.dev
	$(BIN)/python docs/generate.py --check
	$(BIN)/python docs/life.py --check
	$(BIN)/python docs/conformance.py --check
	$(BIN)/python docs/faults.py --check
	$(BIN)/python -m deploy.write --check

faults: $(VENV)/.dev ## play every variant of every fault of wire and venue (`make test` plays one of each)
	EXECUTOR_CAMPAIGN=full $(BIN)/pytest -n 6 tests/faults --ignore tests/faults/test_wire_proof.py

bench: $(VENV)/.dev ## measure the engine, the journal, the decoders, the strategies, the way of an order, the replay of recordings, and simulated markets
	$(BIN)/python -m benchmarks.engine
	$(BIN)/python -m benchmarks.startup
	$(BIN)/python -m benchmarks.order_entry
	$(BIN)/python -m benchmarks.decode
	$(BIN)/python -m benchmarks.decide
	$(BIN)/python -m benchmarks.tick_to_order
	$(BIN)/python -m benchmarks.replay_table
	$(BIN)/python -m benchmarks.replay_engine
	$(BIN)/python -m benchmarks.book
	$(BIN)/python -m benchmarks.market

algorithms: $(VENV)/.dev ## work every algorithm in the recordings of EXECUTOR_REAL_DATA, and write docs/algorithms-measured.md
	$(BIN)/python -m benchmarks.algorithms

campaign: $(VENV)/.dev ## the long campaigns: histories, replies and faults of a model, kills, falls, lives in bad weather, liars in a market
	EXECUTOR_CAMPAIGN=full $(BIN)/pytest tests/engine/test_histories.py tests/engine/test_walk.py --timeout 7200
	EXECUTOR_CAMPAIGN=full $(BIN)/pytest tests/adviser/test_reply_campaign.py tests/adviser/test_any_advice.py --timeout 7200
	EXECUTOR_CAMPAIGN=full $(BIN)/pytest tests/engine/test_advice_campaign.py tests/engine/test_gullible_model.py -s
	EXECUTOR_CAMPAIGN=full $(BIN)/pytest tests/engine/test_advice_deadlines.py tests/runtime/test_virtual_faults.py --timeout 7200 -s
	EXECUTOR_CAMPAIGN=full $(BIN)/pytest tests/simulation/test_replay_twins.py tests/simulation/test_replay_recordings.py --timeout 7200 -s
	EXECUTOR_CAMPAIGN=full $(BIN)/pytest tests/simulation/test_book_twins.py tests/simulation/test_compiled_market.py --timeout 7200
	EXECUTOR_CAMPAIGN=full $(BIN)/pytest tests/dataset/test_real_recordings.py tests/impact/order_flow/test_real_flow.py --timeout 7200
	EXECUTOR_CAMPAIGN=full $(BIN)/pytest tests/process/test_kill.py --timeout 7200
	EXECUTOR_CAMPAIGN=full $(BIN)/pytest tests/process/test_sentinel.py --timeout 7200 -s
	EXECUTOR_CAMPAIGN=full $(BIN)/pytest tests/faults/test_wire_proof.py --timeout 7200 -n 2 -rP
	$(BIN)/python -m benchmarks.market_network

docs: $(VENV)/.dev ## generate the reference pages from the code, run the notebook, and build the site into build/site
	$(BIN)/python docs/generate.py
	$(BIN)/python docs/life.py
	$(BIN)/python docs/conformance.py
	$(BIN)/python docs/faults.py
	$(BIN)/python -m deploy.write
	$(BIN)/python docs/notebook.py
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

lock: $(VENV)/.dev ## resolve the dependencies anew
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
		--upgrade pyproject.toml --extra build --extra watch -o requirements/run.lock
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
		--upgrade -c requirements/run.lock pyproject.toml --extra build --extra watch --extra backtest -o requirements/backtest.lock
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
		--upgrade -c requirements/backtest.lock pyproject.toml --extra build --extra dev -o requirements/dev.lock

clean: ## remove the environment and everything generated
	rm -rf $(VENV) var build/site .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(VENV)/.run: requirements/run.lock pyproject.toml | $(VENV)/.made
	@echo "preparing the environment in $(VENV) (once)"
	@$(PIP) install $(LOCKED) -r requirements/run.lock
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.backtest: requirements/backtest.lock $(VENV)/.run
	@echo "installing numpy, pyarrow, numba and plotly in $(VENV) (once)"
	@$(PIP) install $(LOCKED) -r requirements/backtest.lock
	@touch $@

$(VENV)/.dev: requirements/dev.lock pyproject.toml | $(VENV)/.made
	@echo "preparing the development environment in $(VENV) (once)"
	@awk '/^uv==/ {on = 1} on {print} on && !/\\$$/ {exit}' requirements/dev.lock > $(VENV)/uv.lock
	@$(PIP) install --no-compile $(LOCKED) -r $(VENV)/uv.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python $(LOCKED) -r requirements/dev.lock \
		|| $(PIP) install --no-compile $(LOCKED) -r requirements/dev.lock
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@ $(VENV)/.run $(VENV)/.backtest

$(VENV)/.made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed, this is " + sys.version)'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@touch $@
