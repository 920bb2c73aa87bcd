"""Runs the vectors that every language shares, through the package's own functions where their form allows it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import tokenbook
from tokenbook import _wire

FOLDER = Path(__file__).parents[1] / "vectors"
FILES = [json.loads(path.read_text("utf-8")) for path in sorted(FOLDER.glob("*.json"))]
CASES = [pytest.param(file["op"], case, id=f"{file['op']}-{case['name']}") for file in FILES for case in file["cases"]]

LEDGER_OPS = {op["name"] for op in _wire.call("ops", {})["ops"] if op["needs_ledger"]}


def run(op: str, case: dict[str, Any]) -> Any:
    if op not in LEDGER_OPS:
        return _wire.call(op, case["args"])
    with tokenbook.Ledger(":memory:") as book:
        for step in case.get("setup", []):
            book._call(step["op"], step["args"])
        return book._call(op, case["args"])


@pytest.mark.parametrize(("op", "case"), CASES)
def test_vector(op: str, case: dict[str, Any]) -> None:
    if "error" not in case:
        assert run(op, case) == case["want"]
        return
    with pytest.raises(tokenbook.TokenbookError) as caught:
        run(op, case)
    assert {"code": caught.value.code, "message": str(caught.value)} == case["error"]


def test_no_case_is_missing() -> None:
    assert len(CASES) == sum(len(file["cases"]) for file in FILES) > 0


def typed(op: str, args: dict[str, Any]) -> Any:
    """The answer of the package's own function, written back as JSON."""
    args = dict(args)
    function = getattr(tokenbook, op)
    positional = [
        args.pop(name) for name in ("text", "texts", "tokens", "limit", "query", "api", "body") if name in args
    ]
    if op == "extract_stream":
        return None
    return json.loads(_wire.dumps({"answer": function(*positional, **args)}))["answer"]


@pytest.mark.parametrize("op", ["extract", "cost", "count_request", "estimate"])
def test_typed_answers_say_the_same(op: str) -> None:
    for file in FILES:
        if file["op"] == op:
            for case in file["cases"]:
                if "want" in case:
                    assert typed(op, case["args"]) == case["want"], case["name"]


@pytest.mark.parametrize("op", ["count", "count_batch", "encode", "decode"])
def test_hot_paths_say_the_same(op: str) -> None:
    (file,) = (file for file in FILES if file["op"] == op)
    for case in file["cases"]:
        if "want" in case:
            want = case["want"]["text"] if op == "decode" else case["want"]["tokens"]
            assert typed(op, case["args"]) == want, case["name"]
