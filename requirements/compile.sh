#!/bin/sh
# Pin every package with its hashes, for all platforms and Python 3.11 or newer. Run after changing pyproject.toml.
set -eu
cd "$(dirname "$0")/.."
pin() { .venv/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
    --no-header --no-annotate "$@"; }
pin pyproject.toml --extra embedded --group dev -o requirements/dev.txt
pin pyproject.toml --extra embedded requirements/build.in -c requirements/dev.txt -o requirements/embedded.txt
pin pyproject.toml --extra embedded --group bench requirements/build.in -c requirements/dev.txt -o requirements/bench.txt
pin pyproject.toml requirements/build.in -c requirements/dev.txt -o requirements/server.txt
pin requirements/bootstrap.in -o requirements/bootstrap.txt
