#!/usr/bin/env bash
# How far counted requests are off, next to simple estimators on the same requests: the tables of the README. Needs a folder
# of recorded requests with the providers' own counts, which is no part of the repository: TOKENBOOK_GROUND_TRUTH.
# The peers are installed into bench/accuracy/peers.
set -euo pipefail
cd "$(dirname "$0")"
truth=${TOKENBOOK_GROUND_TRUTH:-}
if [ ! -f "$truth/usage.jsonl.gz" ]; then
  echo "skipped: TOKENBOOK_GROUND_TRUTH names no folder with usage.jsonl.gz"
  exit 0
fi
root=$(cd ../.. && pwd)
fit=$root/crates/xtask/fit
if [ ! -x peers/bin/python ]; then
  python3 -m venv peers
  peers/bin/pip install --quiet --disable-pip-version-check -r "$fit/requirements.txt"
  cp package.json peers/
  (cd peers && npm install --silent --no-audit --no-fund --ignore-scripts)
fi
(cd "$root" && cargo build --release --quiet --package tokenbook --features fit --example request_residuals --target-dir target/fit)
counter=$root/target/fit/release/examples/request_residuals
peers/bin/python "$fit/text_weights.py" --ground-truth "$truth" --counter "$counter" --folds peers/folds.json
modules=peers/node_modules
peers/bin/python "$fit/evaluate.py" --ground-truth "$truth" --counter "$counter" --folds peers/folds.json \
  --o200k "$modules/tiktoken/encoders/o200k_base.json" --claude2 "$modules/@anthropic-ai/tokenizer/claude.json" \
  --ai-tokenizer "$modules/ai-tokenizer"
peers/bin/python "$fit/families.py" --ground-truth "$truth" --counter "$counter"
