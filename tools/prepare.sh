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
if [ -n "$extra" ]; then # the tests start a redis-server, and set made documents in many type faces
    wanted=$(command -v redis-server >/dev/null 2>&1 || echo redis-server)
    for font in $(grep -o '^fonts-[a-z0-9-]*' tools/fonts.txt); do
        dpkg -s "$font" >/dev/null 2>&1 || wanted="$wanted $font"
    done
    if [ -n "$wanted" ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
        echo "Installing what the tests need from Debian's packages (once)"
        # shellcheck disable=SC2086 # a list of words
        apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $wanted >/dev/null
    elif [ -n "$wanted" ] && command -v dpkg >/dev/null 2>&1; then
        echo "The tests need packages of Debian. Install them: sudo apt-get install --no-install-recommends $wanted" >&2
        exit 1
    elif ! command -v redis-server >/dev/null 2>&1; then
        echo "The tests need redis-server. Install it (macOS: brew install redis)" >&2
        exit 1
    fi # without dpkg the type faces of tools/fonts.txt go into ~/.local/share/fonts by hand
fi
echo "Installing pocai$extra into $venv (once)"
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".$extra"
