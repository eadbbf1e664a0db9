#!/usr/bin/env bash
# Makes the virtual environment and installs pocai into it: tools/prepare.sh VENV [EXTRA]
set -euo pipefail
cd "$(dirname "$0")/.."
venv=$1
extra=${2:+[$2]}
python=${PYTHON:-python3}

missing() { # prints what this machine lacks, nothing where it lacks nothing
    command -v "$python" >/dev/null 2>&1 || { echo "$python"; return; }
    "$python" -c 'import ensurepip, venv' 2>/dev/null || echo "python3-venv"
}

if [ ! -x "$venv/bin/python" ] && [ -n "$(missing)" ]; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
        apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq python3 python3-venv >/dev/null
    else
        echo "pocai needs $(missing). Install Python 3.11 or later with venv, or name one: make PYTHON=/path/to/python3" >&2
        exit 1
    fi
fi
if [ ! -x "$venv/bin/python" ]; then
    if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
        echo "pocai needs Python 3.11 or later, this is $("$python" -V). Name another: make PYTHON=/path/to/python3" >&2
        exit 1
    fi
    "$python" -m venv "$venv"
fi
if [ -n "$extra" ] && ! command -v redis-server >/dev/null 2>&1; then # the tests start one of their own
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
        apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends redis-server >/dev/null
    else
        echo "The tests need redis-server. Install it (Debian: apt-get install redis-server; macOS: brew install redis)" >&2
        exit 1
    fi
fi
echo "Installing pocai$extra into $venv (once)"
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".$extra"
