"""Python values to the JSON text that the native module takes, and back. Nothing is decided here."""

from __future__ import annotations

import array
import dataclasses
import datetime
import decimal
import json
import math
import sys
from collections.abc import Callable, Mapping
from typing import Any

from . import _tokenbook
from .errors import InvalidArgumentError, TokenbookError, from_fault

TOO_DEEP = "nested more than 128 levels deep"


def call(op: str, args: Mapping[str, Any]) -> Any:
    """Runs an operation that needs no ledger."""
    text = dumps(args)
    return _run(lambda: _tokenbook.call(op, text))


def count_request(args: Mapping[str, Any]) -> Any:
    """Runs ``count_request``: plain values go over packed, any others as JSON, which says what is wrong."""
    counted = _tokenbook.count_request(_given(args))
    return call("count_request", args) if counted is None else json.loads(counted)


def cost_batch(args: Mapping[str, Any], numbers: Mapping[str, Any], tokens: Mapping[str, Any]) -> Any:
    """Runs ``cost_batch``: columns of whole numbers go over as bytes, any others as JSON, which says what is wrong."""
    packed: list[tuple[str, bytes]] = []
    others: dict[str, Any] = {**args, "tokens": {}}
    for columns, rest in ((numbers, others), (tokens, others["tokens"])):
        for name, column in columns.items():
            words = _words(column)
            if words is None:
                rest[name] = column.tolist() if hasattr(column, "tolist") else column
            else:
                packed.append((name, words))
    text = dumps(others)
    return _run(lambda: _tokenbook.cost_batch(text, packed))


def _words(column: Any) -> bytes | None:
    """Whole numbers as 64 bits each, little-endian; ``None`` for a column of anything else."""
    if type(column) is list:
        if set(map(type, column)) - {int}:  # True would pass as 1.
            return None
        try:
            column = array.array("q", column)
        except OverflowError:
            return None
    try:
        view = memoryview(column)
    except TypeError:
        return None
    if view.ndim != 1 or view.format not in ("q", "l") or view.itemsize != 8 or sys.byteorder != "little":
        return None
    return view.tobytes()


def _run(native: Callable[[], str]) -> Any:
    try:
        return json.loads(native())
    except RuntimeError as fault:
        raise from_fault(str(fault)) from None


def dumps(args: Mapping[str, Any]) -> str:
    """Writes arguments as JSON text; an argument that is ``None`` is left out."""
    return _text(_given(args))


def _given(args: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in args.items() if value is not None}


def _text(given: Any) -> str:
    try:
        return json.dumps(given, default=plain, allow_nan=False, ensure_ascii=False)
    except RecursionError:
        raise InvalidArgumentError(TOO_DEEP) from None
    except TokenbookError:
        raise
    except ValueError:
        # NaN or an infinity: written in a form that the core refuses by field, with the same words in every language.
        try:
            return json.dumps(_finite(given), default=plain, ensure_ascii=False)
        except RecursionError:
            raise InvalidArgumentError(TOO_DEEP) from None


def plain(value: Any) -> Any:
    """Turns what JSON doesn't know into what it does."""
    if isinstance(value, decimal.Decimal):
        return format(value, "f")  # str() would write 2.5E-7.
    if isinstance(value, datetime.datetime):
        if value.tzinfo is None:
            raise InvalidArgumentError(f"expected an aware datetime, got {value!r} without a time zone")
        return value.astimezone(datetime.timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    if isinstance(value, datetime.date):
        return value.isoformat()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = ((field.name, getattr(value, field.name)) for field in dataclasses.fields(value))
        return {name.removesuffix("_"): item for name, item in fields if item is not None}
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, (set, frozenset)):
        return sorted(value)
    if hasattr(value, "model_dump"):  # The response objects of the providers' own SDKs.
        return value.model_dump(mode="json")
    if hasattr(value, "__index__"):  # NumPy's integers.
        return value.__index__()
    if hasattr(value, "tolist"):  # NumPy's arrays.
        return value.tolist()
    raise InvalidArgumentError(f"expected a value that JSON can hold, got {type(value).__name__}")


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        name = "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
        return {"$not_json": name}
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return value
