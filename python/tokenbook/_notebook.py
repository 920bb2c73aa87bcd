"""Tokens and cost while one works in a notebook: of each call, or of each cell."""

from __future__ import annotations

import decimal
import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from . import _context, _html, _writer, types
from ._instrument import instrument

if TYPE_CHECKING:
    from ._ledger import Ledger

Client = TypeVar("Client")

FLUSH_SECONDS = 10.0


class Summary:
    """What some calls took: shown as a line of text, or as a table in a notebook."""

    def __init__(self, calls: Sequence[types.Call]) -> None:
        self.calls = len(calls)
        self.failed = sum(call.outcome == "error" for call in calls)
        usages = [call.usage for call in calls if call.usage is not None]
        self.input_tokens = sum(usage.total_input_tokens or 0 for usage in usages)
        self.output_tokens = sum(usage.total_output_tokens or 0 for usage in usages)
        costs = [call.cost.total_usd for call in calls if call.cost.total_usd is not None]
        self.cost_usd = sum(costs, decimal.Decimal(0))
        self.unpriced = sum(call.cost.total_usd is None and call.usage is not None for call in calls)
        """Calls that used tokens and have no price; they are not in ``cost_usd``."""

    def __str__(self) -> str:
        said = f"{self.calls:,} call{'' if self.calls == 1 else 's'}: {self.input_tokens:,} tokens in, "
        said += f"{self.output_tokens:,} out, ${format(self.cost_usd, ',f')}"
        said += f", {self.unpriced:,} without a price" if self.unpriced else ""
        return said + (f", {self.failed:,} failed" if self.failed else "")

    def __repr__(self) -> str:
        return f"<{self}>"

    def _repr_html_(self) -> str:
        return _html.box(_html.note(str(self)))


def summary(inside: _context.with_call) -> Summary:
    """What the calls made inside a ``with_call`` block took, once they are recorded."""
    _writer.flush(FLUSH_SECONDS)
    return Summary([done.call for done in inside.recorded])


def watch(client: Client, *, book: Ledger | None = None, **fields: Any) -> Client:
    """Gives a client that prints the tokens and the cost of each call, for notebooks and trials.

    The calls are recorded in ``book``, or in a ledger in memory.
    """
    if book is None:
        from ._ledger import Ledger

        book = Ledger(":memory:")
    return instrument(client, book=book, on_record=lambda done: print(Summary([done.call])), **fields)


def load_ipython_extension(shell: Any) -> None:
    """Adds the cell magic ``%%tokenbook``: ``%load_ext tokenbook``."""
    shell.register_magic_function(_magic(shell), "cell", "tokenbook")


def _magic(shell: Any) -> Any:
    def tokenbook(line: str, cell: str) -> Summary | None:
        """Shows what the calls of this cell took: ``%%tokenbook agent=editor action=draft tags=a,b``."""
        given: dict[str, Any] = {}
        for field in shlex.split(line):
            name, equals, value = field.partition("=")
            if not equals:
                print(f"%%tokenbook: expected name=value, got {field!r}")
                return None
            given[name] = value.split(",") if name == "tags" else value
        with _context.with_call(**given) as inside:
            done = shell.run_cell(cell)
        shown = summary(inside)
        # The cell has shown its own error already.
        if done is not None and not done.success:
            print(shown)
            return None
        return shown

    return tokenbook
