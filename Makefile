# `make help` lists what there is. The first call makes .venv and installs what constraints.txt pins.
VENV ?= .venv
BIN := $(VENV)/bin
CORE := $(VENV)/.pocai-core
DEV := $(VENV)/.pocai-dev
WORKERS ?= 2

.DEFAULT_GOAL := help
.PHONY: help demo test check train-smoke format docs bench clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(CORE) ## read the bundled timetable, print its week, write out/demo.png and out/demo.ics
	@$(BIN)/pocai extract src/pocai/assets/demo/demo.png -o out --format table --format overlay --format ics

test: $(DEV) ## all tests, with the coverage gate of 85 %
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS) --dist loadscope --cov=pocai --cov-report=term --cov-fail-under=85

check: $(DEV) ## everything that CI and pre-commit run: lint, format, types, layers, tests
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(MAKE) --no-print-directory test

train-smoke: $(DEV) ## train a very small recognizer to falling error rates, in about two minutes
	@$(BIN)/pocai train ocr-student --recipe recipes/ocr-student-smoke.toml -o out/smoke

format: $(DEV) ## mend what ruff can mend
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

docs: $(DEV) ## renew what is generated in docs: the tree of modules, the API, the picture
	@$(BIN)/python tools/tree.py --write
	@$(BIN)/python tools/api_docs.py --write
	@$(BIN)/python tools/feature_docs.py --write
	@$(BIN)/python tools/readme_picture.py

bench: $(DEV) ## speed and memory against RapidOCR with its defaults, on the same picture in the same run
	@$(BIN)/python bench/bench_extract.py
	@$(BIN)/python bench/bench_recognizers.py
	@$(BIN)/python bench/bench_reading.py --lines 1000
	@$(BIN)/python bench/bench_held_out.py

clean: ## remove results and caches, keep .venv
	@rm -rf out build dist htmlcov .coverage .coverage.* .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis

$(CORE): pyproject.toml constraints.txt
	@tools/prepare.sh $(VENV)
	@touch $@

$(DEV): pyproject.toml constraints.txt
	@tools/prepare.sh $(VENV) dev
	@touch $@ $(CORE)
