#!/usr/bin/env bash
# Extraction of usage from responses and streams, beside parsing the same bytes into a plain serde_json::Value.
set -euo pipefail
cd "$(dirname "$0")"
cargo run --release --quiet
