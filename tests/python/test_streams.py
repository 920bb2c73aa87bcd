"""However a stream ends, and at whichever chunk, there is exactly one record, and it holds what was streamed."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import gc
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import tokenbook
from conftest import Replay
from providers import KINDS, Kind, through, through_async

CHUNKS = 50
INPUT, OUTPUT = 25, 12
TEXT = "äöü 語 😀 and so on. " * 20
REPLY = {"text": TEXT, "pieces": CHUNKS, "usage": {"input_tokens": INPUT, "output_tokens": OUTPUT}}
ENDS = {"cut": "cut_after", "error": "error_after", "hang": "hang_after", "short": "end_after"}
TIMEOUT_SECONDS = 0.4
OPENING = {"anthropic": 0, "chat": 1, "responses": 4}
"""Events before the first text."""


class Stop(Exception):
    """What a user's own code raises."""


@pytest.fixture(scope="module", autouse=True)
def scripts(replay: Replay) -> None:
    replay.load(whole={"reply": REPLY})
    for how, field in ENDS.items():
        # A stream that is broken off by the server comes event by event, so that it breaks where it says.
        replay.load(**{f"{how}-{at}": {"reply": REPLY, "stream": {field: at}} for at in range(CHUNKS)})


def consume(kind: Kind, client: Any, how: str, at: int) -> None:
    """Reads up to a chunk and ends the stream there."""
    stream = kind.create(client, stream=True)
    if how == "close":
        for seen, _ in enumerate(stream):
            if seen == at:
                stream.close()
                break
    elif how == "generator":
        generator = through(stream)
        for seen, _ in enumerate(generator):
            if seen == at:
                break
        generator.close()
    elif how == "with":
        with stream:
            for seen, _ in enumerate(stream):
                if seen == at:
                    break
    elif how == "throw":
        with contextlib.suppress(Stop), stream:
            for seen, _ in enumerate(stream):
                if seen == at:
                    raise Stop
    elif how == "break":
        for seen, _ in enumerate(stream):
            if seen == at:
                break
    else:
        # Some of these end as if all were well, some raise the SDK's own error.
        with contextlib.suppress(Exception):
            for _ in stream:
                pass


async def consume_async(kind: Kind, client: Any, how: str, at: int) -> None:
    """The same, in a task."""
    stream = await kind.create(client, stream=True)
    seen = 0
    if how == "cancel":
        task = asyncio.current_task()
        assert task is not None
        async for _ in stream:
            seen += 1
            if seen > at:
                task.cancel()
                await asyncio.sleep(0)
    elif how == "generator":
        generator = through_async(stream)
        async for _ in generator:
            seen += 1
            if seen > at:
                break
        await generator.aclose()  # type: ignore[attr-defined]
        await stream.close()
    elif how == "throw":
        with contextlib.suppress(Stop):
            async with stream:
                async for _ in stream:
                    seen += 1
                    if seen > at:
                        raise Stop
    elif how in ("close", "break"):
        async for _ in stream:
            seen += 1
            if seen > at:
                if how == "close":
                    await stream.close()
                break
    else:
        with contextlib.suppress(Exception):
            async for _ in stream:
                pass


def sockets() -> int:
    """How many sockets this process has open, where one can tell."""
    found = 0
    if not Path("/proc/self/fd").exists():
        return found
    for handle in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):
            found += os.readlink(handle).startswith("socket:")
    return found


def checked(book: tokenbook.Ledger, kind: Kind, how: str, expect: int) -> None:
    """Exactly one record of each stream, with what the provider reported until its end."""
    calls = {call.session: call for call in book.calls()}
    assert len(list(book.calls())) == len(calls) == expect
    assert book.unrecorded == 0 and not tokenbook._writer._open
    for session, call in calls.items():
        at = int(str(session))
        told = (how, kind.name, at, call)
        if how == "error" and at <= OPENING[kind.name]:
            # An error before any output: nothing is billed.
            assert call.outcome == "error" and call.error_class, told
            assert call.usage is not None and call.cost.total_usd is not None, told
            continue
        if how in ENDS and at == 0:
            # Not a word came: what was used is unknown, which is not nothing.
            assert call.usage is None and call.cost.total_usd is None, told
            continue
        assert call.usage is not None, told
        assert call.usage.total_input_tokens, told
        if kind.name == "anthropic":
            assert call.usage.total_input_tokens == INPUT, told
        if not call.partial:
            assert (call.usage.total_input_tokens, call.usage.total_output_tokens) == (INPUT, OUTPUT), told
        if how in ENDS:
            assert call.partial, told
        if how in ENDS and at >= 20:
            # What was streamed was counted: no chunk of it is free.
            assert call.usage.total_output_tokens and call.usage.total_output_tokens >= 20, told
        if how in ("cut", "hang", "error"):
            assert call.outcome == "error" and call.error_class, told


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
@pytest.mark.parametrize("how", ["close", "generator", "with", "throw", "break", *ENDS])
def test_every_end_of_a_synchronous_stream(replay: Replay, book: tokenbook.Ledger, kind: Kind, how: str) -> None:
    options = {"timeout": TIMEOUT_SECONDS} if how == "hang" else {}
    before = sockets()
    with kind.client(replay.base("whole"), **options) as plain:
        client = tokenbook.instrument(plain, book=book)

        def run(at: int) -> None:
            ours = client.with_options(base_url=replay.base(f"{how}-{at}") + kind.suffix) if how in ENDS else client
            with tokenbook.with_call(session=str(at)), contextlib.suppress(Exception):
                consume(kind, ours, how, at)

        with concurrent.futures.ThreadPoolExecutor(10 if how == "hang" else 2) as pool:
            list(pool.map(run, range(CHUNKS)))
    gc.collect()
    checked(book, kind, how, CHUNKS)
    assert sockets() <= before, "no connection is left"


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
@pytest.mark.parametrize("how", ["close", "generator", "throw", "break", "cancel", *ENDS])
def test_every_end_of_an_asynchronous_stream(replay: Replay, book: tokenbook.Ledger, kind: Kind, how: str) -> None:
    options = {"timeout": TIMEOUT_SECONDS} if how == "hang" else {}
    before = sockets()

    async def main() -> None:
        async with kind.async_client(replay.base("whole"), **options) as plain:
            client = tokenbook.instrument(plain, book=book)

            async def run(at: int) -> None:
                ours = client.with_options(base_url=replay.base(f"{how}-{at}") + kind.suffix) if how in ENDS else client
                async with tokenbook.with_call(session=str(at)):
                    with contextlib.suppress(Exception):
                        await consume_async(kind, ours, how, at)

            done = await asyncio.gather(*(run(at) for at in range(CHUNKS)), return_exceptions=True)
        kinds = {type(one) for one in done if one is not None}
        assert kinds <= {asyncio.CancelledError}
        assert (kinds == set()) == (how != "cancel")

    asyncio.run(asyncio.wait_for(main(), 60))
    gc.collect()
    checked(book, kind, how, CHUNKS)
    assert sockets() <= before, "no connection is left"


