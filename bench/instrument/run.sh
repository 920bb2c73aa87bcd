#!/usr/bin/env bash
# What an instrumented client adds to a call, and whether memory stays flat over many.
set -euo pipefail
cd "$(dirname "$0")/../.."
make --no-print-directory target/.node target/.node-tools >/dev/null
node --expose-gc bench/instrument/run.mjs "$@"
