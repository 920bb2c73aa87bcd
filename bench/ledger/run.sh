#!/usr/bin/env bash
# Measures durable appends and standard reports; the one argument is the number of calls to report over.
set -euo pipefail
cd "$(dirname "$0")"
cargo run --release --quiet -- "$@"
