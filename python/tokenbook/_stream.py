"""Reading a streamed response."""

from __future__ import annotations

import json
from typing import Any

from . import _tokenbook, _wire, types
from ._decode import decode
from .errors import InvalidArgumentError, from_fault


class UsageStream:
    """Reads one streamed response as its bytes or events arrive.

    >>> stream = UsageStream("openai.chat")
    >>> stream.push(b'data: {"id": "c1", "choices": [], "usage": {"prompt_to')
    >>> stream.push(b'kens": 5, "completion_tokens": 1, "total_tokens": 6}}\\n\\ndata: [DONE]\\n\\n')
    >>> stream.finish().usage.total_input_tokens
    5
    """

    def __init__(self, api: str, *, max_tokens: int | None = None) -> None:
        """Starts reading a response of a wire format such as ``anthropic.messages``."""
        try:
            self._native = _tokenbook.UsageStream(_wire.dumps({"api": api, "max_tokens": max_tokens}))
        except RuntimeError as fault:
            raise from_fault(str(fault)) from None

    def push(self, chunk: bytes) -> None:
        """Takes the next bytes as they came from the network, cut anywhere."""
        if not isinstance(chunk, (bytes, bytearray, memoryview)):
            raise InvalidArgumentError("chunk: expected bytes")
        try:
            self._native.push(bytes(chunk))
        except RuntimeError as fault:
            raise from_fault(str(fault)) from None

    def push_event(self, event: Any) -> None:
        """Takes the next event, already decoded, such as an event object of a provider's SDK."""
        text = _wire.dumps(event if isinstance(event, dict) else _wire.plain(event))
        try:
            self._native.push_event(text)
        except RuntimeError as fault:
            raise from_fault(str(fault)) from None

    def so_far(self) -> types.Progress:
        """What the stream has told so far."""
        try:
            return decode(types.Progress, json.loads(self._native.so_far()))
        except RuntimeError as fault:
            raise from_fault(str(fault)) from None

    def finish(self) -> types.Extraction:
        """Ends the stream and tells what it used."""
        try:
            return decode(types.Extraction, json.loads(self._native.finish()))
        except RuntimeError as fault:
            raise from_fault(str(fault)) from None
