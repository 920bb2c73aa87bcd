"""Calls and reports as tables: nothing is lost on the way into Arrow, pandas and Polars, and HTML is escaped."""

from __future__ import annotations

import datetime
import decimal
from collections.abc import Iterator

import pytest
import tokenbook

AT = datetime.datetime(2026, 11, 20, 9, 30, 0, 125000, tzinfo=datetime.timezone.utc)
TINY = decimal.Decimal("0.000000000001")
HUGE = decimal.Decimal("1234.123456789012")


@pytest.fixture
def book() -> Iterator[tokenbook.Ledger]:
    with tokenbook.Ledger(":memory:") as book:
        book.record(
            id="a", model="gpt-4o", at=AT, agent="editor", usage={"input_tokens": 1000, "output_tokens": 200},
            tags=["b", "a"], tools_called=["search"], metadata={"k": "v"},
            cost={"status": "stated", "total_usd": HUGE},
        )  # fmt: skip
        book.record(id="b", model="gpt-4o", at=AT + datetime.timedelta(days=1), agent="<b>host</b>")
        book.record(
            id="c", model="gpt-4o", at=AT + datetime.timedelta(days=2), usage={"input_tokens": 1},
            cost={"status": "stated", "total_usd": TINY},
        )  # fmt: skip
        yield book


def test_calls_page_through_the_whole_ledger_lazily(book: tokenbook.Ledger) -> None:
    book.record_batch([{"model": "gpt-4o", "id": f"n{at}", "at": AT} for at in range(2500)])
    calls = book.calls()
    assert next(iter(calls)).id == "c"
    ids = [call.id for call in calls]
    assert len(ids) == len(set(ids)) == 2503 == calls.to_arrow().num_rows
    assert [call.id for call in book.calls(agent="editor")] == ["a"]


def test_arrow_keeps_money_exact_and_instants_in_utc(book: tokenbook.Ledger) -> None:
    pa = pytest.importorskip("pyarrow")
    table = book.calls().to_arrow()
    assert table.schema.field("cost_usd").type == pa.decimal128(38, 12)
    assert table.schema.field("at").type == pa.timestamp("ms", tz="UTC")
    assert table.column("cost_usd").to_pylist() == [TINY, None, HUGE]
    assert table.column("at").to_pylist()[2] == AT
    row = table.to_pylist()[2]
    assert (row["tags"], row["tools_called"], row["metadata"]) == (["a", "b"], ["search"], '{"k": "v"}')
    assert (row["total_input_tokens"], row["output_tokens"], row["cost_status"]) == (1000, 200, "stated")
    assert table.column("total_input_tokens").to_pylist() == [1, None, 1000]


def test_the_capsule_is_what_other_libraries_take(book: tokenbook.Ledger) -> None:
    pa, pl = pytest.importorskip("pyarrow"), pytest.importorskip("polars")
    assert pa.table(book.calls()).equals(book.calls().to_arrow())
    assert pl.DataFrame(book.calls())["cost_usd"].to_list() == [TINY, None, HUGE]
    assert pa.table(book.report(group_by=["agent"])).num_rows == 3
    with tokenbook.Ledger(":memory:") as empty:
        assert pa.table(empty.calls()).num_rows == 0
        assert empty.calls().to_arrow().schema == book.calls().to_arrow().schema


def test_polars_and_pandas_say_the_same_as_arrow(book: tokenbook.Ledger) -> None:
    pl, pd = pytest.importorskip("polars"), pytest.importorskip("pandas")
    want = book.calls().to_arrow()
    frame = book.calls().to_polars()
    assert frame.schema["cost_usd"] == pl.Decimal(38, 12)
    assert frame.schema["at"] == pl.Datetime("ms", "UTC")
    assert frame.to_dicts() == want.to_pylist()
    table = book.calls().to_pandas()
    assert table["cost_usd"].tolist() == [TINY, None, HUGE]
    assert str(table["at"].dtype) == "datetime64[ms, UTC]"
    assert table["total_input_tokens"].tolist() == [1, pd.NA, 1000]
    assert list(table.columns) == list(frame.columns) == want.column_names


def test_a_report_is_a_table_of_its_groups_and_measures(book: tokenbook.Ledger) -> None:
    pytest.importorskip("polars")
    report = book.report(group_by=["day", "agent"])
    rows = {(row["day"], row["agent"]): row for row in report.to_polars().to_dicts() if row["calls"]}
    assert rows[datetime.date(2026, 11, 20), "editor"]["cost_usd"] == HUGE
    assert sum(row["calls"] for row in rows.values()) == report.total.calls == 3
    assert list(report.to_pandas().columns)[:3] == [*report.group_by, "calls"]


def test_html_is_escaped_and_sums_up(book: tokenbook.Ledger) -> None:
    shown = book.report(group_by=["agent"])._repr_html_()
    assert "&lt;b&gt;host&lt;/b&gt;" in shown and "<b>host" not in shown
    assert "1,234.123456789013" in shown
    assert "&lt;b&gt;host" in book.calls()._repr_html_()
    with tokenbook.Ledger(":memory:") as empty:
        assert "<table>" in empty.report()._repr_html_() and "<table>" in empty.calls()._repr_html_()


def test_an_overview_is_a_dashboard_of_its_own(book: tokenbook.Ledger) -> None:
    shown = book.overview(now="2026-11-25T00:00:00Z")._repr_html_()
    assert "&lt;b&gt;host&lt;/b&gt;" in shown and "<b>host" not in shown
    assert "1,234.123456789013" in shown and "<script" not in shown
    assert shown.count("<rect ") == len(book.overview(now="2026-11-25T00:00:00Z").series.days) == 30
    assert "By agent" in shown and "Times and sizes" in shown
    with tokenbook.Ledger(":memory:") as empty:
        nothing = empty.overview()._repr_html_()
        assert "unknown succeeded" in nothing and "nan" not in nothing.lower() and "<rect" not in nothing


@pytest.mark.parametrize("group_by", [[], ["agent"], ["day"], ["day", "agent"], ["model", "agent"]])
def test_a_report_draws_its_own_rows(book: tokenbook.Ledger, group_by: list[str]) -> None:
    pytest.importorskip("matplotlib").use("agg")
    axes = book.report(group_by=group_by).plot("total_input_tokens")
    lines, bars = axes.get_lines(), axes.patches
    drawn = sum(sum(line.get_ydata()) for line in lines) if lines else sum(
        bar.get_height() if not group_by else bar.get_width() for bar in bars
    )  # fmt: skip
    assert drawn == 1001
    import matplotlib.pyplot

    matplotlib.pyplot.close("all")


def test_a_missing_library_is_named(book: tokenbook.Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "polars", None)
    with pytest.raises(tokenbook.UnavailableError, match=r"pip install 'tokenbook\[polars\]'"):
        book.calls().to_polars()
