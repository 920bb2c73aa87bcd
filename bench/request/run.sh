#!/usr/bin/env bash
# Counts requests of some 10 kB from Rust, Python and Node in one run and prints the time a call. The two packages of ours
# are those that `make pack` builds. Wanted: at most 100 µs from Node.
set -euo pipefail
cd "$(dirname "$0")"
root=$(cd ../.. && pwd)
cargo build --release --quiet --target-dir target
make --no-print-directory -C "$root" pack >/dev/null
python3 -m venv peers
peers/bin/pip install --quiet --disable-pip-version-check --force-reinstall "$root"/dist/*.whl
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 body.py "$work/bodies.json"
{
  target/release/bench-request "$work/bodies.json"
  peers/bin/python calls.py "$work/bodies.json"
  node calls.mjs "$root" "$work/bodies.json"
} | python3 calls.py table
