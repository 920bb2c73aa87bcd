"""Counting text. Exact where a model's vocabulary is public; elsewhere ``estimate`` says how sure it is."""

from __future__ import annotations

from collections.abc import Iterable

from . import _tokenbook, _wire, types
from ._decode import decode as _decode

# Called in loops, so handed on as they are: a function around them would take a third as long again.
from ._tokenbook import count as count
from ._tokenbook import count_batch as count_batch
from .errors import InvalidArgumentError, from_fault

DEFAULT_ENCODING = "o200k_base"


def _name(model: str | None, encoding: str | None) -> str:
    if model is None:
        return encoding if encoding is not None else DEFAULT_ENCODING
    if encoding is not None:
        raise InvalidArgumentError("expected an encoding or a model, got both")
    return model


def _text(text: object, where: str = "text") -> str:
    if not isinstance(text, str):
        raise InvalidArgumentError(f"{where}: expected a string, got {_kind(text)}")
    return text


def _kind(value: object) -> str:
    """A value's type in JSON's words, so that a message is the same in every language."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, (int, float)):
        return "number"
    return "object"


def count_up_to(text: str, limit: int, *, model: str | None = None, encoding: str | None = None) -> int | None:
    """Counts the tokens of ``text``, or gives ``None`` as soon as there are more than ``limit``.

    :raises UnknownModelError: no public vocabulary is known for the model.
    """
    if isinstance(limit, bool) or not isinstance(limit, int) or not 0 <= limit <= 2**53 - 1:
        shown = str(limit).lower() if isinstance(limit, bool) else limit
        raise InvalidArgumentError(f"limit: expected a whole number from 0 to 9007199254740991, got {shown}")
    try:
        return _tokenbook.count_up_to(_text(text), limit, _name(model, encoding))
    except RuntimeError as fault:
        raise from_fault(str(fault)) from None


def encode(text: str, *, model: str | None = None, encoding: str | None = None) -> list[int]:
    """Gives the token ids of ``text``.

    :raises UnknownModelError: no public vocabulary is known for the model.
    """
    answer: dict[str, list[int]] = _wire.call("encode", {"text": _text(text), "encoding": _name(model, encoding)})
    return answer["tokens"]


def decode(tokens: Iterable[int], *, model: str | None = None, encoding: str | None = None) -> str:
    """Gives the text of token ids; bytes that are no UTF-8 become U+FFFD.

    :raises InvalidArgumentError: an id is not in the vocabulary.
    """
    answer: dict[str, str] = _wire.call("decode", {"tokens": list(tokens), "encoding": _name(model, encoding)})
    return answer["text"]


def estimate(text: str, *, model: str) -> types.TextCount:
    """Counts the tokens of ``text`` for any model, and says how sure the number is.

    Exact where the vocabulary is public; else an estimate with the band that holds the truth nine times in ten.
    """
    return _decode(types.TextCount, _wire.call("estimate", {"text": _text(text), "model": model}))
