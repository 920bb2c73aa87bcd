"""Records every call that goes through LiteLLM.

``litellm.callbacks = [tokenbook.litellm.logger(book, agent="editor")]``
"""

from __future__ import annotations

import datetime
import importlib
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from . import _context
from ._flight import class_of_name
from ._wire import plain
from .errors import ConflictError, UnavailableError

if TYPE_CHECKING:
    from ._ledger import Ledger

__all__ = ["logger"]

FROM_METADATA = ("agent", "action", "session", "tags")
SENT = ("tools", "tool_choice", "max_tokens", "max_completion_tokens", "response_format", "stream")


def logger(
    book: Ledger,
    *,
    agent: str | None = None,
    action: str | None = None,
    session: str | None = None,
    tags: Iterable[str] | None = None,
    metadata: Mapping[str, str] | None = None,
) -> Any:
    """Makes a LiteLLM callback that records in ``book``.

    The fields hold for all calls. A call's own ``metadata`` may say ``agent``, ``action``, ``session`` and ``tags``;
    ``with_call`` is seen where LiteLLM logs in the caller's own context. What LiteLLM answers from its cache costs
    nothing and is not recorded; a response that an instrumented client has recorded is not recorded again.

    :raises UnavailableError: LiteLLM is not installed.
    """
    try:
        base: Any = importlib.import_module("litellm.integrations.custom_logger").CustomLogger
    except ModuleNotFoundError:
        raise UnavailableError("litellm is not installed: pip install litellm") from None
    given = {"agent": agent, "action": action, "session": session, "tags": list(tags) if tags else None}
    given["metadata"] = dict(metadata) if metadata else None  # type: ignore[assignment]
    fields = {name: value for name, value in given.items() if value is not None}

    class TokenbookLogger(base):  # type: ignore[misc]
        """Records what LiteLLM tells of each call."""

        # The names of the arguments are LiteLLM's: it passes them by name.
        def log_success_event(self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any) -> None:
            record(book, fields, kwargs, response_obj, start_time, end_time)

        def log_failure_event(self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any) -> None:
            record(book, fields, kwargs, None, start_time, end_time)

        async def async_log_success_event(self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any) -> None:
            record(book, fields, kwargs, response_obj, start_time, end_time)

        async def async_log_failure_event(self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any) -> None:
            record(book, fields, kwargs, None, start_time, end_time)

    return TokenbookLogger()


def record(book: Ledger, fields: Mapping[str, Any], told: Any, response: Any, start: Any, end: Any) -> None:
    """Queues the record of one call, as LiteLLM tells it; never fails."""
    try:
        if told.get("cache_hit"):
            return
        args = _args(fields, told, response, start, end)
        frame = _context.frame()
        listeners = frame.listeners if frame is not None else ()
    except Exception as error:
        book._writer.failure(error)
        return

    def write() -> None:
        try:
            done = book.record(**args) if response is None else book.record_response("openai.chat", **args)
        except ConflictError:
            return  # An instrumented client has recorded it, with more than LiteLLM tells.
        for listener in listeners:
            listener.append(done)

    book._writer.submit(write)


def _args(fields: Mapping[str, Any], told: Any, response: Any, start: Any, end: Any) -> dict[str, Any]:
    given = (told.get("litellm_params") or {}).get("metadata") or {}
    said = {name: given[name] for name in FROM_METADATA if given.get(name) is not None}
    frame = _context.frame()
    args = _context.merged(_context.merged(fields, frame.fields if frame is not None else {}), said)
    args["provider"] = told.get("custom_llm_provider")
    args["duration_ms"] = _milliseconds(start, end)
    args["operation_id"] = told.get("litellm_call_id")
    if response is None:
        error = told.get("exception")
        return {
            **args,
            "model": told["model"],
            "api": "openai.chat",
            "outcome": "error",
            "error_class": class_of_name([kind.__name__ for kind in type(error).__mro__]),
        }
    sent = told.get("optional_params") or {}
    body = dict(plain(response))
    usage = body.get("usage")
    if isinstance(usage, dict) and args["provider"] != "openrouter":
        # LiteLLM's own estimate as a float, where a host such as OpenRouter states what it charges.
        body["usage"] = {name: value for name, value in usage.items() if name != "cost"}
    request = {"model": told["model"], "messages": told.get("messages") or []}
    request |= {name: sent[name] for name in SENT if sent.get(name) is not None}
    first = told.get("completion_start_time")
    if sent.get("stream") and first is not None:
        args["time_to_first_token_ms"] = _milliseconds(start, first)
    return {**args, "body": body, "request": request}


def _milliseconds(start: Any, end: Any) -> int | None:
    if isinstance(start, datetime.datetime) and isinstance(end, datetime.datetime):
        return max(0, round((end - start).total_seconds() * 1000))
    return None
