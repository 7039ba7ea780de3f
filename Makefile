# Every target runs from .venv, which the first one builds from the hashed locks in requirements/.
# Needs Python 3.11 or newer, git and make. Another interpreter: make test PYTHON=/path/to/python3

CANDIDATES := python3 python3.14 python3.13 python3.12 python3.11
NEW_ENOUGH := import sys; sys.exit(sys.version_info < (3, 11))
# Looked for once, and only when .venv has to be made.
FOUND = $(eval FOUND := $(shell for name in $(CANDIDATES); do \
	"$$name" -c '$(NEW_ENOUGH)' >/dev/null 2>&1 && echo "$$name" && break; done))$(FOUND)
PYTHON ?= $(FOUND)

BIN := .venv/bin
STAMP := .venv/.installed
LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
	--no-emit-index-url $(if $(UPGRADE),--upgrade)

.PHONY: demo serve test clients check bench lock clean

demo: $(STAMP) ## The whole loop on this machine; SURFACE=slack or teams; MODEL=real uses ANTHROPIC_API_KEY
	$(BIN)/python -m playground.demo $(if $(SURFACE),--surface $(SURFACE)) $(if $(MODEL),--model $(MODEL)) $(ARGS)

serve: $(STAMP)
	$(BIN)/threadline serve

test: check
	$(BIN)/python -m pytest -rs --numprocesses auto --maxprocesses 4 --dist loadfile $(ARGS)

clients: $(STAMP) ## Of the tests those with Microsoft's own client, none skipped; needs node, fetches 80 MB from npm
	CI=1 $(BIN)/python -m pytest tests/clients $(ARGS)

check: $(STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

bench: $(STAMP)
	$(BIN)/python -m playground.bench $(ARGS)

lock: $(STAMP) ## Pins again what pyproject.toml asks for; UPGRADE=1 takes the newest
	$(LOCK) pyproject.toml --group dev --output-file requirements/dev.txt
	$(LOCK) pyproject.toml --constraint requirements/dev.txt --output-file requirements/runtime.txt
	echo 'setuptools>=77' | $(LOCK) - --output-file requirements/build.txt
	echo 'uv' | $(LOCK) - --output-file requirements/uv.txt

clean: ## Everything that the other targets made, except var/
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache *.egg-info build
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(STAMP): pyproject.toml requirements/install.py $(wildcard requirements/*.txt)
	@test -n "$(PYTHON)" && '$(PYTHON)' -c '$(NEW_ENOUGH)' || { \
		echo "Threadline needs Python 3.11 or newer$(if $(PYTHON),; $(PYTHON) is older or not there)." >&2; \
		echo "Install one, or say which: make $(MAKECMDGOALS) PYTHON=/path/to/python3.12" >&2; exit 1; }
	@test -x $(BIN)/python || '$(PYTHON)' -m venv .venv || { rm -rf .venv; \
		echo "python3 -m venv failed. On Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }
	@echo "Installing into .venv (a minute the first time)"
	@$(BIN)/python requirements/install.py
	@touch $@
