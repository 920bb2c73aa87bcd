#!/usr/bin/env bash
# The demo: the same eight calls counted, priced, recorded and reported from the shell, Node and Python.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
server=
end() {
  [ -z "$server" ] || kill "$server" 2>/dev/null || true
  rm -rf "$work"
}
trap end EXIT
cd "$here"

echo "== The shell"
printf 'How many tokens? '
printf 'tokenbook keeps the book on LLM tokens' | tokenbook count --model gpt-4o
tokenbook cost --model claude-sonnet-4-5 --usage '{"input_tokens": 612, "cache_read_tokens": 4096, "output_tokens": 143}' --at 2026-11-20T09:00:00Z
tokenbook --ledger "$work/shell.db" import --kind responses responses.jsonl
tokenbook --ledger "$work/shell.db" report --by agent,model
tokenbook --ledger "$work/shell.db" report --by tool
tokenbook --ledger "$work/shell.db" --json report --by agent,model > "$work/shell.json"

echo "== Node"
node demo.mjs "$work/node.db" "$work/node.json"
echo "== Python"
python demo.py "$work/python.db" "$work/python.json"

# Field order is the core's in all three, so the reports are compared byte by byte.
cmp "$work/shell.json" "$work/node.json"
cmp "$work/shell.json" "$work/python.json"
echo "== The shell, Node and Python agree to the last digit"

echo "== A service: three agents through the real @anthropic-ai/sdk, with tools and streaming"
node service.mjs "$work/service.db"
echo "== A service in Python: three agents through the real anthropic package, into the same ledger"
python service.py "$work/service.db"
echo "== What they took together"
tokenbook --ledger "$work/service.db" report --by agent,action
tokenbook --ledger "$work/service.db" report --by tool

echo "== What could be saved, says the book of the first part"
tokenbook --ledger "$work/shell.db" findings
echo "== The same as a page"
tokenbook --ledger "$work/service.db" serve --listen 127.0.0.1:0 > "$work/address" &
server=$!
until grep -q http "$work/address"; do kill -0 "$server"; sleep 0.1; done
cat "$work/address"
if [ -t 0 ] && [ -t 1 ]; then
  read -r -p "Open it in a browser; Enter ends the demo. "
fi
