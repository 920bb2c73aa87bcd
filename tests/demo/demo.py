"""The demo in Python: ``python demo.py <ledger> <report>``."""

import json
import sys
from pathlib import Path

import tokenbook

file, out = sys.argv[1:]
print("How many tokens?", tokenbook.count("tokenbook keeps the book on LLM tokens", model="gpt-4o"))
usage = {"input_tokens": 612, "cache_read_tokens": 4096, "output_tokens": 143}
price = tokenbook.cost(model="claude-sonnet-4-5", usage=usage, at="2026-11-20T09:00:00Z")
print("What does it cost?", price.total_usd, "USD")

with tokenbook.Ledger(file) as book:
    for line in (Path(__file__).parent / "responses.jsonl").read_text("utf-8").splitlines():
        book.record_response(**json.loads(line))
    report = book.report(group_by=["agent", "model"])
    print("Calls", report.total.calls, "USD", report.total.cost_usd, "unpriced", report.total.unpriced_calls)
    # The report as the core gave it, to be compared with the other languages' byte by byte.
    Path(out).write_text(
        json.dumps(book._call("report", {"group_by": ["agent", "model"]}), separators=(",", ":")) + "\n", "utf-8"
    )
