"""The log line and the metadata of a service that writes scripts: tokens against the limit that was sent, the warnings,
the fragment for metadata files, and what many of them say of the limit.

>>> usage = token_usage({"usage": {"input_tokens": 3616, "output_tokens": 4788}, "stop_reason": "end_turn"},
...                     max_tokens=20000)
>>> usage["utilization_percent"], warning_level(usage)
('23.9', 'none')
"""

from __future__ import annotations

import datetime
import decimal
import json
import logging
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal, TypedDict, cast

from .. import types
from .._operations import Body, extract
from .._wire import plain
from ..errors import InvalidArgumentError

__all__ = [
    "CamelCaseUsage", "Headroom", "LimitFigures", "TokenUsage", "TokenUsageMetadata", "UtilizationDay",
    "camel_case_usage", "contradictions", "format_usage", "headroom", "is_truncated", "log_usage", "phase_tokens",
    "snake_case_usage", "token_usage", "token_usage_metadata", "usage_warnings", "utilization_percent",
    "utilization_trend", "warning_level",
]  # fmt: skip

NEAR_LIMIT = 0.9
COMFORTABLE = 0.7
TRUNCATED = frozenset(
    {
        "max_tokens", "model_context_window_exceeded", "length", "MAX_TOKENS", "max_output_tokens", "incomplete",
        "error_limit", "max_length",
    }
)  # fmt: skip
"""The stop reasons by which providers say that a limit cut the answer off."""

WarningLevel = Literal["truncated", "near_limit", "none"]
Contradiction = Literal["no_max_tokens", "stopped_below_max_tokens", "output_above_max_tokens"]
Decision = Literal["raise_limit_or_shrink_prompt", "watch", "leave", "unknown"]


class TokenUsage(TypedDict):
    """The tokens of a response against its limit, in the order that the log shows."""

    input_tokens: int
    output_tokens: int
    total_tokens: int
    max_tokens: int | None
    utilization_percent: str
    stop_reason: str


class TokenUsageMetadata(TokenUsage, total=False):
    """The fragment ``tokenUsage`` of a metadata file."""

    truncated: bool
    response_id: str
    model: str
    cost_usd: str


class CamelCaseUsage(TypedDict):
    """Tokens under camelCase names."""

    inputTokens: int
    outputTokens: int
    totalTokens: int


class LimitFigures(TypedDict, total=False):
    """What responses say of their limit; what can't be told is absent."""

    responses: int
    truncated: int
    truncation_rate: float
    median_utilization: float
    peak_utilization: float
    tokens_per_line: float


class Headroom(LimitFigures, total=False):
    """What many responses say of their limit, and what to do about it."""

    decision: Decision


class UtilizationDay(LimitFigures, total=False):
    """The figures of a day, as ``2026-11-20``, of UTC."""

    day: str


def utilization_percent(output_tokens: int, max_tokens: float | None) -> str:
    """Output as a percentage of the limit with one decimal, as JavaScript's ``toFixed(1)`` words it: 5 of 2000 is
    ``0.3``, where Python's own rounding says 0.2."""
    if max_tokens is None or math.isnan(max_tokens) or (max_tokens == 0 and output_tokens == 0):
        return "NaN"
    if max_tokens == 0:
        return "Infinity"
    # Divided as JavaScript does, then rounded on the exact digits of what came out, halves up.
    percent = decimal.Decimal(output_tokens / max_tokens * 100)
    return format(percent.quantize(decimal.Decimal("0.1"), decimal.ROUND_HALF_UP), "f")


def token_usage(
    response: Body, *, max_tokens: int | None = None, api: str | None = None, compatible: bool = False
) -> TokenUsage:
    """The usage of a response: of the provider's body or object, of what ``extract`` gave, of a recorded call, or of
    bare numbers. ``max_tokens`` is the limit as sent; ``api`` names the body's wire format.

    With ``compatible`` a missing stop reason is ``end_turn``, without it ``unknown``.

    :raises InvalidArgumentError: there are no token counts.
    """
    if api is not None and not isinstance(response, (types.Extraction, types.Call)):
        response = extract(api, response)
    read = response if isinstance(response, Mapping) else plain(response)
    usage = read.get("usage") or read
    usage = usage if isinstance(usage, Mapping) else plain(usage)
    prefix = "total_" if "total_input_tokens" in usage or "total_output_tokens" in usage else ""
    absent = 0 if prefix else None
    input_tokens = _count(usage.get(f"{prefix}input_tokens", absent), f"usage.{prefix}input_tokens")
    output_tokens = _count(usage.get(f"{prefix}output_tokens", absent), f"usage.{prefix}output_tokens")
    limit = max_tokens if max_tokens is not None else read.get("max_tokens")
    return {
        "input_tokens": input_tokens,
        "output_tokens": output_tokens,
        "total_tokens": input_tokens + output_tokens,
        "max_tokens": limit,
        "utilization_percent": utilization_percent(output_tokens, limit),
        "stop_reason": read.get("stop_reason") or ("end_turn" if compatible else "unknown"),
    }


