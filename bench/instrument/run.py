"""What an instrumented client of ``anthropic`` adds to a call, and what stays of it: ``run.py [calls]``, see run.sh."""

from __future__ import annotations

import asyncio
import gc
import itertools
import json
import resource
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

import anthropic
import httpx2
import tokenbook

SERVER = Path(__file__).parents[2] / "tests" / "replay" / "server.mjs"
MANY = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
WAIT_MS = 20_000
REPLY = {"text": "Blue.", "usage": {"input_tokens": 612, "output_tokens": 14}}
ASKED: Any = {
    "model": "claude-haiku-4-5",
    "max_tokens": 100,
    "system": "You are brief. " * 200,
    "messages": [{"role": "user", "content": "Name a colour."}],
}
SETTINGS: Any = {"api_key": "none", "max_retries": 0, "timeout": 60}


def told(what: str, bare: list[float], own: list[float]) -> None:
    def at(times: list[float], share: float) -> float:
        return sorted(times)[min(len(times) - 1, int(len(times) * share))]

    figures = [f"p50 {at(times, 0.5):.3f} ms, p99 {at(times, 0.99):.3f} ms" for times in (bare, own)]
    print(f"{what}: bare {figures[0]}; instrumented {figures[1]}")
    added = [at(own, share) - at(bare, share) for share in (0.5, 0.99)]
    print(f"  added: p50 {added[0]:.3f} ms, p99 {added[1]:.3f} ms (at most 1 wanted)", flush=True)


def one_after_the_other(base: str, book: tokenbook.Ledger) -> None:
    """Bare and instrumented in turns, so that both meet the same machine."""
    bare = anthropic.Anthropic(base_url=f"{base}/s/quick", **SETTINGS)
    own = tokenbook.instrument(anthropic.Anthropic(base_url=f"{base}/s/quick", **SETTINGS), book=book, agent="bench")
    times: dict[Any, list[float]] = {bare: [], own: []}
    for turn in range(2200):
        for client in (bare, own) if turn % 2 else (own, bare):
            began = time.perf_counter()
            client.messages.create(**ASKED)
            if turn >= 200:
                times[client].append((time.perf_counter() - began) * 1000)
    told("one after the other", times[bare], times[own])


async def a_thousand_under_way(base: str, book: tokenbook.Ledger) -> None:
    """Answers take twenty seconds, and every twenty milliseconds one of each kind is asked."""

    def client() -> anthropic.AsyncAnthropic:
        # The SDK's own limit is a thousand connections, at which calls wait for each other.
        limits = httpx2.Limits(max_connections=2000, max_keepalive_connections=2000)
        http = anthropic.DefaultAsyncHttpxClient(limits=limits)
        return anthropic.AsyncAnthropic(base_url=f"{base}/s/slow", http_client=http, **SETTINGS)

    async with client() as bare, client() as plain:
        own = tokenbook.instrument(plain, book=book, agent="bench")
        times: dict[Any, list[float]] = {bare: [], own: []}

        async def one(client: Any, keep: bool) -> None:
            began = time.perf_counter()
            await client.messages.create(**ASKED)
            if keep:
                times[client].append((time.perf_counter() - began) * 1000 - WAIT_MS)

        under = []
        began = time.perf_counter()
        for turn in range(3000):
            wait = began + turn * 0.020 - time.perf_counter()
            await asyncio.sleep(max(0.0, wait))
            for client in (bare, own) if turn % 2 else (own, bare):
                under.append(asyncio.create_task(one(client, turn >= 1000)))
        await asyncio.gather(*under)
        told("1,000 under way, without the time of the answer", times[bare], times[own])


async def a_thousand_at_once(base: str, book: tokenbook.Ledger) -> None:
    """Each of an agent of its own."""
    before = book.report().total.calls
    async with anthropic.AsyncAnthropic(base_url=f"{base}/s/quick", **SETTINGS) as plain:
        client = tokenbook.instrument(plain, book=book)

        async def one(number: int) -> None:
            async with tokenbook.with_call(agent=f"agent-{number}"):
                await client.messages.create(**ASKED)

        await asyncio.gather(*(one(number) for number in range(1000)))
    report = book.report(group_by=["agent"], limit=2000)
    right = sum(str(row.agent).startswith("agent-") and row.calls == 1 for row in report.rows)
    print(f"1,000 at once: {report.total.calls - before} records, {right} with the right agent", flush=True)


def many(book: tokenbook.Ledger) -> None:
    """Many calls whose answers come from memory: what the process keeps of them."""
    numbers = itertools.count()

    def answer(_: Any) -> Any:
        body = {"type": "message", "id": f"msg_{next(numbers)}", "role": "assistant", "model": ASKED["model"],
                "content": [{"type": "text", "text": "Blue."}], "stop_reason": "end_turn",
                "usage": {"input_tokens": 612, "output_tokens": 14}}  # fmt: skip
        return httpx2.Response(200, json=body)

    http = httpx2.Client(transport=httpx2.MockTransport(answer))
    client = tokenbook.instrument(anthropic.Anthropic(api_key="none", http_client=http), book=book, agent="memory")
    marks = []
    began = time.process_time()
    for done in range(1, MANY + 1):
        client.messages.create(**ASKED)
        if done % (MANY // 5) == 0:
            book.flush()
            gc.collect()
            marks.append(f"{_resident():.0f}")
    cpu = (time.process_time() - began) / MANY * 1e6
    print(f"{MANY:,} calls: {cpu:.0f} µs of processor time a call, the SDK's own included; "
          f"resident after each fifth: {', '.join(marks)} MB")  # fmt: skip


def _resident() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


def main() -> None:
    with subprocess.Popen(["node", str(SERVER)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdin is not None and server.stdout is not None
        base = json.loads(server.stdout.readline())["url"]
        scripts = {"quick": {"reply": REPLY}, "slow": {"reply": REPLY, "delay_ms": WAIT_MS}}
        request = urllib.request.Request(f"{base}/replay/scripts", json.dumps(scripts).encode())
        urllib.request.urlopen(request).close()
        with tempfile.TemporaryDirectory() as folder, tokenbook.Ledger(f"{folder}/bench.db") as book:
            one_after_the_other(base, book)
            asyncio.run(a_thousand_under_way(base, book))
            asyncio.run(a_thousand_at_once(base, book))
            many(book)
            print(f"not recorded: {book.unrecorded}; verify: {book.verify().ok}")
        server.stdin.close()


main()
