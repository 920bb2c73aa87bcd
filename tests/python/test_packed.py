"""Requests on their way into the core: packed where they are plain, as JSON where they aren't, and counted alike."""

from __future__ import annotations

import dataclasses
import decimal
import enum
import json
import math
import types as python_types
from pathlib import Path
from typing import Any

import pytest
import tokenbook
from tokenbook import _tokenbook, _wire

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "count_request.json").read_text("utf-8"))["cases"]
MESSAGES = [{"role": "user", "content": "hi"}]


class Level(enum.IntEnum):
    LOW = 1


class Text(str):
    pass


@dataclasses.dataclass
class Point:
    x: int = 1


def holding(value: Any) -> dict[str, Any]:
    """A request with a tool whose schema holds the value, which is counted as it is written."""
    schema = {"type": "object", "properties": {"a": {"enum": [value, "x"], "default": value}}}
    tool = {"type": "function", "function": {"name": "f", "parameters": schema}}
    return {"api": "openai.chat", "body": {"model": "gpt-4o", "messages": MESSAGES, "tools": [tool]}}


def outcome(function: Any, args: dict[str, Any]) -> Any:
    try:
        return function(args)
    except tokenbook.TokenbookError as error:
        return (error.code, str(error))


def by_json(args: dict[str, Any]) -> Any:
    return outcome(lambda args: _wire.call("count_request", args), args)


@pytest.mark.parametrize("case", [case for case in VECTORS if "want" in case], ids=lambda case: case["name"])
def test_vectors_are_counted_packed(case: dict[str, Any]) -> None:
    counted = _tokenbook.count_request(case["args"])
    assert counted is not None
    assert json.loads(counted) == case["want"]


PLAIN = [
    *("", "a", "é" * 40, '漢字 and "quotes" \\ \n \0', "😀", "words " * 50_000),
    *(0, 1, -1, 127, 128, 255, 2**31, 2**53, -(2**53), 2**63 - 1, -(2**63), True, False, None),
    *(0.5, -0.0, 1.0, 1e-7, 1.5e300, 0.1 + 0.2, 1e16),
    *([], [1, [2, (3, "x")]], (), {}, {"a": None, "é": {"b": []}}),
]


@pytest.mark.parametrize("value", PLAIN, ids=lambda value: repr(value)[:20])
def test_plain_values_mean_what_they_mean_as_json(value: Any) -> None:
    counted = _tokenbook.count_request(holding(value))
    assert counted is not None
    assert json.loads(counted) == by_json(holding(value))


def nested(levels: int) -> Any:
    value: Any = "x"
    for _ in range(levels):
        value = [value]
    return value


CYCLE: list[Any] = []
CYCLE.append(CYCLE)
ODD = [
    *(math.nan, math.inf, 2**64, decimal.Decimal("0.1"), Level.LOW, Text("x"), Point(), "\ud83d", b"bytes", object()),
    *({1: "a"}, {Text("a"): 1}, {"a", "b"}, python_types.MappingProxyType({"a": 1}), nested(70), nested(200)),
]


@pytest.mark.parametrize("value", [*ODD, CYCLE], ids=lambda value: type(value).__name__)
def test_what_is_out_of_the_ordinary_is_left_to_json(value: Any) -> None:
    args = holding(value)
    assert _tokenbook.count_request(args) is None
    if value is CYCLE:
        with pytest.raises(tokenbook.InvalidArgumentError):
            _wire.count_request(args)
    else:
        assert outcome(_wire.count_request, args) == by_json(args)


@pytest.mark.parametrize(
    "args",
    [
        {},
        {"api": "no.such", "body": {}},
        {"api": "openai.chat"},
        {"api": "openai.chat", "body": None},
        {"api": "openai.chat", "body": 1},
        {"api": "openai.chat", "body": {}},
        {"api": "ai_sdk", "body": {"model": "gpt-4o"}},
        {**holding(1), "more": 1},
        {**holding(1), "model": 1},
        {"api": "openai.chat", "body": '{"model": '},
    ],
)
def test_what_is_refused_is_refused_in_the_same_words(args: dict[str, Any]) -> None:
    refused = outcome(_wire.count_request, args)
    assert refused == by_json(args)
    assert isinstance(refused, tuple)
    assert _wire.count_request({**holding(1), "model": None}) == by_json(holding(1))
