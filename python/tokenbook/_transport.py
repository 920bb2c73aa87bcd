"""Sees the bytes that a provider's SDK sends and gets: a layer around the transport of its HTTP client.

At this depth a call is what the provider sees of it: every retry is one, and so is every raw, streamed or parsed
response. The user's objects stay the SDK's own.
"""

from __future__ import annotations

import contextlib
import contextvars
import functools
import itertools
import re
import sys
import urllib.parse
import uuid
from collections.abc import AsyncIterator, Iterator
from typing import Any

from . import _context
from ._flight import Batches, Flight, Settings
from .errors import BudgetExceededError, TokenbookError

scope: contextvars.ContextVar[Scope | None] = contextvars.ContextVar("tokenbook_scope", default=None)
"""The method call of an instrumented client that this code runs in."""

ENDPOINTS = [
    (re.compile(pattern, re.IGNORECASE), api)
    for pattern, api in (
        (r"/messages$", "anthropic.messages"),
        (r":(stream)?rawPredict$", "vertex.rawPredict.anthropic"),
        (r"/model/[^/]*(anthropic|claude)[^/]*/invoke(-with-response-stream)?$", "bedrock.invoke.anthropic"),
        (r"/model/[^/]+/converse(-stream)?$", "bedrock.converse"),
        (r"/chat/completions$", "openai.chat"),
        (r"/responses$", "openai.responses"),
        (r"/completions$", "openai.completions"),
        (r"/embeddings$", "openai.embeddings"),
    )
]
"""Which requests are calls of a model, by the end of their address."""

MODEL = re.compile(r"/models?/([^/]+?)(?:/|:(?:stream)?rawPredict$)", re.IGNORECASE)
"""The model of Bedrock and Vertex stands in the address."""

HOSTS = (
    ("anthropic.com", "anthropic"),
    ("openai.com", "openai"),
    ("openai.azure.com", "azure"),
    ("services.ai.azure.com", "azure"),
    ("cognitiveservices.azure.com", "azure"),
    ("aiplatform.googleapis.com", "vertex"),
    ("amazonaws.com", "bedrock"),
    ("openrouter.ai", "openrouter"),
    ("groq.com", "groq"),
    ("deepseek.com", "deepseek"),
    ("mistral.ai", "mistral"),
    ("x.ai", "xai"),
    ("together.xyz", "together"),
    ("fireworks.ai", "fireworks"),
    ("perplexity.ai", "perplexity"),
    ("cerebras.ai", "cerebras"),
    ("deepinfra.com", "deepinfra"),
)


class Refused(BaseException):
    """A refused call on its way out of the SDK, past what would retry it or turn it into a connection error."""

    def __init__(self, error: BudgetExceededError) -> None:
        super().__init__(str(error))
        self.error = error


class Scope:
    """One method call of an instrumented client: an operation, whose HTTP requests are its attempts."""

    __slots__ = ("attempts", "carried", "operation_id", "settings")

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.operation_id = uuid.uuid4().hex
        self.attempts = itertools.count(1)
        self.carried: Flight | None = None
        """A call that was sent on to another address."""

    def depart(self, request: Any) -> Flight | Batches | None:
        """Opens the call of a request; ``None`` where it is none that costs tokens, or can't be opened.

        :raises Refused: a budget is used up.
        """
        if self.carried is not None:
            flight, self.carried = self.carried, None
            return flight
        try:
            return self._open(request)
        except Exception as error:
            self.settings.book._writer.failure(error)
            return None

    def _open(self, request: Any) -> Flight | Batches | None:
        path: str = request.url.path
        settings = self.settings
        frame = _context.frame()
        fields = _context.merged(settings.fields, frame.fields if frame is not None else {})
        fields.setdefault("provider", settings.provider or _provider(request.url.host))
        listeners = frame.listeners if frame is not None else ()
        if request.method == "GET" and path.endswith("/results") and "/messages/batches/" in path:
            return Batches(settings, fields, listeners)
        api = _api(path)
        if request.method != "POST" or api is None:
            return None
        model = MODEL.search(path)
        if model is not None:
            fields["model"] = urllib.parse.unquote(model[1])
        named = frame is not None and "operation_id" in frame.fields
        fields["attempt"] = next(frame.attempts if frame is not None and named else self.attempts)
        fields.setdefault("operation_id", self.operation_id)
        meter = settings.book.meter(api, request=request.content, **fields)
        return Flight(settings, meter, listeners)

    def close(self) -> None:
        """The method call is over."""
        if self.carried is not None:
            self.carried.stopped("redirect")
            self.carried = None


