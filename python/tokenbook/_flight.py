"""One call of an instrumented client, from before it is sent until its record: whatever its end, exactly one."""

from __future__ import annotations

import json
import threading
import time
import zlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from . import _wire, _writer, types
from ._decode import decode
from .errors import BudgetExceededError, ConflictError

if TYPE_CHECKING:
    from ._ledger import Ledger
    from ._meter import Meter

TICK_SECONDS = 0.05
"""Ticks of a stream come no closer together than this; the last one always comes."""

STATUS_CLASSES = {
    400: "invalid_request", 401: "authentication", 403: "permission", 404: "not_found", 408: "timeout",
    409: "conflict", 413: "request_too_large", 422: "invalid_request", 429: "rate_limit", 503: "unavailable",
    504: "timeout", 529: "overloaded",
}  # fmt: skip


NAMED_CLASSES = (
    ("Timeout", "timeout"), ("Cancelled", "aborted"), ("GeneratorExit", "aborted"),
    ("KeyboardInterrupt", "aborted"), ("BudgetExceeded", "budget_exceeded"), ("RateLimit", "rate_limit"),
    ("Authentication", "authentication"), ("PermissionDenied", "permission"), ("NotFound", "not_found"),
    ("BadRequest", "invalid_request"), ("ServiceUnavailable", "unavailable"), ("InternalServer", "server_error"),
    ("TransportError", "connection_error"), ("APIConnection", "connection_error"),
)  # fmt: skip


class Settings:
    """What an instrumented client was told."""

    __slots__ = ("book", "fields", "on_record", "on_usage", "provider")

    def __init__(
        self,
        book: Ledger,
        fields: dict[str, Any],
        provider: str | None,
        on_usage: Callable[[types.MeterProgress], object] | None,
        on_record: Callable[[types.Metered], object] | None,
    ) -> None:
        self.book = book
        self.fields = fields
        self.provider = provider
        self.on_usage = on_usage
        self.on_record = on_record

    def tell(self, done: str, listeners: tuple[list[Any], ...]) -> None:
        """Tells those who want to know of a record, as its text."""
        for listener in listeners:
            listener.append(done)
        if self.on_record is not None:
            self.on_record(decode(types.Metered, json.loads(done)))


class Flight:
    """A call that was sent, or is about to be."""

    __slots__ = (
        "_decode", "_ended", "_error_class", "_failed", "_listeners", "_lock", "_parts", "_settings", "_started",
        "_ticked", "book", "meter", "on_usage", "streams",
    )  # fmt: skip

    def __init__(self, settings: Settings, meter: Meter, listeners: tuple[list[Any], ...]) -> None:
        self._settings = settings
        self.book = settings.book
        self.meter = meter
        self.on_usage = settings.on_usage
        self.streams = False
        self._listeners = listeners
        self._started = time.monotonic()
        self._ticked = 0.0
        self._parts: list[bytes] = []
        self._decode: Callable[[bytes], bytes] | None = None
        self._failed = False
        self._error_class: str | None = None
        self._lock = threading.Lock()
        self._ended = False
        _writer.opened(self)

    def answered(self, status: int, content_type: str, encoding: str) -> None:
        """Takes the head of the response."""
        self.streams = "event-stream" in content_type or "eventstream" in content_type
        self._decode = decoder(encoding)
        if status >= 400:
            self._failed = True
            fallback = "server_error" if status >= 500 else "client_error"
            self._error_class = STATUS_CLASSES.get(status, fallback)

    def push(self, chunk: bytes) -> None:
        """Takes the next bytes of the body, as they came.

        :raises BudgetExceededError: the call has to stop here.
        """
        try:
            if self._decode is not None:
                chunk = self._decode(chunk)
            if not self.streams:
                self._parts.append(chunk)
                return
            self.meter.push(chunk)
        except BudgetExceededError:
            self._end("error", "budget_exceeded")
            raise
        except Exception as error:
            self.book._writer.report("reading", error)
        else:
            if self.on_usage is not None:
                self._tick()

    def complete(self) -> None:
        """The body came to its end."""
        if self._failed:
            self._end("error", self._error_class)
        else:
            self._end(None, None)

    def stopped(self, error_class: str | None = None) -> None:
        """The user's side ended it: broke off, closed, cancelled, or the process ends."""
        if self._failed:
            self._end("error", self._error_class)
        elif error_class is not None:
            self._end("error", error_class)
        else:
            self._end(None, None)

    def failed(self, error: BaseException) -> None:
        """It ended by an error."""
        self._end("error", error_class_of(error))

    def refused(self) -> None:
        """It was never sent: there is no call to record."""
        with self._lock:
            self._ended = True
        _writer.ended(self)
        # What may have been put aside for it is let go, beside the caller.
        self.book._writer.submit(self.meter.void)

    def _tick(self, last: bool = False) -> None:
        now = time.monotonic()
        if last or now - self._ticked >= TICK_SECONDS:
            self._ticked = now
            try:
                if self.on_usage is not None:
                    self.on_usage(self.meter.progress())
            except Exception as error:
                self.book._writer.report("on_usage", f"on_usage raised {error!r}")

    def _end(self, outcome: str | None, error_class: str | None) -> None:
        with self._lock:
            if self._ended:
                return
            self._ended = True
        fields: dict[str, Any] = {"duration_ms": round((time.monotonic() - self._started) * 1000)}
        if outcome is not None:
            fields |= {"outcome": outcome, "error_class": error_class}
        if self._failed:
            fields["refused"] = True
        if self.streams and self.on_usage is not None:
            self._tick(last=True)
        # What is no answer of this provider (a proxy's page, say) is still a call.
        body = b"".join(self._parts).decode("utf-8", "replace") if self._parts else None
        self._parts = []
        meter, listeners, settings, book = self.meter, self._listeners, self._settings, self.book
        if listeners or settings.on_record is not None:
            book._writer.submit(lambda: settings.tell(meter._finish_text(body, fields), listeners))
        else:
            book._writer.ended(lambda: book._native.end(meter._native, _wire.dumps(fields), body))
        _writer.ended(self)


