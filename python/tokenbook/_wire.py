"""Python values to the JSON text that the native module takes, and back. Nothing is decided here."""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import json
import math
from collections.abc import Mapping
from typing import Any

from . import _tokenbook
from .errors import InvalidArgumentError, TokenbookError, from_fault

TOO_DEEP = "nested more than 128 levels deep"


def call(op: str, args: Mapping[str, Any]) -> Any:
    """Runs an operation that needs no ledger."""
    text = dumps(args)
    try:
        return json.loads(_tokenbook.call(op, text))
    except RuntimeError as fault:
        raise from_fault(str(fault)) from None


def dumps(args: Mapping[str, Any]) -> str:
    """Writes arguments as JSON text; an argument that is ``None`` is left out."""
    given = {name: value for name, value in args.items() if value is not None}
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
