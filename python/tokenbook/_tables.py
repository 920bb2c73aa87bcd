"""Calls and reports as tables: for Arrow, pandas, Polars, notebooks and pictures.

Money stays a decimal with twelve places, an instant keeps its time zone, and what is unknown is null. The table
libraries are optional and imported where they are asked for.
"""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import importlib
import json
import types as python_types
import typing
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from . import _html, types
from ._decode import decode
from .errors import UnavailableError

if TYPE_CHECKING:
    import pandas
    import polars
    import pyarrow

PAGE = 1000
GROUPS = frozenset(typing.get_args(types.Group))
TIME_GROUPS = frozenset({"hour", "day", "week", "month"})
SHOWN = ("calls", "failed", "total_input_tokens", "total_output_tokens", "cost_usd", "unpriced_calls", "truncated")
MONEY_DIGITS, MONEY_PLACES = 38, 12


@dataclasses.dataclass(frozen=True)
class Column:
    """One column of a table: its name, its kind, and how to read it from an answer's JSON."""

    name: str
    kind: str
    read: Callable[[dict[str, Any]], Any]


class Calls:
    """The recorded calls of a range, newest first; read as they are asked for, page by page."""

    def __init__(self, pages: Callable[[], Iterator[list[dict[str, Any]]]]) -> None:
        self._pages = pages

    def __iter__(self) -> Iterator[types.Call]:
        for page in self._pages():
            yield from (decode(types.Call, call) for call in page)

    def to_arrow(self) -> pyarrow.Table:
        """All of them as an Arrow table."""
        return _arrow(call_columns(), self._pages())

    def to_polars(self) -> polars.DataFrame:
        """All of them as a Polars frame."""
        frame: polars.DataFrame = _polars(call_columns(), self._pages())
        return frame

    def to_pandas(self) -> pandas.DataFrame:
        """All of them as a pandas frame; counts are nullable integers, money is ``Decimal``."""
        return _pandas(call_columns(), self._pages())

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """The Arrow PyCapsule interface: what takes Arrow data takes these calls, batch by batch, without a copy."""
        pyarrow = _need("pyarrow", "arrow")
        columns = call_columns()
        schema = _arrow_schema(pyarrow, columns)
        batches = (_arrow_batch(pyarrow, schema, columns, page) for page in self._pages())
        reader = pyarrow.RecordBatchReader.from_batches(schema, batches)
        capsule: object = reader.__arrow_c_stream__(requested_schema)
        return capsule

    def _repr_html_(self) -> str:
        first = next(self._pages(), [])
        names = ("at", "agent", "action", "model", "outcome", "input_tokens", "output_tokens", "cost_usd")
        shown = [decode(types.Call, call) for call in first[:20]]
        rows = [
            (
                call.at, call.agent, call.action, call.model, call.outcome,
                call.usage and call.usage.total_input_tokens, call.usage and call.usage.total_output_tokens,
                call.cost.total_usd,
            )
            for call in shown
        ]  # fmt: skip
        more = _html.note("and more") if len(first) > len(shown) else ""
        return _html.box(_html.table(names, rows, caption="Calls"), more)


class Report(types.Report):
    """A report that shows itself in a notebook and turns into tables and pictures."""

    def to_arrow(self) -> pyarrow.Table:
        """The rows as an Arrow table."""
        return _arrow(_report_columns(self), iter([self._plain()]))

    def to_polars(self) -> polars.DataFrame:
        """The rows as a Polars frame."""
        frame: polars.DataFrame = _polars(_report_columns(self), iter([self._plain()]))
        return frame

    def to_pandas(self) -> pandas.DataFrame:
        """The rows as a pandas frame."""
        return _pandas(_report_columns(self), iter([self._plain()]))

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """The Arrow PyCapsule interface of the rows."""
        capsule: object = self.to_arrow().__arrow_c_stream__(requested_schema)
        return capsule

    def plot(self, measure: str = "cost_usd", *, ax: Any = None) -> Any:
        """Draws a measure of the rows and gives the axes: over time where it is grouped by time, else as bars.

        Each value of a further group becomes a series. Needs ``tokenbook[plot]``.
        """
        return _plot(self, measure, ax)

    def _plain(self) -> list[dict[str, Any]]:
        return [{field.name: getattr(row, field.name) for field in dataclasses.fields(row)} for row in self.rows]

    def _repr_html_(self) -> str:
        columns = [*self.group_by, *SHOWN]
        rows = [[getattr(row, name) for name in columns] for row in self.rows]
        total = [None] * len(self.group_by) + [getattr(self.total, name) for name in SHOWN]
        if self.group_by:
            total[0] = "all"
        parts = [_html.table(columns, rows, caption=_title(self), total=total)]
        if self.overlapping:
            parts.append(_html.note("A call may count in several rows: they add up to more than all."))
        if self.rows_left_out:
            parts.append(_html.note(f"{self.rows_left_out:,} rows are left out."))
        return _html.box(*parts)


