"""Counts the same requests from Python (`calls.py FILE`), or prints the table of all times (`calls.py table <
LINES`).
"""

import json
import sys
import time
from pathlib import Path


def measure(file):
    import tokenbook

    for args in json.loads(Path(file).read_text()):
        times = []
        for _ in range(3000):
            start = time.perf_counter()
            tokenbook.count_request(args["api"], args["body"])
            times.append((time.perf_counter() - start) * 1e6)
        after = sorted(times[500:])
        size = len(json.dumps(args["body"], ensure_ascii=False, separators=(",", ":")).encode())
        line = {"face": "Python", "model": args["body"]["model"], "bytes": size}
        print(json.dumps({**line, "median": after[len(after) // 2], "p90": after[len(after) * 9 // 10]}))


def table():
    print(f"{'model':<18} {'face':<22} {'bytes':>7} {'median':>10} {'p90':>10}")
    for line in map(json.loads, sys.stdin):
        print(
            f"{line['model']:<18} {line['face']:<22} {line['bytes']:>7} "
            f"{line['median']:>7.1f} µs {line['p90']:>7.1f} µs"
        )


if sys.argv[1] == "table":
    table()
else:
    measure(sys.argv[1])
