"""tokenbook keeps the book on LLM tokens: it counts them before a call, reads what was billed after it, prices it to
the last digit, writes it down durably and answers where the money went.

>>> import tokenbook
>>> tokenbook.count("Hello, world", model="gpt-4o")
3
>>> cost = tokenbook.cost(model="claude-3-5-haiku-20241022", usage={"input_tokens": 1200, "output_tokens": 800},
...                       at="2025-06-01T00:00:00Z")
>>> cost.total_usd
Decimal('0.00416')
"""

from __future__ import annotations

from importlib.machinery import PathFinder

from ._context import with_call
from ._count import count, count_batch, count_up_to, decode, encode, estimate
from ._instrument import instrument
from ._ledger import Ledger
from ._meter import Meter
from ._notebook import Summary, load_ipython_extension, summary, watch
from ._operations import (
    attribute,
    cost,
    cost_batch,
    count_request,
    extract,
    extract_stream,
    ops,
    prices_diff,
    prices_override,
    prices_replace,
    prices_search,
    prices_show,
    version,
    vocabularies,
)
from ._stream import UsageStream
from ._tables import Calls, Report
from .errors import (
    BudgetExceededError,
    ConflictError,
    CorruptDataError,
    InvalidArgumentError,
    NotFoundError,
    TokenbookError,
    UnavailableError,
    UnknownModelError,
)

__all__ = [
    "BudgetExceededError",
    "Calls",
    "ConflictError",
    "CorruptDataError",
    "InvalidArgumentError",
    "Ledger",
    "Meter",
    "NotFoundError",
    "Report",
    "Summary",
    "TokenbookError",
    "UnavailableError",
    "UnknownModelError",
    "UsageStream",
    "attribute",
    "cost",
    "cost_batch",
    "count",
    "count_batch",
    "count_request",
    "count_up_to",
    "decode",
    "encode",
    "estimate",
    "extract",
    "extract_stream",
    "instrument",
    "load_ipython_extension",
    "ops",
    "prices_diff",
    "prices_override",
    "prices_replace",
    "prices_search",
    "prices_show",
    "summary",
    "version",
    "vocabularies",
    "watch",
    "with_call",
]

__version__: str = version().version

# Found once: a folder costs nothing until a count needs a file of it.
_found = PathFinder.find_spec("tokenbook_vocabularies")
if _found is not None and _found.submodule_search_locations:
    vocabularies(f"{next(iter(_found.submodule_search_locations))}/data")
