# Everything from a fresh clone: `make help` says what. Needs Python 3.11 or newer and nothing else.
# All paths are relative, so that the folder's own path may hold spaces.

.DEFAULT_GOAL := help
.PHONY: help dev demo test chaos fuzz fuzz-expressions check format bench install clean

ARGS ?=
# Test files run beside each other, each process with servers of its own: AT_ONCE= runs them one after the other.
AT_ONCE ?= --numprocesses auto --maxprocesses 4 --dist loadfile

help:
	@echo "make dev     start everything here: PostgreSQL, Temporal with its UI, the API, a worker (Ctrl-C stops it)"
	@echo "make demo    publish an example, send it events, watch the run live, stop again"
	@echo "make test    checks and all tests"
	@echo "make chaos   kill every server again and again under 200 runs; about five minutes"
	@echo "make fuzz    send requests at random to every operation of the API; about a quarter of an hour"
	@echo "make fuzz-expressions  try expressions at random for two minutes"
	@echo "make check   style, types, import rules, and weaknesses known of the packages"
	@echo "make format  bring the code into the style"
	@echo "make bench   measure speed and start-up on this machine"
	@echo "make clean   remove what was installed and built; data in .holdfast stays"
	@echo
	@echo "ARGS goes on to the command, as in: make dev ARGS='--api-port 9000'. PYTHON names the Python to use."

dev:
	@sh requirements/install.sh embedded
	@.venv/bin/python .venv/bin/holdfast dev $(ARGS)

demo:
	@sh requirements/install.sh embedded
	@.venv/bin/python .venv/bin/holdfast demo $(ARGS)

install:
	@sh requirements/install.sh dev

# Thousands of tests with servers of their own share the machine. What failed beside others is tried once more by itself,
# and is told apart so: it was the machine, or it is the code.
test: check
	.venv/bin/python -m pytest $(AT_ONCE) $(ARGS) || { [ $$? -eq 1 ] && \
	    echo "Tests failed, see above. They are tried once more, one after the other:" && \
	    .venv/bin/python -m pytest --last-failed --last-failed-no-failures=none --exitfirst; }

chaos: install
	.venv/bin/python -m tests.chaos $(ARGS)

fuzz: install
	.venv/bin/python -m tests.fuzz.api $(ARGS)

fuzz-expressions: install
	.venv/bin/python -m tests.fuzz $(ARGS)

check: install
	.venv/bin/python -m ruff check .
	.venv/bin/python -m ruff format --check .
	.venv/bin/python -m mypy
	.venv/bin/python .venv/bin/lint-imports
	.venv/bin/python requirements/audit.py

format: install
	.venv/bin/python -m ruff check --fix .
	.venv/bin/python -m ruff format .

bench:
	@sh requirements/install.sh bench
	.venv/bin/python -m benchmarks.compared
	.venv/bin/python -m benchmarks.five_http_calls
	.venv/bin/python -m benchmarks.payload_encryption
	.venv/bin/python -m benchmarks.outcome_rows
	.venv/bin/python -m benchmarks.long_loop
	.venv/bin/python -m benchmarks.waiting_runs
	.venv/bin/python -m benchmarks.events
	.venv/bin/python -m benchmarks.webhook_burst
	.venv/bin/python -m benchmarks.schedules
	.venv/bin/python -m benchmarks.fairness
	.venv/bin/python -m benchmarks.http_clients
	.venv/bin/python -m benchmarks.request_cost
	.venv/bin/python -m benchmarks.startup

clean:
	rm -rf .venv build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis *.egg-info
	find . -name __pycache__ -type d -not -path './.holdfast/*' -prune -exec rm -rf {} +
