#!/usr/bin/env bash
# Runs every bench. Each is a workspace of its own, so that no peer is ever a dependency of the product.
set -euo pipefail
cd "$(dirname "$0")"
for folder in */; do
  echo "== ${folder%/}"
  bash "$folder/run.sh"
done