def error_class_of(error: BaseException) -> str:
    """The class of an error that came instead of a response, or broke it off."""
    if isinstance(error, OSError) and not isinstance(error, TimeoutError):
        return "connection_error"
    return class_of_name([kind.__name__ for kind in type(error).__mro__])


def class_of_name(names: Sequence[str]) -> str:
    """The class of an error by the names of its types, the nearest first."""
    for part, name in NAMED_CLASSES:
        if any(part in candidate for candidate in names):
            return name
    return "client_error"


def decoder(encoding: str) -> Callable[[bytes], bytes] | None:
    """What turns the bytes of a content encoding into those of the body; ``None`` where they are the body's own."""
    encoding = encoding.strip().lower()
    if encoding in ("", "identity"):
        return None
    if encoding == "gzip":
        return zlib.decompressobj(zlib.MAX_WBITS | 16).decompress
    if encoding == "deflate":
        return zlib.decompressobj().decompress
    # What httpx itself decodes these with, if it asked for them at all.
    if encoding == "br":
        try:
            import brotli  # type: ignore[import-not-found, unused-ignore]
        except ImportError:
            import brotlicffi as brotli  # type: ignore[import-not-found, unused-ignore, no-redef]
        process = brotli.Decompressor()
        read: Callable[[bytes], bytes] = process.decompress if hasattr(process, "decompress") else process.process
        return read
    if encoding == "zstd":
        try:
            from compression import zstd  # type: ignore[import-not-found, unused-ignore]

            read = zstd.ZstdDecompressor().decompress
        except ImportError:
            import zstandard  # type: ignore[import-not-found, unused-ignore]

            read = zstandard.ZstdDecompressor().decompressobj().decompress
        return read
    raise ValueError(f"a response in the encoding {encoding!r} can't be read")


class Batches:
    """Reads the results of a batch as they come, line by line, and records each answer once."""

    __slots__ = ("_decode", "_fields", "_listeners", "_rest", "_settings", "book")

    LINES = 500

    def __init__(self, settings: Settings, fields: dict[str, Any], listeners: tuple[list[Any], ...]) -> None:
        self._settings = settings
        self.book = settings.book
        self._fields = fields
        self._listeners = listeners
        self._decode: Callable[[bytes], bytes] | None = None
        self._rest = b""

    def answered(self, status: int, content_type: str, encoding: str) -> None:
        """Takes the head of the response."""
        self._decode = decoder(encoding)

    def push(self, chunk: bytes) -> None:
        """Takes the next bytes of the results."""
        self._rest += self._decode(chunk) if self._decode is not None else chunk
        if self._rest.count(b"\n") >= self.LINES:
            whole, _, self._rest = self._rest.rpartition(b"\n")
            self._submit(whole)

    def complete(self) -> None:
        """The results came to their end, or were read no further."""
        whole, self._rest = self._rest, b""
        if whole:
            self._submit(whole)

    def _submit(self, lines: bytes) -> None:
        def record() -> None:
            for line in lines.splitlines():
                try:
                    result = json.loads(line).get("result") or {}
                except (ValueError, AttributeError):
                    continue  # The last line of results that were read no further.
                if result.get("type") == "succeeded":
                    body = result["message"]
                    try:
                        done = self.book.record_response("anthropic.messages", body, batch=True, **self._fields)
                    except ConflictError:
                        continue  # They were read before, in another block or by another agent.
                    call = self.book.get(done.id, provider=self._fields.get("provider"))
                    told = {"id": done.id, "status": done.status, "call": call}
                    self._settings.tell(_wire.dumps(told), self._listeners)

        self.book._writer.submit(record)

    def stopped(self, error_class: str | None = None) -> None:
        """See ``complete``."""
        self.complete()

    def failed(self, error: BaseException) -> None:
        """See ``complete``."""
        self.complete()
