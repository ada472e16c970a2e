#!/bin/sh
# Make .venv and install Holdfast with pinned, hashed packages. Does nothing when all of it is there already.
#
#   requirements/install.sh embedded   what `holdfast dev` and `holdfast demo` need
#   requirements/install.sh dev        the same and what the tests and checks need
#   requirements/install.sh bench      what `holdfast dev` needs and the clients that benchmarks hold ours against
#
# PYTHON names the interpreter to use; without it the newest one from 3.11 on is looked for.
set -eu
cd "$(dirname "$0")/.."
kind=$1
venv=.venv
python=$venv/bin/python
stamp=$venv/installed-$kind

say() { printf '%s\n' "$*" >&2; }

usable() { # an interpreter that runs, is 3.11 or newer, and can make an environment with pip in it
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 || return 1
    found=$1
    "$1" -c 'import ensurepip, venv' >/dev/null 2>&1
}

find_python() {
    found=
    for candidate in ${PYTHON:+"$PYTHON"} python3 python3.14 python3.13 python3.12 python3.11 python; do
        if usable "$candidate"; then
            printf '%s\n' "$candidate"
            return
        fi
        [ -z "${PYTHON:-}" ] || break
    done
    if [ -n "$found" ]; then
        say "error: $found cannot make environments, because its modules venv and ensurepip are missing:" \
            "install them (on Debian and Ubuntu: apt install python3-venv), or name another Python: make PYTHON=..."
    elif [ -n "${PYTHON:-}" ]; then
        say "error: $PYTHON is no Python 3.11 or newer: name another one with make PYTHON=..."
    else
        say "error: there is no Python 3.11 or newer: install one, or say where it is with make PYTHON=..."
    fi
    return 1
}

# What the environment was made from: when any of it changes, or the folder moves, it is made again.
state() { printf '%s %s\n' "$PWD" "$(cat requirements/"$kind".txt requirements/bootstrap.txt pyproject.toml | cksum)"; }

installed() { [ "$(cat "$stamp" 2>/dev/null)" = "$(state)" ] && "$python" -c '' >/dev/null 2>&1; }

# One that was moved here, or whose Python is gone or too old, is of no use.
environment_is_good() {
    grep -qF "$PWD/$venv" "$venv/bin/activate" 2>/dev/null &&
        "$python" -c 'import pip, sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

make_environment() {
    if environment_is_good; then return; fi
    base=$(find_python)
    say "making $venv with $("$base" --version)"
    rm -rf "$venv"
    "$base" -m venv "$venv"
}

pip() { "$python" -m pip --disable-pip-version-check --quiet --quiet "$@"; }

uv_install() {
    "$venv/bin/uv" pip install --quiet --compile-bytecode --python "$python" --require-hashes -r "requirements/$kind.txt" "$@"
}

install_packages() {
    say "installing packages ($kind)"
    # uv is many times faster; pip stands in where uv does not run or finds no packages (an index only pip knows of).
    # Where the network is seen through a proxy of its own authority, only the system's certificates are of use.
    if pip install --require-hashes -r requirements/bootstrap.txt; then
        if uv_install 2>/dev/null || uv_install --system-certs; then return; fi
    fi
    say "uv could not install them; using pip, which takes longer"
    pip install --require-hashes -r "requirements/$kind.txt"
}

if installed; then exit 0; fi
make_environment
install_packages
pip install --no-deps --no-build-isolation --editable .
state >"$stamp"
