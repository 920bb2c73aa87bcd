"""The errors that tokenbook raises: one base class, and one class for each thing a caller can do about it."""

from __future__ import annotations

import json

__all__ = [
    "BudgetExceededError",
    "ConflictError",
    "CorruptDataError",
    "InvalidArgumentError",
    "NotFoundError",
    "TokenbookError",
    "UnavailableError",
    "UnknownModelError",
]


class TokenbookError(Exception):
    """The base of all errors; raised itself only for a bug in tokenbook (code ``internal``).

    ``code`` and the keys of ``details`` are stable; messages may change.
    """

    code: str = "internal"

    def __init__(self, message: str, details: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.details: dict[str, str] = details or {}


class InvalidArgumentError(TokenbookError, ValueError):
    """Malformed input: fix the call."""

    code = "invalid_argument"


class UnknownModelError(TokenbookError, LookupError):
    """No price or encoding for the model: add an alias or a price."""

    code = "unknown_model"


class NotFoundError(TokenbookError, LookupError):
    """No such record, budget or alert: check the id."""

    code = "not_found"


class ConflictError(TokenbookError):
    """The same id with different content: nothing was written."""

    code = "conflict"


class BudgetExceededError(TokenbookError):
    """The enforcing call refused: do not send the request."""

    code = "budget_exceeded"


class UnavailableError(TokenbookError):
    """The store is busy or unreachable: try again later."""

    code = "unavailable"


class CorruptDataError(TokenbookError):
    """Stored data can't be read: restore it."""

    code = "corrupt_data"


_BY_CODE: dict[str, type[TokenbookError]] = {
    kind.code: kind
    for kind in (
        InvalidArgumentError,
        UnknownModelError,
        NotFoundError,
        ConflictError,
        BudgetExceededError,
        UnavailableError,
        CorruptDataError,
    )
}


def from_fault(fault: str) -> TokenbookError:
    """Makes the error of a fault that the native module raised as JSON text."""
    try:
        read = json.loads(fault)
        return _BY_CODE.get(read["code"], TokenbookError)(read["message"], read.get("details"))
    except (ValueError, KeyError, TypeError):
        return TokenbookError(fault)
