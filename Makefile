# `make demo` and `make test` need nothing but Python 3.11 or newer and the package registry.
PYTHON ?= python3
# Lambda's version of Python, since start-up times are compared: the one that compiles the archives, where one is to be had.
BENCH_PYTHON ?= $(or $(shell $(BIN)/python -m stack.packaging --python),$(PYTHON))
HTTP_PORT ?= 8080
AWS_PORT ?= 4566
CONSOLE_PORT ?= 8180
# More than cores, because most tests of the local cloud wait.
TEST_WORKERS ?= 4
MINUTES ?= 60
BIN := .venv/bin
DYNAMODB_LOCAL := build/dynamodb-local/installed
SHELL := /bin/sh
.DEFAULT_GOAL := help

.PHONY: help setup demo dev screenshots test coverage test-dynamodb-local test-pulumi check format package load soak scale bench bench-imports mutants lock clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-19s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: .venv/installed-for-tests ## make .venv and install everything pinned

.venv/installed: requirements.txt handlers/requirements.txt
	@PYTHON=$(PYTHON) .ci/install .venv "what the demo and a deployment need" requirements.txt
	@touch $@

.venv/installed-for-tests: .venv/installed tests/requirements.txt
	@PYTHON=$(PYTHON) .ci/install .venv "what the tests and checks need" tests/requirements.txt
	@touch $@

demo: .venv/installed ## run every flow on sample events in the local cloud (FULL=1 for every table)
	@$(BIN)/python -m stack.local demo $(if $(FULL),--full)

dev: .venv/installed ## run the local cloud on fixed ports, with its schedules and edits, until Ctrl-C
	@$(BIN)/python -m stack.local up --http-port $(HTTP_PORT) --aws-port $(AWS_PORT) --console-port $(CONSOLE_PORT) --schedules --reload --logs

screenshots: setup ## draw the pictures of the documentation from the demo's data; needs Chromium
	@$(BIN)/python -m tests.browser.screenshots

test: setup ## run the whole test suite
	@$(if $(DYNAMODB_ENDPOINT),,$(MAKE) --no-print-directory $(DYNAMODB_LOCAL) || echo "The tests on a real DynamoDB engine will be skipped." >&2)
	@$(compile_tests)
	@$(test) --numprocesses $(TEST_WORKERS) --dist loadgroup --no-loadscope-reorder

test := env -u PYTHONDONTWRITEBYTECODE $(BIN)/python -m pytest
# In a new clone, each worker would compile every test.
compile_tests := test -d tests/__pycache__ || { $(test) --collect-only --quiet tests/unit >/dev/null & \
	$(test) --collect-only --quiet --ignore tests/unit >/dev/null; wait; }

coverage: setup ## lines and branches that the unit tests cover, by package
	@$(BIN)/python -m pytest tests/unit --quiet --numprocesses $(TEST_WORKERS) --cov --cov-report=
	@$(BIN)/python -m tests.support.project.coverage_figures

test-dynamodb-local: setup $(if $(DYNAMODB_ENDPOINT),,$(DYNAMODB_LOCAL)) ## test stores and claims on a real DynamoDB engine
	@$(BIN)/python -m pytest tests/dynamodb_local

test-pulumi: setup ## deploy with the Pulumi CLI and its AWS provider to the local AWS API
	@$(BIN)/python -m tests.pulumi.run

$(DYNAMODB_LOCAL): tests/dynamodb_local/pom.xml
	@command -v java >/dev/null || { echo "DynamoDB Local needs Java 17 or newer. Install it, or set DYNAMODB_ENDPOINT to an engine that runs." >&2; exit 1; }
	@command -v mvn >/dev/null || { echo "DynamoDB Local is fetched by Maven (mvn). Install it, or set DYNAMODB_ENDPOINT to an engine that runs." >&2; exit 1; }
	@rm -rf $(@D)
	mvn --batch-mode --quiet --strict-checksums --file $< dependency:copy-dependencies
	@touch $@

check: setup ## check formatting, lint, types and layers
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: setup ## format the code and apply automatic fixes
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

