# Works with any python3 of at least 3.11, from any folder (relative paths only), under any -j.
# The environment is made once, from requirements.lock, and again when that file changes; after that no network is used.

PYTHON ?= python3
ARGS ?=
VENV := .venv
RUN := $(VENV)/bin/python
LOCKED := $(VENV)/.locked
READY := $(VENV)/.ready

export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_ROOT_USER_ACTION := ignore

.DEFAULT_GOAL := help
.PHONY: help demo test golden mutation fuzz lint type format bench peers docs lock clean
# a recipe that failed leaves nothing that looks finished
.DELETE_ON_ERROR:

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' Makefile

demo: $(READY) ## build the example in a scratch copy: no key, no network, scripted replies
	@$(RUN) examples/hello/demo.py $(ARGS)

test: $(READY) ## every test, on all cores (ARGS="-k word" for some)
	@AUTOPACK_DEBUG=1 $(RUN) -m pytest -n auto --dist loadscope $(ARGS)

golden: $(READY) ## write the approved texts of findings, passes and shipped plans anew; read the difference before committing it
	@AUTOPACK_REWRITE_GOLDEN=1 $(RUN) -m pytest -q -n0 tests/golden tests/plan/test_passes.py tests/plan/test_playbooks.py

mutation: $(READY) ## plant every fault the schemas know into a valid project; print the score
	@$(RUN) -m tests.mutation

# atheris is not in the lock: it has wheels for some platforms only, and nothing else needs it.
fuzz: $(READY) ## feed the reader and the templates for minutes (ARGS="--seconds 600")
	@$(RUN) -c 'import atheris' 2>/dev/null || $(RUN) -m pip install --quiet 'atheris>=3'
	@$(RUN) -m tests.fuzz $(ARGS)

lint: $(READY) ## ruff: rules and format
	@$(RUN) -m ruff check .
	@$(RUN) -m ruff format --check .

format: $(READY) ## let ruff fix what it can
	@$(RUN) -m ruff check --fix .
	@$(RUN) -m ruff format .

type: $(READY) ## mypy, strict
	@$(RUN) -m mypy

bench: $(READY) ## the table of speed targets, measured here (ARGS="--only startup" for a part)
	@$(RUN) -m benchmarks $(ARGS)

# what the table compares with and the project does not need has an environment of its own
peers: ## make .venv-peers, with what `make bench` compares the driver with
	@$(PYTHON) -m venv $(VENV)-peers
	@$(VENV)-peers/bin/python -m pip install --quiet langgraph langgraph-checkpoint-sqlite

docs: $(READY) ## build the documentation
	@$(RUN) docs/build.py $(ARGS)

# uv resolves for every platform at once, which pip can't; it lives in an environment of its own, outside the lock.
lock: $(VENV)-lock/bin/uv ## refresh requirements.lock from pyproject.toml (ARGS=--upgrade for newer releases)
	@$(VENV)-lock/bin/uv pip compile --universal --python-version 3.11 --extra dev --extra lsp --extra server --extra postgres \
		--generate-hashes --no-annotate --no-emit-index-url --custom-compile-command "make lock" \
		$(ARGS) --quiet --output-file requirements.lock pyproject.toml
	@grep -c '^[a-z]' requirements.lock | sed 's/$$/ packages in requirements.lock/'

clean: ## remove what make made
	@rm -rf $(VENV) $(VENV)-lock $(VENV)-peers dist build .coverage .coverage.* htmlcov .mypy_cache .pytest_cache .ruff_cache

$(VENV)-lock/bin/uv:
	@$(PYTHON) -m venv $(VENV)-lock
	@$(VENV)-lock/bin/python -m pip install --quiet uv

# The whole environment again for a new lock: what it no longer names must not linger.
$(LOCKED): requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo 'autopack needs Python 3.11 or newer: name one, as in  make PYTHON=python3.12 demo' >&2; exit 2; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
		{ echo 'this Python cannot make virtual environments: install its venv package (Debian, Ubuntu: apt-get install python3-venv), or name another, as in  make PYTHON=python3.12 demo' >&2; exit 2; }
	@echo 'making $(VENV) from requirements.lock, about a minute, once'
	@$(PYTHON) -m venv --clear $(VENV)
	@$(RUN) -m pip install --quiet --require-hashes -r requirements.lock
	@touch $(LOCKED)

$(READY): $(LOCKED) pyproject.toml
	@$(RUN) -m pip install --quiet --no-index --no-deps --no-build-isolation --editable .
	@touch $(READY)
