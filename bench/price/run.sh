#!/usr/bin/env bash
# Prices the same calls with tokenbook and its peers and prints the times and their ratios. The peers are installed into
# bench/price/peers and stay there; the two packages of ours are those that `make pack` builds.
set -euo pipefail
cd "$(dirname "$0")"
cargo run --release --quiet

root=$(cd ../.. && pwd)
if [ ! -x peers/bin/python ]; then
  python3 -m venv peers
  pip=(peers/bin/pip install --quiet --disable-pip-version-check)
  "${pip[@]}" genai-prices==0.2.3
  # Its own requirements without certifi: it asks for the newest day of that package, which not every mirror has.
  "${pip[@]}" --no-deps litellm==1.109.1
  peers/bin/python -c 'import importlib.metadata as m; print("\n".join(
    r for r in m.requires("litellm") if "extra ==" not in r and not r.startswith("certifi")))' >peers/requirements.txt
  "${pip[@]}" -r peers/requirements.txt
fi
results=$(mktemp)
trap 'rm -f "$results"' EXIT
LITELLM_LOCAL_MODEL_COST_MAP=True peers/bin/python calls.py peers >>"$results"
# Only a released build is measured: the wheel in dist, and the addon beside the Node package.
make --no-print-directory -C "$root" pack >/dev/null
python3 -m venv peers/ours
peers/ours/bin/pip install --quiet --disable-pip-version-check --force-reinstall "$root"/dist/*.whl
peers/ours/bin/python calls.py tokenbook >>"$results"
node calls.mjs "$root" >>"$results"
python3 calls.py compare <"$results"
