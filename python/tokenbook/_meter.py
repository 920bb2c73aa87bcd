"""Metering one call, from before it is sent until it is recorded."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from . import _tokenbook, _wire, types
from ._decode import decode
from ._operations import Body, _body
from .errors import InvalidArgumentError, from_fault


class Meter:
    """One call, from before it is sent until it is recorded. Made by :meth:`Ledger.meter`.

    >>> from tokenbook import Ledger
    >>> with Ledger(":memory:") as book:
    ...     meter = book.meter("openai.chat", model="gpt-4o", agent="editor")
    ...     meter.push_event({"id": "c1", "choices": [{"delta": {"content": "Hello, world!"}}]})
    ...     meter.progress().output_tokens
    4
    """

    def __init__(self, native: _tokenbook.Meter) -> None:
        self._native = native

    def push(self, chunk: bytes) -> None:
        """Takes the next bytes of the stream, cut anywhere; what can't be read is passed over."""
        if not isinstance(chunk, (bytes, bytearray, memoryview)):
            raise InvalidArgumentError("chunk: expected bytes")
        try:
            self._native.push(bytes(chunk))
        except RuntimeError as fault:
            raise from_fault(str(fault)) from None

    def push_event(self, event: Any) -> None:
        """Takes the next event of the stream, decoded, such as an event object of a provider's SDK; one that can't be
        read is passed over."""
        text = _wire.dumps(event if isinstance(event, dict) else _wire.plain(event))
        try:
            self._native.push_event(text)
        except RuntimeError as fault:
            raise from_fault(str(fault)) from None

    def progress(self) -> types.MeterProgress:
        """What is known so far."""
        try:
            return decode(types.MeterProgress, json.loads(self._native.progress()))
        except RuntimeError as fault:
            raise from_fault(str(fault)) from None

    def reserve(self) -> types.Hold:
        """Puts the call's worst case aside in the budgets that it falls under.

        :raises BudgetExceededError: a budget refuses it: the request must not be sent.
        """
        try:
            return decode(types.Hold, json.loads(self._native.reserve()))
        except RuntimeError as fault:
            raise from_fault(str(fault)) from None

    def void(self) -> None:
        """Gives up a call that was not sent: nothing is recorded, and what was put aside for it is let go."""
        self._native.void()

    def _has_budget(self) -> bool:
        """Whether any budget is for the call, so that it needs ``reserve``; told without waiting."""
        try:
            return self._native.has_budget()
        except RuntimeError as fault:
            raise from_fault(str(fault)) from None

    def _finish_text(self, body: str | None, fields: Mapping[str, Any]) -> str:
        """As ``finish``, with the body and the answer as the text that they are."""
        try:
            return self._native.finish(_wire.dumps(fields), body)
        except RuntimeError as fault:
            raise from_fault(str(fault)) from None

    def finish(self, body: Body | None = None, *, refused: bool | None = None, **fields: Any) -> types.Metered:
        """Ends the call and records it, once.

        ``body`` is the whole response where it was no stream; ``refused`` says that the provider answered with an
        error, so that nothing is billed; ``fields`` are the fields of a call that are known only now. A stream without
        its final usage is recorded as partial.
        """
        args = {**fields, "body": None if body is None else _body(body), "refused": refused}
        try:
            return decode(types.Metered, json.loads(self._native.finish(_wire.dumps(args))))
        except RuntimeError as fault:
            raise from_fault(str(fault)) from None
