"""Counting where processes fork, threads come and go, and texts come in any kind of collection."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import tokenbook

#: More than is counted on one thread, with a text that is cut among them.
TEXTS = [f"{number}: some words, {'ünd ' * (number % 7)}漢字 and\nlines\n" * 30 for number in range(400)]
TEXTS.append("A long one of many words and lines.\n" * 20_000)


@pytest.fixture(scope="module")
def counts() -> list[int]:
    return [tokenbook.count(text) for text in TEXTS]


def test_a_batch_is_any_collection(counts: list[int]) -> None:
    for texts in (TEXTS, tuple(TEXTS), iter(TEXTS), (text for text in TEXTS), dict.fromkeys(TEXTS)):
        assert tokenbook.count_batch(texts) == counts
    assert tokenbook.count_batch([]) == []
    assert tokenbook.count_batch("ab") == [1, 1]
    with pytest.raises(TypeError, match="not iterable"):
        tokenbook.count_batch(5)  # type: ignore[arg-type]

    def broken() -> Iterator[str]:
        yield "a"
        raise KeyError("b")

    with pytest.raises(KeyError):
        tokenbook.count_batch(broken())


def test_an_encoding_or_a_model() -> None:
    for count in (tokenbook.count, lambda text, **names: tokenbook.count_batch([text], **names)[0]):
        assert count("Hello, world", model="gpt-4o") == count("Hello, world", encoding="o200k_base") == 3
        assert count("Hello, world", model=None, encoding=None) == 3
        with pytest.raises(tokenbook.InvalidArgumentError, match=r"^expected an encoding or a model, got both$"):
            count("a", model="gpt-4o", encoding="o200k_base")
        for names in ({"model": "no-such"}, {"encoding": "no-such"}, {"encoding": ""}):
            with pytest.raises(tokenbook.UnknownModelError) as caught:
                count("a", **names)
            assert caught.value.details == {"model": next(iter(names.values()))}
            assert caught.value.__context__ is None
        with pytest.raises(TypeError):
            count("a", model=5)


def test_functions_can_be_sent_to_other_processes() -> None:
    for function in (tokenbook.count, tokenbook.count_batch):
        assert pickle.loads(pickle.dumps(function)) is function


def test_many_threads_count_alike(counts: list[int]) -> None:
    with ThreadPoolExecutor(16) as pool:
        assert all(batch == counts for batch in pool.map(lambda _: tokenbook.count_batch(TEXTS), range(32)))
        assert list(pool.map(tokenbook.count, TEXTS)) == counts


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_forked_process_counts_while_others_were_counting(counts: list[int]) -> None:
    over = threading.Event()

    def busy() -> None:
        while not over.is_set():
            tokenbook.count_batch(TEXTS)

    threads = [threading.Thread(target=busy) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(20):
            child = os.fork()
            if child == 0:
                # A child that hangs is ended by the alarm, and its parent sees it.
                signal.alarm(60)
                os._exit(0 if tokenbook.count_batch(TEXTS) == counts else 1)
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    finally:
        over.set()
        for thread in threads:
            thread.join()


def test_a_process_ends_while_threads_count() -> None:
    program = """
import threading, tokenbook
texts = ["some words and more of them\\n" * 200] * 500
def busy():
    while True:
        tokenbook.count_batch(texts)
for _ in range(3):
    threading.Thread(target=busy, daemon=True).start()
assert len(tokenbook.count_batch(texts)) == 500
print("over")
"""
    for _ in range(3):
        ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120)
        assert (ended.returncode, ended.stdout) == (0, "over\n"), ended.stderr
