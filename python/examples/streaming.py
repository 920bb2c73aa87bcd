"""Watches a stream's tokens and cost while it runs, and stops it early: the record tells what was streamed.

``ANTHROPIC_API_KEY=… python streaming.py ledger.db``
"""

from __future__ import annotations

import sys

import anthropic
import tokenbook
from tokenbook import types


def show(now: types.MeterProgress) -> None:
    """Prints a tick: what is known of the call while it runs."""
    print(f"\n  [{now.input_tokens} in, {now.output_tokens} out, ${now.cost_usd or '?'}]", end="", flush=True)


def main(path: str) -> None:
    """Streams two answers; the second one is broken off."""
    with tokenbook.Ledger(path) as book:
        client = tokenbook.instrument(anthropic.Anthropic(), book=book, agent="storyteller", on_usage=show)
        question = {"role": "user", "content": "Tell me a story in four sentences."}
        for wanted in (1_000_000, 10):
            with client.messages.stream(
                model="claude-3-5-haiku-20241022", max_tokens=300, messages=[question]
            ) as stream:
                told = 0
                for text in stream.text_stream:
                    print(text, end="")
                    told += len(text)
                    if told >= wanted:
                        break
            print()
        for call in reversed(list(book.calls(agent="storyteller"))):
            print(call.outcome, "partial" if call.partial else "whole", call.cost.total_usd)


if __name__ == "__main__":
    main(sys.argv[1])
