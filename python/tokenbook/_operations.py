"""Operations that need no ledger: each is one operation of the core with Python's types around it."""

from __future__ import annotations

import base64
import datetime
import decimal
import json
import os
from collections.abc import Mapping, Sequence
from typing import Any

from . import _wire, types
from ._decode import decode
from .errors import InvalidArgumentError

Body = str | bytes | Mapping[str, Any] | Any
"""A request or response: JSON text, the decoded object, or a response object of a provider's SDK."""

Instant = datetime.datetime | str


def _body(body: Body) -> Any:
    if isinstance(body, bytes):
        try:
            return body.decode()
        except UnicodeDecodeError as error:
            raise InvalidArgumentError(f"body: not valid UTF-8 at byte {error.start}") from None
    return body


def extract(
    api: str, body: Body = None, *, events: Sequence[Any] | None = None, max_tokens: int | None = None
) -> types.Extraction:
    """Reads what a response body, or the decoded events of a stream, say was used.

    ``api`` names the wire format, such as ``anthropic.messages`` or ``openai.chat``. With the ``max_tokens`` that was
    sent, the answer tells the utilization too.

    :raises InvalidArgumentError: the body is not of that format, or its numbers contradict each other.
    """
    args = {"api": api, "body": _body(body), "events": events, "max_tokens": max_tokens}
    return decode(types.Extraction, _wire.call("extract", args))


def extract_stream(api: str, data: bytes, *, max_tokens: int | None = None) -> types.Extraction:
    """Reads what the raw bytes of a whole stream say was used; :class:`UsageStream` takes them as they arrive.

    :raises InvalidArgumentError: the bytes are not of that format, or the numbers contradict each other.
    """
    args = {"api": api, "base64": base64.b64encode(data).decode(), "max_tokens": max_tokens}
    return decode(types.Extraction, _wire.call("extract_stream", args))


def cost(
    *,
    model: str,
    usage: types.Usage | Mapping[str, Any],
    provider: str | None = None,
    at: Instant | None = None,
    service_tier: str | None = None,
    batch: bool | None = None,
    region: str | None = None,
    stated_cost_usd: decimal.Decimal | str | None = None,
) -> types.Cost:
    """Prices a usage exactly, at the prices of an instant (now without one).

    What the provider states it charged, as OpenRouter does, goes before any computed cost.

    An unknown model, and a kind of tokens without a price, give the status ``unpriced`` with the reason, never 0.

    :raises InvalidArgumentError: a count is no whole number, or the service tier or region is unknown for the model.
    """
    args = {
        "model": model,
        "provider": provider,
        "usage": usage,
        "at": at,
        "service_tier": service_tier,
        "batch": batch,
        "region": region,
        "stated_cost_usd": stated_cost_usd,
    }
    return decode(types.Cost, _wire.call("cost", args))


def cost_batch(
    *,
    models: Sequence[str],
    model: Sequence[int] | None = None,
    at: Instant | None = None,
    at_ms: Sequence[int] | None = None,
    provider: str | None = None,
    **columns: Any,
) -> types.BatchCost:
    """Prices many calls at once, given as columns.

    ``models`` are the distinct names, ``model`` the index of each call's name (all 0 without it), and every other
    column is a kind of tokens: ``input_tokens=[…], output_tokens=[…]``. ``at`` is the instant of all calls, ``at_ms``
    that of each in milliseconds since 1970. Lists, NumPy arrays and data frame columns are taken.
    """
    args = {"models": list(models), "provider": provider, "at": at}
    return decode(types.BatchCost, _wire.cost_batch(args, {"model": model, "at_ms": at_ms}, columns))


def count_request(api: str, body: Body, *, model: str | None = None) -> types.RequestCount:
    """Counts a request before it is made: in all, and part by part.

    :raises InvalidArgumentError: the body is not a request of that wire format.
    """
    args = {"api": api, "body": _body(body), "model": model}
    return decode(types.RequestCount, _wire.count_request(args))


def attribute(
    request: types.RequestCount | Mapping[str, Any], usage: types.Usage | Mapping[str, Any]
) -> types.Attribution:
    """Splits the billed input tokens over the parts of a counted request, so that they sum exactly to it."""
    return decode(types.Attribution, _wire.call("attribute", {"request": request, "usage": usage}))


def prices_search(query: str, *, limit: int | None = None) -> types.PricesFound:
    """Finds models of the price catalog by a part of their name."""
    return decode(types.PricesFound, _wire.call("prices_search", {"query": query, "limit": limit}))


def prices_show(model: str, *, provider: str | None = None) -> types.PricesShown:
    """Shows every price that a model ever had.

    :raises UnknownModelError: the catalog has no such model.
    """
    return decode(types.PricesShown, _wire.call("prices_show", {"model": model, "provider": provider}))


def prices_override(prices: str | Mapping[str, Any] | None) -> types.PricesInUse:
    """Lays prices of your own over the catalog, for this process; ``None`` takes them away again.

    ``prices`` is JSON or TOML text, or an object of the catalog's own form (``prices_show`` prints examples).

    :raises InvalidArgumentError: the prices are malformed; the ones in use stay.
    """
    text = prices if prices is None or isinstance(prices, str) else json.dumps(prices, default=_wire.plain)
    return decode(types.PricesInUse, _wire.call("prices_override", {"prices": text}))


def prices_replace(catalog: str | None) -> types.PricesInUse:
    """Replaces the whole catalog by a newer file's text, for this process; ``None`` goes back to the built-in one.

    :raises InvalidArgumentError: the catalog is malformed; the one in use stays.
    """
    return decode(types.PricesInUse, _wire.call("prices_replace", {"catalog": catalog}))


def prices_diff(catalog: str) -> types.PricesChanged:
    """Tells how another catalog file's text differs from the one in use."""
    return decode(types.PricesChanged, _wire.call("prices_diff", {"catalog": catalog}))


def vocabularies(folder: str | os.PathLike[str] | None = None) -> types.Vocabularies:
    """Tells which encodings can be counted in, and takes a folder with more vocabularies.

    Those of the package ``tokenbook-vocabularies`` are found by themselves where it is installed.

    :raises InvalidArgumentError: there is no such folder.
    """
    args = {"folder": folder if folder is None else os.fspath(folder)}
    return decode(types.Vocabularies, _wire.call("vocabularies", args))


def version() -> types.Version:
    """Names the versions of the library and of its price catalog."""
    return decode(types.Version, _wire.call("version", {}))


def ops() -> types.Listed:
    """Lists every operation, and says which need an open ledger."""
    return decode(types.Listed, _wire.call("ops", {}))