def is_truncated(usage: Mapping[str, Any]) -> bool:
    """Whether a limit cut the answer off."""
    truncated = usage.get("truncated")
    return truncated if isinstance(truncated, bool) else usage.get("stop_reason") in TRUNCATED


def contradictions(usage: Mapping[str, Any]) -> list[Contradiction]:
    """What contradicts itself in a usage."""
    limit = usage.get("max_tokens")
    if not isinstance(limit, int) or isinstance(limit, bool) or limit <= 0:
        return ["no_max_tokens"]
    found: list[Contradiction] = []
    # Other limits than `max_tokens` may lie below it.
    if usage.get("stop_reason") in ("max_tokens", "length", "MAX_TOKENS") and usage["output_tokens"] < limit:
        found.append("stopped_below_max_tokens")
    if usage["output_tokens"] > limit:
        found.append("output_above_max_tokens")
    return found


def warning_level(usage: Mapping[str, Any], *, threshold: float = NEAR_LIMIT) -> WarningLevel:
    """How near to its limit a usage came."""
    if isinstance(threshold, bool) or not 0 < threshold <= 1:
        raise InvalidArgumentError(f"threshold: expected a number above 0 and up to 1, got {threshold}")
    if is_truncated(usage):
        return "truncated"
    limit = usage.get("max_tokens")
    return "near_limit" if limit is not None and usage["output_tokens"] > limit * threshold else "none"


def usage_warnings(
    usage: Mapping[str, Any],
    *,
    threshold: float = NEAR_LIMIT,
    subject: str = "Script generation",
    advice: str = "Consider simplifying the request or raising max_tokens",
) -> list[str]:
    """The warnings of a usage, as lines for a log."""
    level = warning_level(usage, threshold=threshold)
    lines: list[str] = []
    if level == "truncated":
        lines += [f"⚠️  {subject} truncated due to token limit!", f"   {advice}"]
    if level == "near_limit":
        lines.append(f"⚠️  WARNING: Using {usage['utilization_percent']}% of max_tokens (close to limit)")
    output, limit = usage["output_tokens"], usage.get("max_tokens")
    for odd in contradictions(usage):
        if odd == "stopped_below_max_tokens":
            reason = usage["stop_reason"]
            lines.append(f"⚠️  stop_reason {reason} with {output} of {limit} tokens: max_tokens is not what was sent")
        if odd == "output_above_max_tokens":
            lines.append(f"⚠️  {output} output tokens are above max_tokens {limit}: max_tokens is not what was sent")
    return lines


def format_usage(usage: Mapping[str, Any]) -> str:
    """The usage as the log shows it: JSON in its key order, indented by two."""
    return json.dumps({name: usage[name] for name in TokenUsage.__annotations__}, indent=2, ensure_ascii=False)


def log_usage(
    usage: Mapping[str, Any],
    *,
    label: str = "Token Usage",
    log: Callable[[str], object] | None = None,
    warn: Callable[[str], object] | None = None,
    threshold: float = NEAR_LIMIT,
    subject: str = "Script generation",
) -> None:
    """Logs the usage and its warnings; to the logger ``tokenbook`` unless told otherwise."""
    logger = logging.getLogger("tokenbook")
    (log or logger.info)(f"📊 {label}: {format_usage(usage)}")
    for line in usage_warnings(usage, threshold=threshold, subject=subject):
        (warn or logger.warning)(line)


def token_usage_metadata(
    usage: TokenUsage, *, response_id: str | None = None, model: str | None = None, cost_usd: object | None = None
) -> TokenUsageMetadata:
    """The fragment for a metadata file: the usage with ``truncated``, and the response's id, against counting it
    twice."""
    fragment = cast(TokenUsageMetadata, {**usage, "truncated": is_truncated(usage)})
    if response_id is not None:
        fragment["response_id"] = response_id
    if model is not None:
        fragment["model"] = model
    if cost_usd is not None:
        fragment["cost_usd"] = format(cost_usd, "f") if isinstance(cost_usd, decimal.Decimal) else str(cost_usd)
    return fragment


def camel_case_usage(usage: Mapping[str, Any]) -> CamelCaseUsage:
    """The same tokens under camelCase names."""
    total = usage.get("total_tokens", usage["input_tokens"] + usage["output_tokens"])
    return {"inputTokens": usage["input_tokens"], "outputTokens": usage["output_tokens"], "totalTokens": total}