EXIT = """
import asyncio, os, signal, sys
import tokenbook
from providers import KINDS

url, path, way, mode = sys.argv[1:]
book = tokenbook.Ledger(path)
streams = []


def leave():
    print("leaving", flush=True)
    if way == "raise":
        raise RuntimeError("the user's own")
    if way == "exit":
        sys.exit(3)
    if way == "interrupt":
        os.kill(os.getpid(), signal.SIGINT)
    if way in ("_exit", "kill"):
        # What has ended and was waited for is kept; what is under way is lost, and the ledger stays whole.
        for stream in streams[::2]:
            stream.close()
        book.flush()
        os._exit(4) if way == "_exit" else os.kill(os.getpid(), signal.SIGKILL)


def main():
    for kind in KINDS:
        client = tokenbook.instrument(kind.client(url), book=book, agent=kind.name)
        for at in range(50):
            with tokenbook.with_call(session=str(at)):
                stream = kind.create(client, stream=True)
            for _ in range(at):
                next(stream)
            streams.append(stream)
    leave()


async def main_async():
    for kind in KINDS:
        client = tokenbook.instrument(kind.async_client(url), book=book, agent=kind.name)
        for at in range(50):
            with tokenbook.with_call(session=str(at)):
                stream = await kind.create(client, stream=True)
            iterator = stream.__aiter__()
            for _ in range(at):
                await iterator.__anext__()
            streams.append(iterator)
    leave()


main() if mode == "sync" else asyncio.run(main_async())
"""


@pytest.mark.parametrize(
    ("way", "mode", "code"),
    [
        ("end", "sync", 0), ("exit", "sync", 3), ("raise", "sync", 1), ("interrupt", "sync", -2),
        ("_exit", "sync", 4), ("kill", "sync", -9),
        ("end", "async", 0), ("exit", "async", 3), ("raise", "async", 1), ("interrupt", "async", -2),
    ],
)  # fmt: skip
def test_streams_that_run_when_the_process_ends_are_recorded(
    replay: Replay, tmp_path: Path, way: str, mode: str, code: int
) -> None:
    path = tmp_path / "ledger.db"
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    done = subprocess.run(
        [sys.executable, "-c", EXIT, replay.base("whole"), str(path), way, mode],
        env=env, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (code, "leaving\n"), done.stderr
    assert ("RuntimeError: the user's own" in done.stderr) == (way == "raise")
    with tokenbook.Ledger(path) as book:
        calls = list(book.calls())
        wanted = [(kind.name, str(at)) for kind in KINDS for at in range(CHUNKS)]
        if way in ("_exit", "kill"):
            wanted = wanted[::2]
        assert sorted((str(call.agent), str(call.session)) for call in calls) == sorted(wanted)
        assert all(call.partial or call.usage is None for call in calls)
        assert book.verify().ok and not book.live().calls


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
@pytest.mark.parametrize("stream", [{"chunking": 1}, {"chunking": "whole"}, {"chunking": 7, "line_end": "\r\n"}])
def test_bytes_cut_anywhere_are_read_right(
    replay: Replay, book: tokenbook.Ledger, kind: Kind, stream: dict[str, Any]
) -> None:
    replay.load(cut={"reply": {**REPLY, "text": "äöü 語 😀", "pieces": 6}, "stream": stream})
    client = tokenbook.instrument(kind.client(replay.base("cut")), book=book)
    said = json.dumps([event.model_dump(mode="json") for event in kind.create(client, stream=True)], ensure_ascii=False)
    assert "😀" in said
    (call,) = book.calls()
    assert call.usage is not None and not call.partial
    assert (call.usage.total_input_tokens, call.usage.total_output_tokens) == (INPUT, OUTPUT)
    assert call.time_to_first_token_ms is not None and call.duration_ms is not None