def _api(path: str) -> str | None:
    return next((api for ending, api in ENDPOINTS if ending.search(path)), None)


def _provider(host: str) -> str | None:
    # The hosts of a region of Vertex are `REGION-aiplatform.googleapis.com`.
    if host.endswith("-aiplatform.googleapis.com"):
        return "vertex"
    return next((name for ending, name in HOSTS if host == ending or host.endswith(f".{ending}")), None)


@contextlib.contextmanager
def _reserving(flight: Flight) -> Iterator[None]:
    """What becomes of a call while what it may cost is put aside.

    :raises Refused: a budget is used up.
    """
    try:
        yield
    except BudgetExceededError as error:
        flight.refused()
        raise Refused(error) from None
    except TokenbookError as error:
        # A ledger that fails holds nobody up: the call goes out.
        flight.book._writer.report(error.code, error)
    except BaseException:
        # Cancelled while it waited: it is not sent.
        flight.refused()
        raise


def _has_budget(flight: Flight) -> bool:
    try:
        return flight.meter._has_budget()
    except TokenbookError as error:
        flight.book._writer.report(error.code, error)
        return False


def _reserve(flight: Flight | Batches) -> None:
    """Puts aside what the call may cost, before it is sent.

    :raises Refused: a budget is used up.
    """
    if isinstance(flight, Flight) and _has_budget(flight):
        with _reserving(flight):
            flight.meter.reserve()


async def _reserve_async(flight: Flight | Batches) -> None:
    """The same without holding the event loop up, be it asyncio's or trio's."""
    if isinstance(flight, Flight) and _has_budget(flight):
        # The SDKs themselves bring it along.
        import anyio.to_thread

        with _reserving(flight):
            await anyio.to_thread.run_sync(flight.meter.reserve, abandon_on_cancel=True)


def _attach(flight: Flight | Batches, response: Any, current: Scope, wrap: Any) -> Any:
    """Lets the flight see the body of a response on its way to the SDK."""
    status: int = response.status_code
    if 300 <= status < 400 and "location" in response.headers and isinstance(flight, Flight):
        current.carried = flight
        return response
    try:
        flight.answered(status, response.headers.get("content-type", ""), response.headers.get("content-encoding", ""))
    except Exception as error:
        flight.book._writer.report("reading", error)
        flight.stopped()
        return response
    if response.is_stream_consumed:  # A response made in memory, as tests do.
        flight.push(response.content)
        flight.complete()
    else:
        response.stream = wrap(response.stream, flight)
    return response


class Transport:
    """Around a synchronous transport."""

    def __init__(self, inner: Any, wrap: Any) -> None:
        self._inner = inner
        self._wrap = wrap

    def handle_request(self, request: Any) -> Any:
        """Sends a request and lets it be seen if an instrumented client makes it."""
        current = scope.get()
        flight = current.depart(request) if current is not None else None
        if current is None or flight is None:
            return self._inner.handle_request(request)
        _reserve(flight)
        try:
            response = self._inner.handle_request(request)
        except BaseException as error:
            flight.failed(error)
            raise
        return _attach(flight, response, current, self._wrap)

    def close(self) -> None:
        """Closes the transport."""
        self._inner.close()

    def __enter__(self) -> Transport:
        self._inner.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._inner.__exit__(*error)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