def snake_case_usage(usage: Mapping[str, Any]) -> dict[str, Any]:
    """Either of the two shapes as snake_case tokens."""
    if "input_tokens" in usage:
        return dict(usage)
    input_tokens, output_tokens = usage["inputTokens"], usage["outputTokens"]
    total = usage.get("totalTokens", input_tokens + output_tokens)
    return {"input_tokens": input_tokens, "output_tokens": output_tokens, "total_tokens": total}


def phase_tokens(
    phases: Mapping[str, Mapping[str, Any] | Sequence[Mapping[str, Any]] | None],
) -> dict[str, int]:
    """Sums tokens by phase (``scanner``, ``execution``, ``analysis``), input and output apart. An absent phase is
    absent, not 0."""
    sums: dict[str, int] = {}
    whole = {"input_tokens": 0, "output_tokens": 0}
    for phase, given in phases.items():
        usages = [given] if isinstance(given, Mapping) else [usage for usage in given or () if usage is not None]
        if not usages:
            continue
        read = [snake_case_usage(usage) for usage in usages]
        name = phase if phase == "analysis" else f"{phase}_generation"
        for kind in whole:
            tokens = sum(_count(usage.get(kind), f"{phase}.{kind}") for usage in read)
            sums[f"{name}_{kind}"] = tokens
            whole[kind] += tokens
        sums[f"{name}_tokens"] = sums[f"{name}_input_tokens"] + sums[f"{name}_output_tokens"]
    return {**sums, **whole, "total_tokens": sum(whole.values())}


def headroom(
    files: Iterable[Mapping[str, Any]], *, threshold: float = NEAR_LIMIT, comfortable: float = COMFORTABLE
) -> Headroom:
    """What the contents of many metadata files tell of the limit, and what to do about it: raise it or shrink the
    prompt, watch it, or leave it. One response counts once, however many files carry it.

    ``lines`` of a file, the length of what was written, gives the tokens a line.
    """
    figures = _figures(_responses(files))
    peak, decision = figures.get("peak_utilization"), "unknown"
    if peak is not None:
        decision = "watch" if peak >= comfortable else "leave"
        if figures["truncated"] or peak > threshold:
            decision = "raise_limit_or_shrink_prompt"
    return cast(Headroom, {**figures, "decision": decision})


def utilization_trend(files: Iterable[Mapping[str, Any]]) -> list[UtilizationDay]:
    """Tells day by day (UTC) how the limit was used, oldest first: utilization, truncation rate, tokens a line.

    Files without a ``timestamp`` are of no day.
    """
    days: dict[str, list[Mapping[str, Any]]] = {}
    for file in _responses(files):
        try:
            at = datetime.datetime.fromisoformat(str(file.get("timestamp")).replace("Z", "+00:00"))
        except ValueError:
            continue
        # One without an offset is of UTC, which the service writes.
        at = at.replace(tzinfo=datetime.timezone.utc) if at.tzinfo is None else at
        days.setdefault(at.astimezone(datetime.timezone.utc).date().isoformat(), []).append(file)
    return [cast(UtilizationDay, {"day": day, **_figures(days[day])}) for day in sorted(days)]


def _responses(files: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """One file of each response, however many carry it."""
    seen: dict[object, Mapping[str, Any]] = {}
    for file in files:
        usage = file.get("tokenUsage")
        if usage is None:
            continue
        # Without an id, the same numbers of the same kind of script are the same response.
        same = (usage.get("input_tokens"), usage.get("output_tokens"), usage.get("max_tokens"))
        key = usage.get("response_id") or (*same, usage.get("stop_reason"), file.get("scriptType"))
        seen.setdefault(key, file)
    return list(seen.values())


def _figures(files: Sequence[Mapping[str, Any]]) -> LimitFigures:
    """What responses say of their limit."""
    usages = [file["tokenUsage"] for file in files]
    truncated = sum(is_truncated(usage) for usage in usages)
    limits = [(usage["output_tokens"], usage.get("max_tokens") or 0) for usage in usages]
    utilizations = sorted(output / limit for output, limit in limits if limit > 0)
    lines = [(file["tokenUsage"]["output_tokens"], file["lines"]) for file in files if file.get("lines")]
    answer: LimitFigures = {"responses": len(files), "truncated": truncated}
    if files:
        answer["truncation_rate"] = truncated / len(files)
    if utilizations:
        answer["median_utilization"] = utilizations[(len(utilizations) - 1) // 2]
        answer["peak_utilization"] = utilizations[-1]
    if lines:
        answer["tokens_per_line"] = sum(output for output, _ in lines) / sum(count for _, count in lines)
    return answer


def _count(value: Any, field: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 2**53 - 1:
        raise InvalidArgumentError(f"{field}: expected a whole number from 0 to 9007199254740991, got {value}")
    return value
