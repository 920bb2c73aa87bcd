"""Input that no careful caller would give: each is refused with a named error, and the next call works."""

from __future__ import annotations

import decimal
import json
import math
import os
from pathlib import Path
from typing import Any

import pytest
import tokenbook
from tokenbook import _tokenbook

AT = "2026-11-20T00:00:00Z"
CASES = json.loads((Path(__file__).parents[1] / "hostile.json").read_text("utf-8"))["cases"]


def deep() -> dict[str, Any]:
    value: dict[str, Any] = {}
    for _ in range(100_000):
        value = {"deep": value}
    return value


SPECIAL = {
    "NaN": math.nan,
    "Infinity": math.inf,
    "-Infinity": -math.inf,
    "a million keys": {f"k{at}": 0 for at in range(1_000_000)},
}


def value(written: Any) -> Any:
    """A written value with what it names in place of the names."""
    if not isinstance(written, dict):
        return written
    if "$special" in written:
        name = written["$special"]
        return deep() if name == "100,000 levels" else SPECIAL[name]
    return {key: value(item) for key, item in written.items()}


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_cost(case: dict[str, Any]) -> None:
    given = {key: item for key, item in case.items() if key not in ("name", "usage", "code", "message")}
    usage = value({"input_tokens": 1, **case.get("usage", {})})
    args = {"model": "gpt-4o", "at": AT, "usage": usage, **value(given)}
    with pytest.raises(tokenbook.TokenbookError) as caught:
        tokenbook._wire.call("cost", args)
    assert (caught.value.code, str(caught.value)) == (case["code"], case["message"])
    assert tokenbook.cost(model="gpt-4o", at=AT, usage={"input_tokens": 1}).total_usd == decimal.Decimal("0.0000025")


@pytest.mark.parametrize("text", [1, None, {}, True, b"bytes"])
def test_counting_takes_text_only(text: Any) -> None:
    with pytest.raises(tokenbook.InvalidArgumentError, match="text: expected a string"):
        tokenbook.count(text)
    with pytest.raises(tokenbook.InvalidArgumentError, match=r"texts\[1\]: expected a string"):
        tokenbook.count_batch(["a", text])
    assert tokenbook.count("a") == 1


@pytest.mark.parametrize("limit", [-1, 1.5, math.nan, math.inf, 2**53, 2**64, "1", None, True])
def test_a_limit_is_a_count(limit: Any) -> None:
    with pytest.raises(tokenbook.InvalidArgumentError, match="limit: expected a whole number"):
        tokenbook.count_up_to("a", limit)


def test_a_lone_surrogate_counts_as_the_replacement_character() -> None:
    assert tokenbook.count("\ud800") == tokenbook.count("\ufffd")
    assert tokenbook.count_batch(["a\udc00b"]) == [tokenbook.count("a\ufffdb")]
    assert tokenbook.count("\ud83d\ude00") == tokenbook.count("\U0001f600")


def test_a_hundred_megabytes_are_counted_and_a_null_byte_is_text() -> None:
    assert tokenbook.count("\0") == 1
    assert tokenbook.count("a " * 50_000_000) > 1_000_000


def test_a_panic_inside_becomes_an_error_and_the_next_call_works() -> None:
    with pytest.raises(RuntimeError, match='"code":"internal"'):
        _tokenbook.call("panic", "{}")
    assert tokenbook.count("a") == 1


def test_a_ledger_refuses_names_that_no_file_should_hold() -> None:
    with tokenbook.Ledger(":memory:") as book:
        for agent in ("a\0b", "a" * 1_000_000, ""):
            with pytest.raises(tokenbook.InvalidArgumentError):
                book.record(model="gpt-4o", at=AT, agent=agent)
        for at in ("0000-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "yesterday", 5):
            with pytest.raises(tokenbook.InvalidArgumentError):
                book.record(model="gpt-4o", at=at)
        assert book.record(model="gpt-4o", at=AT).status == "recorded"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_ledger_that_was_open_before_a_fork_records_on_both_sides(tmp_path: Path) -> None:
    with tokenbook.Ledger(tmp_path / "ledger.db") as book:
        book.record(model="gpt-4o", at=AT, id="before")
        children = []
        for child in range(3):
            process = os.fork()
            if process == 0:
                # In the child nothing may reach pytest, whatever goes wrong.
                try:
                    for call in range(50):
                        book.record(model="gpt-4o", at=AT, id=f"{child}-{call}")
                    os._exit(0 if book.verify().ok else 2)
                finally:
                    os._exit(1)
            children.append(process)
        for call in range(50):
            book.record(model="gpt-4o", at=AT, id=f"parent-{call}")
        assert [os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) for process in children] == [0, 0, 0]
        assert book.record(model="gpt-4o", at=AT, id="2-49").status == "duplicate"
        assert book.report().total.calls == 201
        assert book.verify().ok


def test_bytes_that_are_no_utf8_do_not_end_a_stream() -> None:
    stream = tokenbook.UsageStream("openai.chat")
    stream.push(b"\xff\xfe\x00\n\n")
    assert stream.finish().partial
    with pytest.raises(tokenbook.InvalidArgumentError):
        stream.finish()


def test_money_is_never_a_float_and_never_in_exponents() -> None:
    usage = {"input_tokens": 1}
    cost = tokenbook._wire.call("cost", {"model": "any", "usage": usage, "stated_cost_usd": decimal.Decimal("2.5E-7")})
    assert cost["total_usd"] == "0.00000025"


@pytest.mark.parametrize("column", [[1, -1], [2**53], [2**70], [1.5], [True], [math.nan], ["1"], [None]])
def test_columns_are_refused_by_field(column: list[Any]) -> None:
    with pytest.raises(tokenbook.InvalidArgumentError, match=r"^tokens\.input_tokens"):
        tokenbook.cost_batch(models=["gpt-4o"], input_tokens=column, at=AT)
    assert tokenbook.cost_batch(models=["gpt-4o"], input_tokens=[1_000_000], at=AT).sum_usd == decimal.Decimal("2.5")


def test_columns_may_be_arrays() -> None:
    numpy = pytest.importorskip("numpy")
    want = tokenbook.cost_batch(models=["gpt-4o", "gpt-5"], model=[0, 1, 1], input_tokens=[1, 2, 3], at=AT)
    for kind in ("int64", "int32", "uint64", "<i8", ">i8"):
        have = tokenbook.cost_batch(
            models=["gpt-4o", "gpt-5"],
            model=numpy.array([0, 1, 1], kind),
            input_tokens=numpy.array([1, 9, 2, 9, 3, 9], kind)[::2],
            at=AT,
        )
        assert have == want
