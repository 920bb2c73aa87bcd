"""An overview that shows itself in a notebook: key figures, bars of shares, percentiles, and the days as a picture."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Any

from . import _html, types

_STYLE = (
    "<style>.tokenbook .cards{display:flex;flex-wrap:wrap;gap:.5em;margin:.4em 0}"
    ".tokenbook .cards div{border:1px solid rgba(128,128,128,.35);border-radius:.4em;padding:.3em .7em}"
    ".tokenbook .cards b{display:block;font-size:1.25em}.tokenbook .cards span{opacity:.7;font-size:.85em}"
    ".tokenbook .bar{display:inline-block;height:.6em;background:#4a7ddb;margin-right:.5em}</style>"
)
_WIDTH, _HEIGHT = 640, 80


class Overview(types.Overview):
    """Everything that a dashboard shows of a range; in a notebook it is one."""

    def _repr_html_(self) -> str:
        parts = [_STYLE, _html.note(_title(self)), _cards(self), _days(self.series.days)]
        for name, groups in [
            ("agent", self.agents),
            ("model", self.models),
            ("action", self.actions),
        ]:
            if groups:
                parts.append(_shares(name, groups))
        if self.tool_use.tools:
            names = ("tool", "offered", "called", "definition_tokens", "result_tokens", "cost_usd")
            rows = ([getattr(tool, name) for name in names] for tool in self.tool_use.tools)
            parts.append(_html.table(names, rows, caption="Tools"))
        sizes = [
            (name.replace("_", " "), of.calls, of.p50, of.p90, of.p99)
            for name in ("duration_ms", "time_to_first_token_ms", "input_tokens", "output_tokens")
            if (of := getattr(self.sizes, name)).calls
        ]
        if sizes:
            parts.append(_html.table(("of a call", "calls", "p50", "p90", "p99"), sizes, caption="Times and sizes"))
        return _html.box(*parts)


def _title(overview: types.Overview) -> str:
    since = _html.text(overview.from_) if overview.from_ else "the first call"
    until = _html.text(overview.to) if overview.to else "now"
    return f"From {since} to {until} ({overview.time_zone})"


def _percent(part: float | None) -> str:
    return "unknown" if part is None else f"{100 * part:.1f} %"


def _cards(overview: types.Overview) -> str:
    total, limits, tools = overview.total, overview.limits, overview.tool_use
    known = total.calls > total.unpriced_calls or total.calls == 0
    unpriced = f"{total.unpriced_calls:,} calls without a price" if total.unpriced_calls else "every call has a price"
    cards: list[tuple[str, Any, str]] = [
        ("calls", total.calls, f"{_percent(total.success_rate)} succeeded"),
        ("cost in USD", total.cost_usd if known else "unknown", unpriced),
        ("cost of a call", total.cost_per_call_usd or "unknown", f"{_html.text(total.cost_per_success_usd)} a success"),
        ("tokens", total.total_tokens, f"{_html.text(total.tokens_per_call)} a call"),
        ("saved by caching", overview.cache.saved_usd, f"{_percent(overview.cache.hit_rate)} of the input from cache"),
        ("of max_tokens used", _percent(limits.utilization), f"{_percent(limits.truncation_rate)} cut off"),
        ("tools in calls", _percent(tools.offering_rate), f"{_percent(tools.overhead_of_tokens)} of all tokens"),
    ]
    shown = (
        f"<div><span>{html.escape(name)}</span><b>{html.escape(_html.text(value))}</b>"
        f"<span>{html.escape(more)}</span></div>"
        for name, value, more in cards
    )
    return f'<div class="cards">{"".join(shown)}</div>'


def _shares(name: str, groups: Sequence[types.GroupShare]) -> str:
    head = "".join(f"<th>{column}</th>" for column in (name, "calls", "tokens", "cost usd", "of the cost"))
    rows = []
    for group in groups[:20]:
        label = getattr(group, name) or "none"
        values = (group.calls, group.total_tokens, group.cost_usd)
        cells = "".join(f'<td class="n">{html.escape(_html.text(value))}</td>' for value in values)
        bar = f'<span class="bar" style="width:{group.cost_per_mille / 10:.1f}px"></span>'
        rows.append(f"<tr><td>{html.escape(label)}</td>{cells}<td>{bar}{group.cost_per_mille / 10:.1f} %</td></tr>")
    more = _html.note(f"{len(groups) - 20:,} more") if len(groups) > 20 else ""
    table = f"<table><caption>By {name}</caption><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"
    return table + more


def _days(days: Sequence[types.Bucket]) -> str:
    """The cost of each day as a bar; days without calls are there with none."""
    highest = max((float(day.cost_usd) for day in days), default=0.0)
    if highest <= 0:
        return ""
    step = _WIDTH / len(days)
    bars = []
    for at, day in enumerate(days):
        height = _HEIGHT * float(day.cost_usd) / highest
        title = html.escape(f"{_html.text(day.day)}: {_html.text(day.cost_usd)} USD, {day.calls:,} calls")
        bars.append(
            f'<rect x="{at * step:.1f}" y="{_HEIGHT - height:.1f}" width="{max(step - 1, 0.5):.1f}" '
            f'height="{height:.1f}" fill="#4a7ddb"><title>{title}</title></rect>'
        )
    label = html.escape(f"Cost by day, {_html.text(days[0].day)} to {_html.text(days[-1].day)}")
    box = f'viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}" height="{_HEIGHT}"'
    return f'<p>{label}</p><svg role="img" aria-label="{label}" {box}>{"".join(bars)}</svg>'