def _title(report: types.Report) -> str:
    since = f" from {_html.text(report.from_)}" if report.from_ else ""
    until = f" to {_html.text(report.to)}" if report.to else ""
    by = f" by {', '.join(report.group_by)}" if report.group_by else ""
    return f"Report{by}{since}{until} ({report.time_zone})"


def call_columns() -> list[Column]:
    """The columns of a call, from its type: usage and cost are laid flat."""
    columns: list[Column] = []
    hints = typing.get_type_hints(types.Call, vars(types))
    for name in [field.name for field in dataclasses.fields(types.Call)]:
        if name == "usage":
            usage = typing.get_type_hints(types.Usage, vars(types))
            columns += [
                Column(item, _kind(hint), _inside("usage", item)) for item, hint in usage.items() if item != "raw"
            ]
        elif name == "cost":
            columns += [
                Column("cost_usd", "money", _inside("cost", "total_usd")),
                Column("cost_status", "text", _inside("cost", "status")),
                Column("unpriced_reason", "text", _inside("cost", "reason")),
            ]
        else:
            columns.append(Column(name.removesuffix("_"), _kind(hints[name]), _field(name.removesuffix("_"))))
    return columns


def _report_columns(report: types.Report) -> list[Column]:
    hints = typing.get_type_hints(types.Row, vars(types))
    names = [field.name for field in dataclasses.fields(types.Row)]
    measures = [name for name in names if name not in GROUPS and name != "raw"]
    return [Column(name, _kind(hints[name]), _field(name)) for name in [*report.group_by, *measures]]


def _field(name: str) -> Callable[[dict[str, Any]], Any]:
    return lambda record: record.get(name)


def _inside(outer: str, name: str) -> Callable[[dict[str, Any]], Any]:
    return lambda record: (record.get(outer) or {}).get(name)


def _kind(hint: Any) -> str:
    if typing.get_origin(hint) in (python_types.UnionType, typing.Union):
        (hint,) = (item for item in typing.get_args(hint) if item is not python_types.NoneType)
    simple = {
        int: "count", float: "ratio", bool: "flag", str: "text",
        decimal.Decimal: "money", datetime.datetime: "instant", datetime.date: "day",
    }  # fmt: skip
    if hint in simple:
        return simple[hint]
    if typing.get_origin(hint) is typing.Literal:
        return "text"
    if hint == list[str]:
        return "texts"
    return "json"


def _value(kind: str, value: Any) -> Any:
    """A value of an answer's JSON, or one that is decoded already, as the table libraries take it."""
    if value is None:
        return None
    if kind == "money":
        return value if isinstance(value, decimal.Decimal) else decimal.Decimal(value)
    if kind == "instant" and isinstance(value, str):
        return datetime.datetime.fromisoformat(value.replace("Z", "+00:00"))
    if kind == "day" and isinstance(value, str):
        return datetime.date.fromisoformat(value)
    if kind == "json":
        return json.dumps(value, ensure_ascii=False)
    return value


def _values(column: Column, records: Sequence[dict[str, Any]]) -> list[Any]:
    return [_value(column.kind, column.read(record)) for record in records]


def _need(module: str, extra: str) -> Any:
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as fault:
        if fault.name != module:
            raise
        raise UnavailableError(f"{module} is not installed: pip install 'tokenbook[{extra}]'") from None


def _arrow_schema(pyarrow: Any, columns: Sequence[Column]) -> Any:
    kinds = {
        "count": pyarrow.int64(),
        "ratio": pyarrow.float64(),
        "flag": pyarrow.bool_(),
        "text": pyarrow.string(),
        "money": pyarrow.decimal128(MONEY_DIGITS, MONEY_PLACES),
        "instant": pyarrow.timestamp("ms", tz="UTC"),
        "day": pyarrow.date32(),
        "texts": pyarrow.list_(pyarrow.string()),
        "json": pyarrow.string(),
    }
    return pyarrow.schema([(column.name, kinds[column.kind]) for column in columns])


