#!/usr/bin/env bash
# Runs every bench that can run by itself. Each is a workspace of its own, so that no peer is ever a dependency of the product.
# `web` and `page` need a browser, and `page` a ledger: node bench/web/run.mjs, node bench/page/run.mjs LEDGER.
set -euo pipefail
cd "$(dirname "$0")"
for script in */run.sh; do
  echo "== ${script%/run.sh}"
  bash "$script"
done
