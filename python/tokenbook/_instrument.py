"""One line that makes a provider's client record its calls."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from . import _context, _transport, types
from ._flight import Settings
from .errors import InvalidArgumentError

if TYPE_CHECKING:
    from ._ledger import Ledger

Client = TypeVar("Client")

MARK = "_tokenbook"
DEFAULT_PROVIDERS = {"anthropic": "anthropic", "openai": "openai"}


def instrument(
    client: Client,
    *,
    book: Ledger,
    agent: str | None = None,
    action: str | None = None,
    session: str | None = None,
    tags: Iterable[str] | None = None,
    metadata: Mapping[str, str] | None = None,
    provider: str | None = None,
    on_usage: Callable[[types.MeterProgress], object] | None = None,
    on_record: Callable[[types.Metered], object] | None = None,
) -> Client:
    """Gives a client like ``client`` whose calls are recorded in ``book``; ``client`` itself stays as it is.

    It takes the clients of ``anthropic`` and ``openai``, synchronous or not, and every form of their calls: parsed,
    raw, streamed, the results of batches. Calls answer and fail as before. The records are written beside
    them: a ledger that fails is logged once and counted (``Ledger.unrecorded``).

    The fields hold for all calls of the client; ``with_call`` says more for a block. ``on_usage`` is told of the
    tokens and the cost of a stream as it comes, ``on_record`` of each record, in a thread of its own. A used-up
    budget of the ledger raises ``BudgetExceededError`` before a request is sent, or in the midst of a stream.
    """
    http = getattr(client, "_client", None)
    if http is None or not callable(getattr(client, "request", None)) or not callable(getattr(client, "copy", None)):
        kind = type(client).__qualname__
        raise InvalidArgumentError(f"client: expected a client of anthropic or openai, got {kind}; see record_response")
    given: dict[str, Any] = {"agent": agent, "action": action, "session": session}
    given |= {"tags": list(tags) if tags is not None else None, "metadata": dict(metadata) if metadata else None}
    fields = {name: value for name, value in given.items() if value is not None}
    before: Settings | None = vars(client).get(MARK)
    if before is not None:
        fields = _context.merged(before.fields, fields)
        provider, on_usage = provider or before.provider, on_usage or before.on_usage
        on_record = on_record or before.on_record
    provider = provider or _host_or_default(client)
    copied: Client = type(client).copy(client)  # type: ignore[attr-defined]
    _bind(copied, Settings(book, fields, provider, on_usage, on_record))
    return copied


def _host_or_default(client: Any) -> str | None:
    known = _transport._provider(str(getattr(client.base_url, "host", "")))
    if known is not None:
        return None
    roots = (base.__module__.partition(".")[0] for base in type(client).__mro__)
    return next((DEFAULT_PROVIDERS[root] for root in roots if root in DEFAULT_PROVIDERS), None)


def _bind(client: Any, settings: Settings) -> None:
    """Makes a client's requests run in a scope. Every method of an SDK's client comes down to ``request``."""
    is_async = _transport.install(client._client)
    request = type(client).request.__get__(client)
    copy = type(client).copy.__get__(client)

    @functools.wraps(request)
    def run(*args: Any, **kwargs: Any) -> Any:
        current = _transport.Scope(settings)
        token = _transport.scope.set(current)
        try:
            return request(*args, **kwargs)
        except _transport.Refused as refused:
            raise refused.error from None
        finally:
            _transport.scope.reset(token)
            current.close()

    @functools.wraps(request)
    async def run_async(*args: Any, **kwargs: Any) -> Any:
        current = _transport.Scope(settings)
        token = _transport.scope.set(current)
        try:
            return await request(*args, **kwargs)
        except _transport.Refused as refused:
            raise refused.error from None
        finally:
            _transport.scope.reset(token)
            current.close()

    @functools.wraps(copy)
    def copy_too(*args: Any, **kwargs: Any) -> Any:
        copied = copy(*args, **kwargs)
        _bind(copied, settings)
        return copied

    client.request = run_async if is_async else run
    client.copy = client.with_options = copy_too
    setattr(client, MARK, settings)