def _arrow_batch(pyarrow: Any, schema: Any, columns: Sequence[Column], records: Sequence[dict[str, Any]]) -> Any:
    arrays = [
        pyarrow.array(_values(column, records), type=field.type) for column, field in zip(columns, schema, strict=True)
    ]
    return pyarrow.record_batch(arrays, schema=schema)


def _arrow(columns: Sequence[Column], pages: Iterator[list[dict[str, Any]]]) -> Any:
    pyarrow = _need("pyarrow", "arrow")
    schema = _arrow_schema(pyarrow, columns)
    return pyarrow.Table.from_batches([_arrow_batch(pyarrow, schema, columns, page) for page in pages], schema=schema)


def _collect(columns: Sequence[Column], pages: Iterator[list[dict[str, Any]]]) -> dict[str, list[Any]]:
    data: dict[str, list[Any]] = {column.name: [] for column in columns}
    for page in pages:
        for column in columns:
            data[column.name] += _values(column, page)
    return data


def _polars(columns: Sequence[Column], pages: Iterator[list[dict[str, Any]]]) -> Any:
    polars = _need("polars", "polars")
    kinds = {
        "count": polars.Int64,
        "ratio": polars.Float64,
        "flag": polars.Boolean,
        "text": polars.String,
        "money": polars.Decimal(MONEY_DIGITS, MONEY_PLACES),
        "instant": polars.Datetime("ms", "UTC"),
        "day": polars.Date,
        "texts": polars.List(polars.String),
        "json": polars.String,
    }
    schema = {column.name: kinds[column.kind] for column in columns}
    return polars.DataFrame(_collect(columns, pages), schema=schema)


def _pandas(columns: Sequence[Column], pages: Iterator[list[dict[str, Any]]]) -> Any:
    pandas = _need("pandas", "pandas")
    kinds = {
        "count": "Int64",
        "ratio": "Float64",
        "flag": "boolean",
        "text": "string",
        "money": "object",
        "instant": "datetime64[ms, UTC]",
        "day": "object",
        "texts": "object",
        "json": "string",
    }
    data = _collect(columns, pages)
    return pandas.DataFrame(
        {column.name: pandas.Series(data[column.name], dtype=kinds[column.kind]) for column in columns}
    )


def _plot(report: types.Report, measure: str, ax: Any) -> Any:
    pyplot = _need("matplotlib.pyplot", "plot")
    if ax is None:
        ax = pyplot.figure(figsize=(8, 4), layout="constrained").add_subplot()
    # A time comes first wherever it stands: it is what goes along the bottom.
    groups = sorted(report.group_by, key=lambda group: group not in TIME_GROUPS)
    first = groups[0] if groups else None
    label = measure.replace("_", " ")
    if first is None:
        ax.bar(["all"], [_height(getattr(report.total, measure))])
    else:
        rest = groups[1:]
        series: dict[str, dict[Any, float]] = {}
        places: dict[Any, None] = {}
        for row in report.rows:
            place = getattr(row, first)
            place = ("(none)" if place is None else place) if first not in TIME_GROUPS else place
            name = ", ".join("(none)" if getattr(row, group) is None else str(getattr(row, group)) for group in rest)
            places[place] = None
            # Rows of one place and series can't meet twice: a report has one row for each group.
            series.setdefault(name, {})[place] = _height(getattr(row, measure))
        if first in TIME_GROUPS:
            _over_time(ax, sorted(places), series)
        else:
            _bars(ax, list(places), series)
        if rest:
            ax.legend(title=", ".join(rest))
    ax.set_ylabel(label) if first is None or first in TIME_GROUPS else ax.set_xlabel(label)
    ax.set_title(_title(report))
    return ax


def _height(value: Any) -> float:
    # A picture has pixels, not cents.
    return float(value) if value is not None else 0.0


def _over_time(ax: Any, places: Sequence[Any], series: dict[str, dict[Any, float]]) -> None:
    for name, points in series.items():
        ax.plot(places, [points.get(place, 0.0) for place in places], marker="o", markersize=3, label=name or None)
    ax.figure.autofmt_xdate()


def _bars(ax: Any, places: Sequence[Any], series: dict[str, dict[Any, float]]) -> None:
    left = [0.0] * len(places)
    names = [str(place) for place in places]
    for name, points in series.items():
        widths = [points.get(place, 0.0) for place in places]
        ax.barh(names, widths, left=left, label=name or None)
        left = [before + width for before, width in zip(left, widths, strict=True)]
    ax.invert_yaxis()
