"""Tables in HTML for notebooks. Every value is escaped; nothing is fetched and no script runs."""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import html
from collections.abc import Iterable, Sequence
from typing import Any

_STYLE = (
    "<style>.tokenbook table{border-collapse:collapse;font-variant-numeric:tabular-nums}"
    ".tokenbook caption{text-align:left;font-weight:600;padding:.3em 0}"
    ".tokenbook th,.tokenbook td{padding:.2em .7em;text-align:left;border-bottom:1px solid rgba(128,128,128,.35)}"
    ".tokenbook .n{text-align:right}.tokenbook tr.sum{font-weight:600}.tokenbook p{margin:.4em 0}</style>"
)


def box(*parts: str) -> str:
    """Puts parts into one frame with its own style."""
    return f'<div class="tokenbook">{_STYLE}{"".join(parts)}</div>'


def note(text: str) -> str:
    """A line of text."""
    return f"<p>{html.escape(text)}</p>"


def table(
    columns: Sequence[str],
    rows: Iterable[Sequence[Any]],
    *,
    caption: str = "",
    total: Sequence[Any] | None = None,
    keep_empty: bool = False,
) -> str:
    """A table; columns without any value are left out unless they are to be kept."""
    lines = [list(row) for row in rows]
    every = [*lines, list(total)] if total is not None else lines
    shown = [at for at in range(len(columns)) if keep_empty or any(line[at] is not None for line in every)]
    right = {at for at in shown if _is_numeric(line[at] for line in every)}
    head = "".join(_cell("th", columns[at].replace("_", " "), at in right) for at in shown)
    body = "".join(_row([line[at] for at in shown], [at in right for at in shown]) for line in lines)
    foot = ""
    if total is not None:
        foot = _row([total[at] for at in shown], [at in right for at in shown], "sum")
    title = f"<caption>{html.escape(caption)}</caption>" if caption else ""
    return f"<table>{title}<thead><tr>{head}</tr></thead><tbody>{body}{foot}</tbody></table>"


def fields(value: Any, *, caption: str = "") -> str:
    """Any object of this package: its single values as one table, its lists of objects as a table each."""
    single: list[tuple[str, Any]] = []
    parts: list[str] = []
    for field in dataclasses.fields(value):
        item = getattr(value, field.name)
        name = field.name.removesuffix("_")
        if item is None:
            continue
        if isinstance(item, list) and item and all(dataclasses.is_dataclass(row) for row in item):
            parts.append(objects(item, caption=name.replace("_", " ")))
        elif dataclasses.is_dataclass(item):
            parts.append(fields(item, caption=name.replace("_", " ")))
        else:
            single.append((name, item))
    if single:
        parts.insert(
            0, table(("", "value"), [(name.replace("_", " "), item) for name, item in single], caption=caption)
        )
    return "".join(parts)


def objects(rows: Sequence[Any], *, caption: str = "") -> str:
    """A table of objects of one kind."""
    names = [field.name for field in dataclasses.fields(rows[0])]
    return table(names, ([getattr(row, name) for name in names] for row in rows), caption=caption)


def text(value: Any) -> str:
    """A value as people read it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, decimal.Decimal):
        return format(value, ",f")
    if isinstance(value, float):
        return f"{value:,.3f}".rstrip("0").rstrip(".")
    if isinstance(value, datetime.datetime):
        return value.isoformat(sep=" ", timespec="seconds").replace("+00:00", "Z")
    if isinstance(value, (list, tuple)):
        return ", ".join(text(item) for item in value)
    if isinstance(value, dict):
        return ", ".join(f"{key}: {text(item)}" for key, item in value.items())
    if dataclasses.is_dataclass(value):
        pairs = ((field.name, getattr(value, field.name)) for field in dataclasses.fields(value))
        return ", ".join(f"{name.replace('_', ' ')} {text(item)}" for name, item in pairs if item is not None)
    return str(value)


def _is_numeric(values: Iterable[Any]) -> bool:
    given = [value for value in values if value is not None]
    return bool(given) and all(
        isinstance(value, (int, float, decimal.Decimal)) and not isinstance(value, bool) for value in given
    )


def _cell(tag: str, value: Any, right: bool) -> str:
    kind = ' class="n"' if right else ""
    return f"<{tag}{kind}>{html.escape(text(value))}</{tag}>"


def _row(values: Sequence[Any], right: Sequence[bool], kind: str = "") -> str:
    cells = "".join(_cell("td", value, on) for value, on in zip(values, right, strict=True))
    return f'<tr class="{kind}">{cells}</tr>' if kind else f"<tr>{cells}</tr>"