class AsyncTransport:
    """Around an asynchronous transport."""

    def __init__(self, inner: Any, wrap: Any) -> None:
        self._inner = inner
        self._wrap = wrap

    async def handle_async_request(self, request: Any) -> Any:
        """Sends a request and lets it be seen if an instrumented client makes it."""
        current = scope.get()
        flight = current.depart(request) if current is not None else None
        if current is None or flight is None:
            return await self._inner.handle_async_request(request)
        await _reserve_async(flight)
        try:
            response = await self._inner.handle_async_request(request)
        except BaseException as error:
            flight.failed(error)
            raise
        return _attach(flight, response, current, self._wrap)

    async def aclose(self) -> None:
        """Closes the transport."""
        await self._inner.aclose()

    async def __aenter__(self) -> AsyncTransport:
        await self._inner.__aenter__()
        return self

    async def __aexit__(self, *error: Any) -> None:
        await self._inner.__aexit__(*error)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


@functools.cache
def _stream_class(base: type[Any]) -> type[Any]:
    """A body that is seen on its way; httpx wants it to be of its own class."""

    class Body(base):  # type: ignore[misc]
        def __init__(self, inner: Any, flight: Flight | Batches) -> None:
            self._inner = inner
            self._flight = flight

        def __iter__(self) -> Iterator[bytes]:
            flight = self._flight
            try:
                for chunk in self._inner:
                    flight.push(chunk)
                    yield chunk
            except GeneratorExit:
                flight.stopped()
                raise
            except BaseException as error:
                flight.failed(error)
                raise
            flight.complete()

        def close(self) -> None:
            try:
                self._inner.close()
            finally:
                self._flight.stopped()

        def __getattr__(self, name: str) -> Any:
            return getattr(self._inner, name)

        def __del__(self) -> None:
            if not sys.is_finalizing():
                self._flight.stopped()

    return Body


@functools.cache
def _async_stream_class(base: type[Any]) -> type[Any]:
    """The same for asynchronous bodies."""

    class AsyncBody(base):  # type: ignore[misc]
        def __init__(self, inner: Any, flight: Flight | Batches) -> None:
            self._inner = inner
            self._flight = flight

        async def __aiter__(self) -> AsyncIterator[bytes]:
            flight = self._flight
            try:
                async for chunk in self._inner:
                    flight.push(chunk)
                    yield chunk
            except GeneratorExit:
                flight.stopped()
                raise
            except BaseException as error:
                flight.failed(error)
                raise
            flight.complete()

        async def aclose(self) -> None:
            try:
                await self._inner.aclose()
            finally:
                self._flight.stopped()

        def __getattr__(self, name: str) -> Any:
            return getattr(self._inner, name)

        def __del__(self) -> None:
            if not sys.is_finalizing():
                self._flight.stopped()

    return AsyncBody


def install(http: Any) -> bool:
    """Puts the layer around the transports of an HTTP client, once; tells whether the client is asynchronous."""
    is_async = hasattr(http, "aclose")
    module = sys.modules[_flavour(type(http))]
    layer: Any
    if is_async:
        layer, wrap = AsyncTransport, _async_stream_class(module.AsyncByteStream)
    else:
        layer, wrap = Transport, _stream_class(module.SyncByteStream)
    if not isinstance(http._transport, layer):
        http._transport = layer(http._transport, wrap)
    for pattern, transport in http._mounts.items():
        if transport is not None and not isinstance(transport, layer):
            http._mounts[pattern] = layer(transport, wrap)
    return is_async


def _flavour(kind: type[Any]) -> str:
    """The package that an HTTP client comes from: ``httpx``, or a successor of the same shape."""
    for base in kind.__mro__:
        root = base.__module__.partition(".")[0]
        if base.__name__ in ("Client", "AsyncClient") and hasattr(sys.modules.get(root), "AsyncByteStream"):
            return root
    raise TypeError(f"no HTTP client of a known kind: {kind.__qualname__}")