package: .venv/installed ## build the Lambda archives in build/
	@$(BIN)/python -m stack.packaging

load: build/bench-venv/installed ## measure load on the local cloud and every function's memory; writes docs/performance/load.md (LOAD=--quick for a short one; URL=https://… for a deployed stack)
	@build/bench-venv/bin/python -m tests.bench.load $(if $(URL),--url '$(URL)') $(LOAD)

soak: build/bench-venv/installed ## an hour of mixed load with faults on the local cloud; writes docs/performance/soak.md (MINUTES=5 for a short one)
	@build/bench-venv/bin/python -m tests.bench.soak --minutes $(MINUTES)

scale: build/bench-venv/installed ## simulate a bulk change and a busy day under the throttling rules of AWS; writes docs/performance/scale.md
	@build/bench-venv/bin/python -m tests.bench.scale

bench: build/bench-venv/installed bench-imports ## compare with a bare client and other libraries; writes docs/performance/ (QUICK=1 for a short run)
	@$(if $(DYNAMODB_ENDPOINT),,$(MAKE) --no-print-directory $(DYNAMODB_LOCAL) || echo "Units and growth will not be measured." >&2)
	@build/bench-venv/bin/python -m tests.bench.speed $(if $(QUICK),--quick)

bench-imports: build/bench-venv/installed ## the CPU and memory of imports only; writes docs/performance/imports.md (QUICK=1 for a short run)
	@build/bench-venv/bin/python -m tests.bench.imports $(if $(QUICK),--quick)

mutants: build/bench-venv/installed ## change the core modules one line at a time and list the changes that no test notices (MUTANTS=all, COMPARE=FILE)
	@build/bench-venv/bin/python -m tests.bench.mutants $(if $(filter all,$(MUTANTS)),--all) $(if $(COMPARE),--compare $(COMPARE))

# Libraries to compare with, a load tool and plots have their own environment.
build/bench-venv/installed: .venv/installed requirements.txt handlers/requirements.txt tests/requirements.txt tests/bench/requirements.txt
	@PYTHON=$(BENCH_PYTHON) .ci/install build/bench-venv "what the benchmarks need" tests/requirements.txt tests/bench/requirements.txt
	@touch $@

# Pins stay as they are where they can; UPGRADE=1 takes the newest versions.
pin = $(BIN)/uv pip compile --quiet --no-header --no-annotate
pin_anywhere = $(pin) --universal --python-version 3.11
pin_for_lambda = $(pin) --python-version 3.13 --python-platform aarch64-manylinux_2_28
without = grep --invert-match --line-regexp --fixed-strings --file

lock: setup ## pin the dependency groups of pyproject.toml in the requirements files
	@mkdir -p build
	cat handlers/requirements.txt requirements.txt tests/requirements.txt | grep --invert-match '^[-#]' > build/all.txt
	$(pin_anywhere) $(if $(UPGRADE),--upgrade) --group lambda --group imports --group deploy --group cli --group local --group test --group check --output-file build/all.txt pyproject.toml
	$(pin_anywhere) --constraint build/all.txt --group lambda --group imports --group deploy --group cli --group local --output-file build/deploy.txt pyproject.toml
	$(pin_for_lambda) --constraint build/all.txt --group lambda --output-file handlers/requirements.txt pyproject.toml
	$(pin_for_lambda) --constraint build/all.txt --group imports --output-file handlers/requirements-imports.txt pyproject.toml
	{ echo "# To deploy, and to run the demo and the command line. 'make lock' writes this file."; echo "-r handlers/requirements.txt"; $(without)=handlers/requirements.txt build/deploy.txt; } > requirements.txt
	{ echo "# To test and check, beside requirements.txt. 'make lock' writes this file."; echo "-r ../requirements.txt"; $(without)=build/deploy.txt build/all.txt; } > tests/requirements.txt
	$(pin_anywhere) --constraint build/all.txt --group bench --output-file tests/bench/requirements.txt pyproject.toml

clean: ## remove what the other targets created
	rm -rf .venv build .coverage .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
