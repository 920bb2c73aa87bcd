"""Decoded JSON to the types of this package: amounts to ``Decimal``, instants to ``datetime``, objects to classes."""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import functools
import types
import typing
from collections.abc import Callable
from typing import Any, TypeVar

from . import types as _types

T = TypeVar("T")
Decoder = Callable[[Any], Any]


def decode(kind: type[T], value: Any) -> T:
    """Reads ``value`` as a ``kind``."""
    read: Any = _decoder
    return typing.cast(T, read(kind)(value))


def _same(value: Any) -> Any:
    return value


def _instant(value: str) -> datetime.datetime:
    return datetime.datetime.fromisoformat(value.replace("Z", "+00:00"))


@functools.cache
def _decoder(kind: Any) -> Decoder:
    if kind is decimal.Decimal:
        return decimal.Decimal
    if kind is datetime.datetime:
        return _instant
    if kind is datetime.date:
        return datetime.date.fromisoformat
    origin = typing.get_origin(kind)
    arguments = typing.get_args(kind)
    if origin in (types.UnionType, typing.Union):
        (inner,) = (item for item in arguments if item is not types.NoneType)
        read = _decoder(inner)
        return lambda value: None if value is None else read(value)
    if origin is list:
        read = _decoder(arguments[0])
        return _same if read is _same else lambda value: list(map(read, value))
    if origin is dict:
        read = _decoder(arguments[1])
        return _same if read is _same else lambda value: {key: read(item) for key, item in value.items()}
    if dataclasses.is_dataclass(kind):
        return _object(typing.cast("type[Any]", kind))
    return _same


def _object(kind: type[Any]) -> Decoder:
    # Built at the first value, since types may name each other.
    fields: dict[str, tuple[str, Decoder]] = {}

    def read(value: dict[str, Any]) -> Any:
        if not fields:
            hints = typing.get_type_hints(kind, vars(_types))
            for field in dataclasses.fields(kind):
                # A field whose name is a keyword, such as `from`, is an attribute with an underscore behind it.
                fields[field.name.removesuffix("_")] = (field.name, _decoder(hints[field.name]))
        read = {}
        for name, item in value.items():
            attribute, decoder = fields[name]
            read[attribute] = decoder(item)
        return kind(**read)

    return read
