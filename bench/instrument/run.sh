#!/usr/bin/env bash
# What an instrumented client adds to a call, and whether memory stays flat over many: in Node, then in Python.
set -euo pipefail
cd "$(dirname "$0")/../.."
make --no-print-directory target/.node target/.node-tools >/dev/null
node --expose-gc bench/instrument/run.mjs "$@"
# Only a released build is measured: the wheel.
wheels=target/bench-wheel python=bench/instrument/peers/bin/python
rm -rf "$wheels"
python3 -m pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir "$wheels" .
test -x "$python" || python3 -m venv bench/instrument/peers
"$python" -m pip install --quiet --disable-pip-version-check 'anthropic>=2,<3'
"$python" -m pip install --quiet --disable-pip-version-check --force-reinstall --no-deps "$wheels"/*.whl
"$python" bench/instrument/run.py "$@"
