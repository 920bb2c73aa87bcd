"""The ledger: a durable file of calls."""

from __future__ import annotations

import decimal
import json
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any

from . import _tokenbook, _wire, types
from ._decode import decode
from ._meter import Meter
from ._operations import Body, Instant, _body
from ._overview import Overview
from ._tables import PAGE, Calls, Report
from ._writer import Writer, end_all
from .errors import UnavailableError, from_fault

WRITES = frozenset({"record", "record_batch", "record_response", "record_responses"})
"""Operations that don't wait for the records of instrumented clients; their own threads use them."""


class Ledger:
    """A durable ledger of calls in one file; any number of threads and processes may use it at once.

    >>> with Ledger(":memory:") as book:
    ...     done = book.record(model="gpt-4o", agent="editor", usage={"input_tokens": 1000, "output_tokens": 200})
    ...     book.report(group_by=["agent"]).total.cost_usd
    Decimal('0.0045')
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        durability: str | None = None,
        time_zone: str | None = None,
    ) -> None:
        """Opens the ledger at ``path``, making it where there is none; ``:memory:`` keeps it in memory.

        ``durability`` is ``full`` (a recorded call survives a power cut) or ``process`` (it survives the end of the
        process; a power cut may lose the last calls). ``time_zone`` is the zone of the ledger's days, such as
        ``Europe/Berlin``; it is set when the file is made.

        :raises UnavailableError: the file is on a network file system, or can't be opened.
        :raises CorruptDataError: the file is no ledger, or damaged.
        """
        args = {"path": os.fspath(path), "durability": durability, "time_zone": time_zone}
        try:
            self._native = _tokenbook.Ledger(_wire.dumps(args))
        except RuntimeError as fault:
            raise from_fault(str(fault)) from None
        self._writer = Writer(self._native.record_ended)

    def __enter__(self) -> Ledger:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _call(self, op: str, args: Mapping[str, Any]) -> Any:
        text = _wire.dumps(args)
        if op not in WRITES:
            self._writer.flush()
        try:
            return json.loads(self._native.call(op, text))
        except RuntimeError as fault:
            raise from_fault(str(fault)) from None

    def record(self, call: types.Call | Mapping[str, Any] | None = None, **fields: Any) -> types.Recorded:
        """Records one call and returns when it is durable.

        Without a ``cost`` the call is priced at its instant; without ``at`` that is now. The same id again with the
        same content changes nothing.

        :raises ConflictError: the id is there with other content; nothing was written.
        """
        given = _wire.plain(call) if call is not None else {}
        return decode(types.Recorded, self._call("record", {**given, **fields}))

    def record_batch(self, calls: Iterable[types.Call | Mapping[str, Any]]) -> types.RecordedBatch:
        """Records many calls in one durable step; the answer tells of each what became of it."""
        return decode(types.RecordedBatch, self._call("record_batch", {"calls": list(calls)}))

    def meter(self, api: str, *, request: Body | None = None, **fields: Any) -> Meter:
        """Starts metering one call: give what is known before it is sent.

        ``request`` is the request's body as sent; ``fields`` are those of a call.
        """
        body = _body(request)
        # A request that is text already is handed over as it is.
        text = body if isinstance(body, str) else None
        args = {**fields, "api": api, "request": None if text is not None else body}
        try:
            return Meter(_tokenbook.Meter(self._native, _wire.dumps(args), text))
        except RuntimeError as fault:
            raise from_fault(str(fault)) from None

    def record_response(
        self,
        api: str,
        body: Body = None,
        *,
        events: Sequence[Any] | None = None,
        request: Body = None,
        **fields: Any,
    ) -> types.Recorded:
        """Reads a provider's response, prices it and records the call.

        With the ``request`` the record also tells the model and ``max_tokens`` as sent, the tools offered, and the
        tokens of each tool's definition and results. Neither request nor response is stored.
        """
        args = {"api": api, "body": _body(body), "events": events, "request": _body(request), **fields}
        return decode(types.Recorded, self._call("record_response", args))

    def get(self, id: str, *, provider: str | None = None) -> types.Call:
        """Gives a recorded call.

        :raises NotFoundError: there is none with that id.
        :raises ConflictError: calls of several providers have it; name the provider.
        """
        return decode(types.Call, self._call("get", {"id": id, "provider": provider}))

    def list(
        self,
        *,
        from_: Instant | None = None,
        to: Instant | None = None,
        limit: int | None = None,
        cursor: str | None = None,
        **filters: Any,
    ) -> types.Page:
        """Lists recorded calls, newest first, a page at a time."""
        args = {"from": from_, "to": to, "limit": limit, "cursor": cursor, "filter": filters}
        return decode(types.Page, self._call("list", args))

    def calls(self, *, from_: Instant | None = None, to: Instant | None = None, **filters: Any) -> Calls:
        """All recorded calls, newest first: to go through, or as a table (``.to_polars()``, ``.to_pandas()``,
        ``.to_arrow()``). They are read as they are asked for."""

        def pages() -> Iterator[list[dict[str, Any]]]:
            cursor = None
            while True:
                args = {"from": from_, "to": to, "cursor": cursor, "limit": PAGE, "filter": filters}
                page = self._call("list", args)
                if page["calls"]:
                    yield page["calls"]
                cursor = page.get("next_cursor")
                if cursor is None:
                    return

        return Calls(pages)

    def report(
        self,
        *,
        group_by: Sequence[str] = (),
        from_: Instant | None = None,
        to: Instant | None = None,
        time_zone: str | None = None,
        order: str | None = None,
        limit: int | None = None,
        **filters: Any,
    ) -> Report:
        """Sums up calls by any dimensions: agent, action, model, provider, tool, session, tag, outcome, hour, day,
        week, month. The range is half-open; filters name values of dimensions, such as ``agent="editor"``."""
        args = {
            "group_by": list(group_by),
            "from": from_,
            "to": to,
            "time_zone": time_zone,
            "order": order,
            "limit": limit,
            "filter": filters,
        }
        return decode(Report, self._call("report", args))

    def overview(
        self,
        *,
        from_: Instant | None = None,
        to: Instant | None = None,
        time_zone: str | None = None,
        now: Instant | None = None,
        **filters: Any,
    ) -> Overview:
        """Tells everything that a dashboard shows of a range: totals, shares, tools, caching, limits, pace, series.

        ``now`` is the instant up to which time has passed, for rates and projections; the clock's without it.
        """
        args = {"from": from_, "to": to, "time_zone": time_zone, "now": now, "filter": filters}
        return decode(Overview, self._call("overview", args))

    def findings(self, *, from_: Instant | None = None, to: Instant | None = None, **filters: Any) -> types.Findings:
        """Tells what could be saved, the most money first, and which tools are called together at what cost."""
        return decode(types.Findings, self._call("findings", {"from": from_, "to": to, "filter": filters}))

    def what_if(
        self,
        *,
        model: str,
        provider: str | None = None,
        from_: Instant | None = None,
        to: Instant | None = None,
        filter: Mapping[str, Any] | None = None,
    ) -> types.WhatIf:
        """Prices the same calls on another model, exactly: the same tokens at its price at the instant of each call.

        ``filter`` names values of dimensions, such as ``{"agent": "editor"}``.

        :raises UnknownModelError: the catalog has no price for the model.
        """
        args = {"model": model, "provider": provider, "from": from_, "to": to, "filter": filter}
        return decode(types.WhatIf, self._call("what_if", args))

    def compare(
        self, a: tuple[Instant | None, Instant | None], b: tuple[Instant | None, Instant | None], **filters: Any
    ) -> types.Comparison:
        """Tells why period ``b`` cost more or less than ``a``.

        Volume, mix, tokens a call and price add up exactly to the difference. A period is its first instant and the
        first after it.
        """
        periods = {name: {"from": from_, "to": to} for name, (from_, to) in (("a", a), ("b", b))}
        return decode(types.Comparison, self._call("compare", {**periods, "filter": filters}))

    def forecast(
        self,
        *,
        days: int | None = None,
        time_zone: str | None = None,
        now: Instant | None = None,
        limit_usd: decimal.Decimal | str | None = None,
        **filters: Any,
    ) -> types.Forecast:
        """Foretells cost and tokens of the next days, with bands of 90 %; with a limit, the day it is used up."""
        args = {"days": days, "time_zone": time_zone, "now": now, "limit_usd": limit_usd, "filter": filters}
        return decode(types.Forecast, self._call("forecast", args))

    def verify(self) -> types.Verification:
        """Checks that nothing was lost or changed: the file, every record, and every sum."""
        return decode(types.Verification, self._call("verify", {}))

    def prune(self, *, before: Instant) -> types.Pruned:
        """Drops calls before an instant; their sums stay in the reports."""
        return decode(types.Pruned, self._call("prune", {"before": before}))

    def snapshot(self, path: str | os.PathLike[str]) -> None:
        """Writes a consistent copy of the ledger to a new file."""
        self._call("snapshot", {"path": os.fspath(path)})

    def query(self, sql: str, *, limit: int | None = None) -> types.QueryResult:
        """Asks the ledger in SQL, read-only and for a bounded time."""
        return decode(types.QueryResult, self._call("query", {"sql": sql, "limit": limit}))

    def export(
        self,
        path: str | os.PathLike[str],
        *,
        format: str | None = None,
        from_: Instant | None = None,
        to: Instant | None = None,
        **filters: Any,
    ) -> types.Exported:
        """Writes the recorded calls to a new file, as ``jsonl`` or ``csv``."""
        args = {"path": os.fspath(path), "format": format, "from": from_, "to": to, "filter": filters}
        return decode(types.Exported, self._call("export", args))

    def import_(self, path: str | os.PathLike[str], *, format: str | None = None) -> types.ImportedFile:
        """Records the calls of a file that ``export`` wrote; calls already there are not recorded twice."""
        return decode(types.ImportedFile, self._call("import", {"path": os.fspath(path), "format": format}))

    def live(self) -> types.Live:
        """Tells which calls are running now, in all processes on the ledger."""
        return decode(types.Live, self._call("live", {}))

    def stats(self) -> types.Stats:
        """Gives figures about the ledger's file."""
        return decode(types.Stats, self._call("stats", {}))

    def count_request(self, api: str, body: Body, *, model: str | None = None) -> types.CalibratedCount:
        """Counts a request before it is made, corrected by what past calls of its model were billed."""
        args = {"api": api, "body": _body(body), "model": model}
        return decode(types.CalibratedCount, self._call("count_request_calibrated", args))

    def calibrations(self) -> Sequence[types.ModelCalibration]:
        """Tells what estimates are corrected by, for each model with estimated past calls."""
        return decode(types.Calibrations, self._call("calibrations", {})).calibrations

    def budget_set(
        self,
        name: str,
        *,
        period: str,
        limit_usd: decimal.Decimal | str | None = None,
        limit_tokens: int | None = None,
        time_zone: str | None = None,
        window_minutes: int | None = None,
        mode: str | None = None,
        allow_unpriced: bool | None = None,
        at: Instant | None = None,
        **scope: Any,
    ) -> types.BudgetStatus:
        """Sets a budget, or changes the one of that name, and tells how it stands; what was spent before counts.

        ``period`` is ``hour``, ``day``, ``week``, ``month`` (of ``time_zone``), ``rolling`` (over ``window_minutes``)
        or ``total``; ``mode`` is ``hard`` (refuse, the default) or ``soft`` (warn). The scope names values of
        ``agent``, ``action``, ``model``, ``provider``, ``session`` and ``tag``, one or a list; without any it is for
        all calls.

        >>> with Ledger(":memory:") as book:
        ...     book.budget_set("editor", limit_usd="5", period="day", agent="editor").left_usd
        Decimal('5')
        """
        args = {
            "name": name,
            "period": period,
            "limit_usd": None if limit_usd is None else str(limit_usd),
            "limit_tokens": limit_tokens,
            "time_zone": time_zone,
            "window_minutes": window_minutes,
            "mode": mode,
            "allow_unpriced": allow_unpriced,
            "at": at,
            "scope": scope,
        }
        return decode(types.BudgetStatus, self._call("budget_set", args))

    def budget_remove(self, name: str) -> None:
        """Removes a budget.

        :raises NotFoundError: there is none of that name.
        """
        self._call("budget_remove", {"name": name})

    def budgets(self, *, at: Instant | None = None) -> Sequence[types.BudgetStatus]:
        """Tells how all budgets stand: limit, spent, held, left, and the period."""
        return decode(types.Budgets, self._call("budgets", {"at": at})).budgets

    def reserve(
        self,
        *,
        agent: str | None = None,
        action: str | None = None,
        model: str | None = None,
        provider: str | None = None,
        session: str | None = None,
        tags: Sequence[str] | None = None,
        cost_usd: decimal.Decimal | str | None = None,
        tokens: int | None = None,
        input_tokens: int | None = None,
        max_tokens: int | None = None,
        owner: str | None = None,
        ttl_ms: int | None = None,
        at: Instant | None = None,
    ) -> types.Hold:
        """Puts aside what a call may take at most, in every budget that is for it; without one the hold has no id.

        The most is given as ``cost_usd`` and ``tokens``, or worked out from ``input_tokens`` and ``max_tokens``. The
        hold is let go by :meth:`settle` or :meth:`void`, or lapses after ``ttl_ms`` (15 minutes).

        :raises BudgetExceededError: a hard budget has not enough left; its ``details`` name it and what is left.
        """
        args = {
            "agent": agent,
            "action": action,
            "model": model,
            "provider": provider,
            "session": session,
            "tags": None if tags is None else list(tags),
            "cost_usd": None if cost_usd is None else str(cost_usd),
            "tokens": tokens,
            "input_tokens": input_tokens,
            "max_tokens": max_tokens,
            "owner": owner,
            "ttl_ms": ttl_ms,
            "at": at,
        }
        return decode(types.Hold, self._call("reserve", args))

    def extend(
        self,
        hold_id: int,
        *,
        cost_usd: decimal.Decimal | str | None = None,
        tokens: int | None = None,
        ttl_ms: int | None = None,
        at: Instant | None = None,
    ) -> types.Hold:
        """Puts aside more for a running call, or keeps its hold for longer.

        :raises BudgetExceededError: there is not enough left: stop the call.
        :raises ConflictError: the hold was settled or voided, or has lapsed.
        """
        args = {
            "hold_id": hold_id,
            "cost_usd": None if cost_usd is None else str(cost_usd),
            "tokens": tokens,
            "ttl_ms": ttl_ms,
            "at": at,
        }
        return decode(types.Hold, self._call("extend", args))

    def settle(self, hold_id: int, call: types.Call | Mapping[str, Any] | None = None, **fields: Any) -> types.Recorded:
        """Records a call, as :meth:`record` does, and lets its hold go in the same step."""
        given = _wire.plain(call) if call is not None else {}
        return decode(types.Recorded, self._call("settle", {"hold_id": hold_id, "call": {**given, **fields}}))

    def void(self, hold_id: int) -> bool:
        """Lets the hold of a call go that was not made; whether it was still there."""
        return decode(types.Voided, self._call("void", {"hold_id": hold_id})).voided

    def flush(self) -> None:
        """Waits until the calls of instrumented clients that have ended are in the ledger.

        What asks the ledger does so by itself."""
        self._writer.flush()

    @property
    def unrecorded(self) -> int:
        """Calls of instrumented clients that could not be recorded, since this ledger was opened."""
        return self._writer.failed

    def alert_rules(self) -> Sequence[types.AlertRule]:
        """Gives the alert rules in use: the built-in ones until others are set."""
        return decode(types.AlertRules, self._call("alert_rules", {})).rules

    def alert_rules_set(self, rules: Iterable[Mapping[str, Any]] | str | None = None) -> Sequence[types.AlertRule]:
        """Sets the alert rules, all at once: a list, or the text of a file in JSON or TOML; without any the built-in
        ones come back.

        A rule names its ``kind`` (``tool_use``, ``tool_overhead``, ``agent_share``, ``tool_spike``, ``utilization``,
        ``truncation``, ``unpriced``, ``error_rate``, ``budget``, ``forecast``); what it leaves out is as built in.
        """
        args: dict[str, Any] = {"text": rules}
        if not isinstance(rules, str):
            args = {"rules": None if rules is None else [dict(rule) for rule in rules]}
        return decode(types.AlertRules, self._call("alert_rules_set", args)).rules

    def alerts_check(self, *, at: Instant | None = None) -> Sequence[types.AlertNotice]:
        """Judges the rules now and tells what has started and ended.

        It also happens by itself, once a minute while the ledger is used.
        """
        return decode(types.AlertNotices, self._call("alerts_check", {"at": at})).notices

    def alerts(
        self,
        *,
        open: bool = False,
        from_: Instant | None = None,
        to: Instant | None = None,
        limit: int | None = None,
    ) -> Sequence[types.Alert]:
        """Lists alerts, newest first; ``open`` leaves out those that are over."""
        args = {"open": open, "from": from_, "to": to, "limit": limit}
        return decode(types.Alerts, self._call("alerts", args)).alerts

    def alert_notices(self, *, after: int | None = None) -> types.AlertNotices:
        """Gives what has started and ended after a number; without one, only the number to go on from."""
        return decode(types.AlertNotices, self._call("alert_notices", {"after": after}))

    def alert_silence(self, rule: str, *, until: Instant, subject: str | None = None) -> None:
        """Keeps a rule, or one subject of it, quiet until an instant: its alerts are noted, but not told."""
        self._call("alert_silence", {"rule": rule, "subject": subject, "until": until})

    def alert_sinks(self, sinks: Iterable[Mapping[str, Any]]) -> None:
        """Says to whom this process tells alerts; nothing of it is stored.

        A sink is ``{"kind": "log"}``, ``{"kind": "file", "path": …}`` or ``{"kind": "webhook", "url": …}``, the last
        with a ``form`` (``json`` or ``slack``) and a ``secret`` that signs what is sent.
        """
        self._call("alert_sinks", {"sinks": [dict(sink) for sink in sinks]})

    def on_alert(
        self, listener: Callable[[types.AlertNotice], object], *, every_seconds: float = 1.0
    ) -> Callable[[], None]:
        """Calls a function, on a thread of its own, with each alert that starts or ends from now on, in whichever
        process; the answer stops it."""
        stop = threading.Event()
        start = self.alert_notices().next

        def listen() -> None:
            after = start
            while not stop.wait(every_seconds):
                try:
                    found = self.alert_notices(after=after)
                except UnavailableError:
                    return  # A ledger that was closed has nothing more to tell.
                after = found.next
                for notice in found.notices:
                    listener(notice)

        threading.Thread(target=listen, name="tokenbook-on-alert", daemon=True).start()
        return stop.set

    def close(self) -> None:
        """Makes everything durable and closes the file; calls that are still running are recorded as far as they
        are."""
        end_all(self)
        self._call("close", {})
