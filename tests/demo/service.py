"""A small service in Python: three agents through the real ``anthropic`` package, into one ledger.

``python service.py LEDGER [URL]``: without the URL of a replay server it starts one.
"""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import anthropic
import tokenbook
from tokenbook.services import usage_log

MODEL = "claude-3-5-haiku-20241022"
SEARCH = {"name": "search_archive", "description": "Searches the archive for articles", "input_schema": {
    "type": "object", "properties": {"query": {"type": "string"}, "limit": {"type": "integer"}}}}  # fmt: skip
SCRIPTS: dict[str, Any] = {
    "py-producer": [
        {"reply": {"tool_calls": [{"name": "search_archive", "input": {"query": "ledgers"}}],
                   "usage": {"input_tokens": 480, "output_tokens": 60}}},
        {"reply": {"text": "Three articles fit.", "usage": {"input_tokens": 700, "output_tokens": 20}}},
    ],
    "py-editor": {"reply": {"text": "An edited piece. " * 20, "pieces": 20, "stop_reason": "max_tokens",
                            "usage": {"input_tokens": 350, "output_tokens": 200}}},
    "py-host": [{"status": 529, "retry_after": 0.01}, {"reply": {"text": "Good evening."}}],
}  # fmt: skip


def run(book: tokenbook.Ledger, url: str) -> None:
    """Makes the calls of the three agents."""

    def client(agent: str) -> anthropic.Anthropic:
        plain = anthropic.Anthropic(api_key="none", base_url=f"{url}/s/py-{agent}")
        return tokenbook.instrument(plain, book=book, agent=agent, session="demo-python")

    body = json.dumps(SCRIPTS).encode()
    urllib.request.urlopen(urllib.request.Request(f"{url}/replay/scripts", data=body)).close()
    asked: list[Any] = [{"role": "user", "content": "Find articles about ledgers."}]
    with tokenbook.with_call(action="analyze"):
        producer = client("producer")
        found = producer.messages.create(model=MODEL, max_tokens=300, messages=asked, tools=[SEARCH])
        uses = [block for block in found.content if block.type == "tool_use"]
        results = [{"type": "tool_result", "tool_use_id": use.id, "content": "1. Double entry …"} for use in uses]
        asked += [{"role": "assistant", "content": found.content}, {"role": "user", "content": results}]
        producer.messages.create(model=MODEL, max_tokens=300, messages=asked, tools=[SEARCH])
    question: list[Any] = [{"role": "user", "content": "Edit this piece."}]
    with (
        tokenbook.with_call(action="stream"),
        client("editor").messages.stream(model=MODEL, max_tokens=200, messages=question) as stream,
    ):
        edited = stream.get_final_message()
    usage_log.log_usage(usage_log.token_usage(edited, max_tokens=200), subject="Piece", log=print, warn=print)
    with tokenbook.with_call(action="generate"):
        client("host").messages.create(model=MODEL, max_tokens=100, messages=question)


def main(path: str, url: str | None = None) -> None:
    """Runs the service on a ledger and prints what it took."""
    server = None
    if url is None:
        script = Path(__file__).parents[1] / "replay" / "server.mjs"
        server = subprocess.Popen(["node", str(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert server.stdout is not None
        url = json.loads(server.stdout.readline())["url"]
    try:
        with tokenbook.Ledger(path) as book:
            run(book, str(url))
            for row in book.report(group_by=["agent"], session="demo-python").rows:
                print(f"{row.agent}: {row.calls} calls, {row.failed} failed, {row.truncated} cut off, ${row.cost_usd}")
    finally:
        if server is not None:
            server.communicate()


if __name__ == "__main__":
    main(*sys.argv[1:])
