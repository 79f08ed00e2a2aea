#!/bin/sh
# create_venv.sh PYTHON FOLDER: a virtual environment with pip in it, kept if it is already there.
#
# Debian and Ubuntu split ensurepip from Python, so `python3 -m venv` fails until the package
# python3-venv is installed. There, pip comes from the distribution's own package of its wheel,
# downloaded and unpacked as an ordinary user; nothing outside FOLDER is touched.
set -eu
python=$1
venv=$2

fail() {
    echo "physgt: $*" >&2
    exit 1
}

fetch_distribution_pip() {
    mkdir -p "$1/lists/partial" "$1/archives/partial"
    cd "$1"
    set -- -qq -o "Dir::State::Lists=$1/lists" -o "Dir::Cache=$1" -o APT::Sandbox::User=root
    apt-get "$@" update && apt-get "$@" download python3-pip-whl && dpkg-deb -x python3-pip-whl_*.deb .
}

command -v "$python" > /dev/null ||
    fail "found no '$python': install Python 3.11 or newer, or name one with make PYTHON=python3.12"
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    fail "needs Python 3.11 or newer, but '$python' is $("$python" --version): name another with make PYTHON=python3.12"

if "$venv/bin/python" -m pip --version > /dev/null 2>&1; then
    exit 0
fi
if "$python" -c 'import ensurepip' 2> /dev/null; then
    exec "$python" -m venv --clear "$venv"
fi

"$python" -m venv --clear --without-pip "$venv" ||
    fail "'$python -m venv' failed: install the package python3-venv, then run make again"
bootstrap=$(cd "$venv" && pwd)/bootstrap
echo "This Python comes without pip: fetching the distribution's."
(fetch_distribution_pip "$bootstrap") ||
    fail "'$python' has no ensurepip and pip could not be fetched: install the package python3-venv, then run make again"
"$venv/bin/python" "$(echo "$bootstrap"/usr/share/python-wheels/pip-*.whl)/pip" install --quiet --constraint constraints.txt pip
rm -rf "$bootstrap"
