"""Checked by mypy, never run: every export, what its types promise, and what they refuse."""

from __future__ import annotations

import datetime
import decimal
from collections.abc import Iterable, Sequence
from typing import Any

import anthropic
import openai
import polars
import tokenbook
from tokenbook import errors, litellm, types
from tokenbook.services import usage_log

tokens: int = tokenbook.count("text", model="gpt-4o")
many: list[int] = tokenbook.count_batch(["a", "b"], encoding="cl100k_base")
few: int | None = tokenbook.count_up_to("text", 5)
ids: list[int] = tokenbook.encode("text")
back: str = tokenbook.decode(ids)
about: types.TextCount = tokenbook.estimate("text", model="claude-opus-4-8")
countable: types.Vocabularies = tokenbook.vocabularies()
added: list[str] = tokenbook.vocabularies("folder").encodings

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
listed: types.Listed = tokenbook.ops()

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
    hold: types.Hold = meter.reserve()
    done: types.Metered = meter.finish({})
    meter.void()
    budget: types.BudgetStatus = book.budget_set("all", period="day", limit_usd=decimal.Decimal(5))
tokenbook.load_ipython_extension(None)
told_later: Sequence[types.Metered] = inside.recorded
callback: Any = litellm.logger(book, agent="editor", tags=["a"])

logged: usage_log.TokenUsage = usage_log.token_usage({}, max_tokens=5)
line: str = usage_log.format_usage(logged)
percent: str = usage_log.utilization_percent(1, 2)
level: str = usage_log.warning_level(logged, threshold=0.8)
warnings: list[str] = usage_log.usage_warnings(logged)
odd: Sequence[str] = usage_log.contradictions(logged)
cut: bool = usage_log.is_truncated(logged)
fragment: usage_log.TokenUsageMetadata = usage_log.token_usage_metadata(logged, response_id="r")
camel: usage_log.CamelCaseUsage = usage_log.camel_case_usage(logged)
snake = usage_log.snake_case_usage(camel)
phases: dict[str, int] = usage_log.phase_tokens({"scanner": [logged, camel], "analysis": None})
room: usage_log.Headroom = usage_log.headroom([{"tokenUsage": fragment, "lines": 10}], comfortable=0.6)
figures: usage_log.LimitFigures = room
trend: list[usage_log.UtilizationDay] = usage_log.utilization_trend(
    [{"tokenUsage": fragment, "timestamp": "2026-11-20"}]
)
usage_log.log_usage(logged, label="Scanner Token Usage")


def codes(
    budget: tokenbook.BudgetExceededError,
    conflict: tokenbook.ConflictError,
    damaged: tokenbook.CorruptDataError,
    invalid: tokenbook.InvalidArgumentError,
    missing: tokenbook.NotFoundError,
    away: tokenbook.UnavailableError,
    unknown: tokenbook.UnknownModelError,
) -> Iterable[str]:
    """Every class of error is one of the base's, and of the built-in kind that one would look for."""
    every: list[tokenbook.TokenbookError] = [budget, conflict, damaged, invalid, missing, away, unknown]
    built_in: tuple[ValueError, LookupError, LookupError] = (invalid, missing, unknown)
    yield from (str(error) for error in built_in)
    same: list[errors.TokenbookError] = every
    for each in (
        errors.BudgetExceededError,
        errors.ConflictError,
        errors.CorruptDataError,
        errors.InvalidArgumentError,
        errors.NotFoundError,
        errors.UnavailableError,
        errors.UnknownModelError,
    ):
        yield each("message").code
    yield from (error.code for error in same)


tokenbook.instrument(anthropic.Anthropic())  # type: ignore[call-arg]
tokenbook.count(b"bytes")  # type: ignore[arg-type]
tokenbook.cost(model="gpt-4o")  # type: ignore[call-arg]
price.total_usd = decimal.Decimal(1)  # type: ignore[misc]

try:
    book.get("none")
except tokenbook.NotFoundError as error:
    code: str = error.code
    details: dict[str, str] = error.details

# What is generated.
GENERATED: tuple[Any, ...] = (
    types.Alert, types.AlertChange, types.AlertKind, types.AlertNotice, types.AlertNotices, types.AlertRule,
    types.AlertRules, types.AlertSilence, types.AlertSinks, types.Alerts, types.Api, types.Attribution,
    types.BatchCost, types.Bucket, types.Budget, types.BudgetState, types.BudgetStatus, types.BudgetWarning,
    types.Budgets, types.CacheUse, types.CalibratedCount, types.Calibration, types.Calibrations, types.Call,
    types.CallCost, types.Change, types.ComparedGroup, types.Comparison, types.Cost, types.CostBand, types.Counted,
    types.CountedBatch, types.CountedUpTo, types.Decoded, types.Done, types.Encoded, types.Exactness, types.Exported,
    types.Extraction, types.Figures, types.Finding, types.FindingKind, types.Findings, types.Forecast,
    types.ForecastDay, types.ForecastMethod, types.ForecastOf, types.Group, types.GroupShare, types.Hold,
    types.ImportedFile, types.Iteration, types.LimitUse, types.Line, types.LineFailure, types.Listed, types.Live,
    types.LiveCall, types.Matched, types.Measures, types.MeterProgress, types.Metered, types.Mode, types.Model,
    types.ModelCalibration, types.ModelName, types.Operation, types.Outcome, types.Overview, types.Pace, types.Page,
    types.Part, types.PartKind, types.Percentiles, types.Period, types.PeriodSums, types.PriceAbove,
    types.PriceChange, types.PriceRow, types.PriceUsed, types.Priced, types.PricesChanged, types.PricesFound,
    types.PricesInUse, types.PricesShown, types.Problem, types.ProblemKind, types.Progress, types.Projection,
    types.Pruned, types.QueryResult, types.Reason, types.Reasons, types.RecordError, types.RecordStatus,
    types.Recorded, types.RecordedBatch, types.RecordedOne, types.Report, types.RequestCount, types.Row, types.Scope,
    types.Series, types.Sizes, types.Stats, types.Status, types.StopKind, types.TextCount, types.TokenBand,
    types.TokenShares, types.ToolCombination, types.ToolPart, types.ToolTokens, types.ToolUse, types.Unpriced,
    types.Usage, types.UsedUp, types.UtilizationStep, types.Verification, types.Version, types.Voided, types.Warning,
    types.WhatIf, types.WhatIfPart, types.Written,
)  # fmt: skip
