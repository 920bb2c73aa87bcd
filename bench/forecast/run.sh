#!/usr/bin/env bash
# Prints how well the forecast and the spike rule do on made-up series, and compares both with statsmodels where its method is
# the same. The venv is its own, so that statsmodels is never a dependency of the product.
set -euo pipefail
cd "$(dirname "$0")"
printed() { cargo test --release --quiet --package tokenbook-ledger --test "$1" -- --nocapture | grep -E '^(series|busy|rare|error|bands)'; }
printed spikes
printed forecasts
if [[ ! -x peers/venv/bin/python ]]; then
  python3 -m venv peers/venv
  peers/venv/bin/pip install --quiet --disable-pip-version-check statsmodels
fi
peers/venv/bin/python ../../crates/tokenbook-ledger/tests/oracle/statsmodels_figures.py --check
