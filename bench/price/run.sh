#!/usr/bin/env bash
# Prices the same calls with tokenbook and its peers and prints the times and their ratios. The peers are installed into
# bench/price/peers and stay there. The Python and Node parts need `make demo` to have built the two packages.
set -euo pipefail
cd "$(dirname "$0")"
cargo run --release --quiet

root=$(cd ../.. && pwd)
if [ ! -x peers/bin/python ]; then
  python3 -m venv peers
  peers/bin/pip install --quiet --disable-pip-version-check litellm==1.109.1 genai-prices==0.2.3
fi
results=$(mktemp)
trap 'rm -f "$results"' EXIT
LITELLM_LOCAL_MODEL_COST_MAP=True peers/bin/python calls.py peers >>"$results"
if [ -x "$root/.venv/bin/python" ]; then "$root/.venv/bin/python" calls.py tokenbook >>"$results"; fi
if compgen -G "$root/node/*.node" >/dev/null; then node calls.mjs "$root" >>"$results"; fi
python3 calls.py compare <"$results"
