"""Appends calls to a ledger for some seconds and prints how many were acknowledged."""

import sys
import time

import tokenbook

path, name, seconds = sys.argv[1:]
until = time.monotonic() + float(seconds)
acknowledged = 0
with tokenbook.Ledger(path) as book:
    while time.monotonic() < until:
        book.record(
            id=f"{name}-{acknowledged}", model="gpt-4o", agent=name, usage={"input_tokens": 10, "output_tokens": 1}
        )
        acknowledged += 1
print(acknowledged)
