#!/usr/bin/env bash
# Compares counting with its peers on every corpus; without --quick it takes all peers and more rounds.
set -euo pipefail
cd "$(dirname "$0")"
python3 run.py "${@:---quick}"
