"""Who makes a call and what for: fields that hold for every call made inside a block, in threads and tasks alike."""

from __future__ import annotations

import contextvars
import itertools
import json
from collections.abc import Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any

from . import types
from ._decode import decode

_frame: contextvars.ContextVar[Frame | None] = contextvars.ContextVar("tokenbook_call", default=None)


class Frame:
    """The fields that hold inside one block, those of the blocks around it included."""

    __slots__ = ("attempts", "fields", "listeners")

    def __init__(
        self, fields: dict[str, Any], attempts: itertools.count[int], listeners: tuple[list[Any], ...]
    ) -> None:
        self.fields = fields
        self.attempts = attempts
        """Numbers the calls of one operation, where the block names it."""
        self.listeners = listeners
        """Lists that get what was recorded inside."""


def frame() -> Frame | None:
    """The innermost block around this line of code."""
    return _frame.get()


def merged(outer: Mapping[str, Any], inner: Mapping[str, Any]) -> dict[str, Any]:
    """Fields with others laid over them; labels and metadata are joined."""
    fields = {**outer, **{name: value for name, value in inner.items() if value is not None}}
    if outer.get("tags") and inner.get("tags"):
        fields["tags"] = sorted({*outer["tags"], *inner["tags"]})
    if outer.get("metadata") and inner.get("metadata"):
        fields["metadata"] = {**outer["metadata"], **inner["metadata"]}
    return fields


class with_call:
    """Says who makes the calls inside a ``with`` or ``async with`` block, and what for.

    >>> with with_call(agent="editor", action="summarise", session="run-7", tags=["nightly"]):
    ...     pass  # every call of an instrumented client is recorded with these

    Inner blocks add to outer ones. An ``operation_id`` links the calls of one operation, such as a fallback to another
    model: they are numbered as its attempts.
    """

    __slots__ = ("_before", "_fields", "_told")

    def __init__(
        self,
        *,
        agent: str | None = None,
        action: str | None = None,
        session: str | None = None,
        tags: Iterable[str] | None = None,
        metadata: Mapping[str, str] | None = None,
        operation_id: str | None = None,
        **fields: Any,
    ) -> None:
        """Takes the fields; every further field of a call may be given too."""
        given = {"agent": agent, "action": action, "session": session, "operation_id": operation_id, **fields}
        given["tags"] = list(tags) if tags is not None else None
        given["metadata"] = dict(metadata) if metadata is not None else None
        self._fields = {name: value for name, value in given.items() if value is not None}
        self._before: list[Frame | None] = []
        self._told: list[Any] = []

    @property
    def recorded(self) -> Sequence[types.Metered]:
        """What was recorded inside, once it is in the ledger."""
        told = self._told
        # Read when somebody asks: most blocks are only there to say who calls.
        for at, one in enumerate(told):
            if isinstance(one, str):
                told[at] = decode(types.Metered, json.loads(one))
        return told

    def __enter__(self) -> with_call:
        before = _frame.get()
        attempts = before.attempts if before is not None and "operation_id" not in self._fields else itertools.count(1)
        outer = before.fields if before is not None else {}
        listeners = (*(before.listeners if before is not None else ()), self._told)
        self._before.append(before)
        _frame.set(Frame(merged(outer, self._fields), attempts, listeners))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Set and not reset by its token: a generator may be closed in another context than the one it was started in.
        _frame.set(self._before.pop())

    async def __aenter__(self) -> with_call:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, trace)
