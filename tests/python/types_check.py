"""Checked by mypy, never run: what the types promise, and what they refuse."""

from __future__ import annotations

import datetime
import decimal

import anthropic
import openai
import polars
import tokenbook
from tokenbook import types
from tokenbook.services import usage_log

tokens: int = tokenbook.count("text", model="gpt-4o")
many: list[int] = tokenbook.count_batch(["a", "b"], encoding="cl100k_base")
few: int | None = tokenbook.count_up_to("text", 5)
ids: list[int] = tokenbook.encode("text")
back: str = tokenbook.decode(ids)
about: types.TextCount = tokenbook.estimate("text", model="claude-opus-4-8")

request: types.RequestCount = tokenbook.count_request(
    "anthropic.messages", {"model": "claude-opus-4-8", "messages": []}
)
split: types.Attribution = tokenbook.attribute(request, {"input_tokens": 10})
read: types.Extraction = tokenbook.extract("openai.chat", b"{}", max_tokens=5)
whole: types.Extraction = tokenbook.extract_stream("openai.chat", b"")
usage: types.Usage | None = read.usage

price: types.Cost = tokenbook.cost(
    model="gpt-4o", usage={"input_tokens": 1}, at=datetime.datetime.now(datetime.timezone.utc)
)
total: decimal.Decimal | None = price.total_usd
batch: types.BatchCost = tokenbook.cost_batch(models=["gpt-4o"], input_tokens=[1, 2])
amounts: list[decimal.Decimal | None] = batch.totals_usd

found: types.PricesFound = tokenbook.prices_search("sonnet")
prices: types.PricesShown = tokenbook.prices_show("gpt-4o")
in_use: types.PricesInUse = tokenbook.prices_override(None)
replaced: types.PricesInUse = tokenbook.prices_replace(None)
changed: types.PricesChanged = tokenbook.prices_diff("{}")
version: str = tokenbook.version().version

stream = tokenbook.UsageStream("anthropic.messages", max_tokens=5)
stream.push(b"")
stream.push_event({"type": "message_stop"})
so_far: types.Progress = stream.so_far()
final: types.Extraction = stream.finish()

with tokenbook.Ledger("ledger.db", durability="process", time_zone="Europe/Berlin") as book:
    recorded: types.Recorded = book.record(model="gpt-4o", agent="editor")
    batch_recorded: types.RecordedBatch = book.record_batch([{"model": "gpt-4o"}])
    response: types.Recorded = book.record_response("openai.chat", {}, request={}, agent="host")
    call: types.Call = book.get("id")
    page: types.Page = book.list(limit=5)
    all_calls: list[types.Call] = list(book.calls())
    calls: tokenbook.Calls = book.calls(agent="editor")
    frame: polars.DataFrame = calls.to_polars()
    calls.to_pandas()
    calls.to_arrow()
    report: types.Report = book.report(group_by=["agent", "day"], time_zone="UTC")
    shown: tokenbook.Report = book.report()
    shown.plot("calls")
    verified: types.Verification = book.verify()
    pruned: types.Pruned = book.prune(before="2026-01-01T00:00:00Z")
    book.snapshot("copy.db")
    table: types.QueryResult = book.query("SELECT 1", limit=5)
    exported: types.Exported = book.export("calls.csv", format="csv")
    imported: types.ImportedFile = book.import_("calls.csv", format="csv")

with tokenbook.Ledger(":memory:") as book:
    client: anthropic.Anthropic = tokenbook.instrument(anthropic.Anthropic(), book=book, agent="editor", tags=["a"])
    asynchronous: openai.AsyncOpenAI = tokenbook.instrument(
        openai.AsyncOpenAI(), book=book, on_usage=lambda now: print(now.cost_usd), on_record=lambda done: print(done.id)
    )
    watched: openai.OpenAI = tokenbook.watch(openai.OpenAI())
    with tokenbook.with_call(agent="host", action="draft", operation_id="op") as inside:
        text: str = client.messages.create(model="m", max_tokens=5, messages=[]).id
    spent: tokenbook.Summary = tokenbook.summary(inside)
    in_all: decimal.Decimal = spent.cost_usd
    lost: int = book.unrecorded
    book.flush()
    meter: tokenbook.Meter = book.meter("openai.chat", model="gpt-4o")
    now: types.MeterProgress = meter.progress()
    done: types.Metered = meter.finish({})
    budget: types.BudgetStatus = book.budget_set("all", period="day", limit_usd=decimal.Decimal(5))
tokenbook.load_ipython_extension(None)
logged: usage_log.TokenUsage = usage_log.token_usage({}, max_tokens=5)
line: str = usage_log.format_usage(logged)

tokenbook.instrument(anthropic.Anthropic())  # type: ignore[call-arg]
tokenbook.count(b"bytes")  # type: ignore[arg-type]
tokenbook.cost(model="gpt-4o")  # type: ignore[call-arg]
price.total_usd = decimal.Decimal(1)  # type: ignore[misc]

try:
    book.get("none")
except tokenbook.NotFoundError as error:
    code: str = error.code
    details: dict[str, str] = error.details
