# One command per task, the same here and in CI. Each does its own set-up in .venv from the lock files.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
# Options for the demo: `make demo DEMO_ARGS=` asks before it recovers, `DEMO_ARGS="--yes --keep"` stays up.
DEMO_ARGS ?= --yes

# The runtime that the package is for; `make package SETTINGS=safetynet.yaml` puts settings and rule files into it.
LAMBDA_PYTHON ?= 3.12
LAMBDA_ARCHITECTURE ?= x86_64
PACKAGE := dist/safetynet-watcher.zip

.DEFAULT_GOAL := help
.PHONY: help engines demo test test-engines test-crash check format lock clean package template bench-rules bench-backup bench-restore bench-watch

help:
	@echo "make demo    the whole story on an embedded AWS: delete, detect, alert, recover, verify"
	@echo "make test    the tests"
	@echo "make test-engines  the contract of backup and recovery on moto, ministack and dynalite"
	@echo "make test-crash    backups killed at random moments, over and over"
	@echo "make check   ruff, mypy --strict, import contracts"
	@echo "make format  let ruff format and mend what it can"
	@echo "make bench-rules  events judged a second, beside moto and ministack"
	@echo "make bench-backup CPU, wall time and memory of a backup, beside dynamodump and a boto3 loop"
	@echo "make bench-restore CPU, wall time and memory of a recovery, beside dynamodump and batch_writer"
	@echo "make bench-watch from receipt to alert, and ten thousand events while Slack is down"
	@echo "make package  the watcher's zip for Lambda"
	@echo "make template deploy/safetynet.yaml anew from cli/deployment"
	@echo "make lock    make the lock files anew from pyproject.toml"

# The two stamps: what the demo needs, and on top of it what the tests and checks need.
$(VENV)/demo.stamp: requirements/demo.txt pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/demo.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --no-index --editable .
	@touch $@

$(VENV)/dev.stamp: requirements/dev.txt $(VENV)/demo.stamp
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@touch $@

demo: $(VENV)/demo.stamp
	$(BIN)/safetynet demo $(DEMO_ARGS)

test: $(VENV)/dev.stamp
	$(BIN)/python -m pytest -n auto --dist loadgroup $(PYTEST_ARGS)

check: $(VENV)/dev.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/dev.stamp
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# ministack pins boto3, so it has an environment of its own.
$(VENV)/ministack.stamp: requirements/ministack.in
	$(PYTHON) -m venv $(VENV)/ministack
	$(VENV)/ministack/bin/python -m pip install --quiet --disable-pip-version-check -r requirements/ministack.in
	@touch $@

# dynalite is a DynamoDB in node. What cannot be had is reported by the tests that need it, as skipped.
$(VENV)/dynalite.stamp:
	npm install --silent --no-save --no-audit --no-fund --prefix $(VENV)/dynalite dynalite@4.0.0
	@touch $@

# dynamodump pins its boto3.
$(VENV)/dynamodump.stamp: requirements/dynamodump.in
	$(PYTHON) -m venv $(VENV)/dynamodump
	$(VENV)/dynamodump/bin/python -m pip install --quiet --disable-pip-version-check -r requirements/dynamodump.in
	@touch $@

# Engines that cannot be installed are no reason not to test the others.
engines:
	-@$(MAKE) --no-print-directory $(VENV)/ministack.stamp
	-@$(MAKE) --no-print-directory $(VENV)/dynalite.stamp
	-@$(MAKE) --no-print-directory $(VENV)/dynamodump.stamp

test-engines: $(VENV)/dev.stamp engines
	$(BIN)/python -m pytest tests/engines $(PYTEST_ARGS)

test-crash: $(VENV)/dev.stamp engines
	$(BIN)/python -m pytest tests/crash -s --timeout 900 $(PYTEST_ARGS)

bench-rules: $(VENV)/dev.stamp $(VENV)/ministack.stamp
	$(BIN)/python -m benchmarks.rules $(VENV)/ministack/bin/python

bench-backup: $(VENV)/dev.stamp $(VENV)/ministack.stamp $(VENV)/dynalite.stamp $(VENV)/dynamodump.stamp
	$(BIN)/python -m benchmarks.backup $(BENCH_ARGS)

bench-restore: $(VENV)/dev.stamp $(VENV)/ministack.stamp $(VENV)/dynalite.stamp $(VENV)/dynamodump.stamp
	$(BIN)/python -m benchmarks.restore $(BENCH_ARGS)

bench-watch: $(VENV)/dev.stamp
	$(BIN)/python -m benchmarks.watch $(BENCH_ARGS)

package: $(VENV)/demo.stamp
	$(BIN)/python -m cli.deployment package $(PACKAGE) --python $(LAMBDA_PYTHON) \
		--architecture $(LAMBDA_ARCHITECTURE) $(if $(SETTINGS),--settings $(SETTINGS))

template: $(VENV)/demo.stamp
	$(BIN)/python -m cli.deployment template deploy/safetynet.yaml

# uv writes lock files for every platform at once; their hashes are what pip checks at set-up.
UV_COMPILE = $(VENV)/lock/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-header
lock:
	$(PYTHON) -m venv $(VENV)/lock
	$(VENV)/lock/bin/python -m pip install --quiet --disable-pip-version-check "uv>=0.6"
	mkdir -p requirements
	$(UV_COMPILE) --extra demo pyproject.toml requirements/build.in -o requirements/demo.txt
	$(UV_COMPILE) -c requirements/demo.txt pyproject.toml -o requirements/lambda.txt
	$(UV_COMPILE) --extra demo --extra dev -c requirements/demo.txt pyproject.toml requirements/build.in -o requirements/dev.txt

clean:
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis
