# `make` alone lists the commands.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Bytecode is kept: without it every start compiles scikit-learn and LightGBM anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup demo test check format bench golden lock clean

help: ## List the commands
	@awk 'BEGIN {FS = ":.*## "} /^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(VENV)/.ready ## Create .venv with everything that running and testing need

$(VENV)/.ready: requirements/dev.txt pyproject.toml
	@$(PYTHON) tools/setup.py $(VENV)
	@touch $@

demo: setup ## Run the whole loop on real data (ONCE=1 ends by itself)
	@$(BIN)/gnomon demo $(if $(ONCE),--once --summary demo-summary.json)

test: setup ## Run the tests
	@$(BIN)/pytest -n 2 --dist loadfile

check: setup ## Format, lint, types, import rules and tests: what CI runs
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/pytest -n 2 --dist loadfile

format: setup ## Format the code
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

bench: setup ## Measure against the peers (ONLY=pipelines|training|serving)
	@$(BIN)/python -m bench $(ONLY)

golden: setup ## Rewrite the golden files of the tests
	@GNOMON_REWRITE_GOLDEN=1 $(BIN)/pytest -n 2 -k golden

lock: ## Resolve the requirements anew (needs uv)
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-annotate pyproject.toml -o requirements/base.txt
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-annotate pyproject.toml --extra dev -o requirements/dev.txt

clean: ## Remove what the commands made
	rm -rf $(VENV) .bench bench-results.json demo-summary.json .mypy_cache .ruff_cache .hypothesis
